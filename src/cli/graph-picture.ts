/** Pictures of graphs and kernel lists, laid out by Graphviz. */
import { instance } from "@viz-js/viz";
import { escapeText } from "../../runtime/report/page.js";
import type { Graph } from "../graph/graph.js";
import { formatShape } from "../graph/shape.js";
import { readsOf, writesOf } from "../kernels/access.js";
import type { KernelList } from "../kernels/record.js";

const leafColours: Readonly<Record<string, string>> = {
  parameter: "#d8e8ff",
  input: "#d8ffe0",
  scalar: "#fff3d0",
  constant: "#f0f0f0",
};

/** Nodes with their shapes, grouped by the module instance they come from. */
export async function drawGraph(graph: Graph, format: "svg" | "html"): Promise<string> {
  const lines: string[] = [];
  const producers = new Map<number, number>();
  const groups = new Map<string, string[]>();
  graph.nodes.forEach((node, index) => {
    for (const output of node.outputs) producers.set(output, index);
    const name =
      "path" in node.attributes ? node.attributes.path : "name" in node.attributes ? node.attributes.name : "";
    const label = `${node.primitive}${name ? ` ${name}` : ""}\n${node.outputs.map((output) => `${graph.types[output]!.dtype}${formatShape(graph.types[output]!.shape)}`).join(" ")}`;
    const line = `n${index} [label=${quote(label)}, fillcolor="${leafColours[node.primitive] ?? "#ffffff"}"];`;
    const path = node.origin?.path ?? "";
    groups.set(path, [...(groups.get(path) ?? []), line]);
  });
  let cluster = 0;
  for (const [path, members] of groups) {
    lines.push(
      path === ""
        ? members.join("\n")
        : `subgraph cluster_${cluster++} { label=${quote(path)}; color="#bbbbbb"; ${members.join("\n")} }`,
    );
  }
  graph.nodes.forEach((node, index) => {
    for (const input of new Set(node.inputs)) lines.push(`n${producers.get(input)!} -> n${index};`);
  });
  graph.outputs.forEach(({ name, value }, index) => {
    lines.push(
      `o${index} [label=${quote(name)}, shape=ellipse, fillcolor="#ffe0e0"];`,
      `n${producers.get(value)!} -> o${index};`,
    );
  });
  return picture(lines, format, "Graph");
}

/** Kernels in order, with the buffers that pass between them. */
export async function drawKernels(list: KernelList, format: "svg" | "html"): Promise<string> {
  const lines: string[] = [];
  const writers = new Map<number, number>();
  list.kernels.forEach((kernel, index) => {
    lines.push(
      `k${index} [label=${quote(`${index} ${kernel.archetype}\n${kernel.label}\n${kernel.origins[0]?.path ?? ""}`)}];`,
    );
    const reads = new Set(readsOf(kernel).map(({ buffer }) => buffer));
    const writes = new Set(writesOf(kernel).map(({ buffer }) => buffer));
    for (const buffer of reads)
      if (writers.has(buffer))
        lines.push(`k${writers.get(buffer)!} -> k${index} [label="${list.buffers[buffer]!.elements}"];`);
    for (const buffer of writes) writers.set(buffer, index);
  });
  return picture(lines, format, "Kernels");
}

async function picture(lines: readonly string[], format: "svg" | "html", title: string): Promise<string> {
  const dot = `digraph { rankdir=TB; node [shape=box, style=filled, fillcolor=white, fontname="sans-serif", fontsize=10]; edge [fontsize=8];\n${lines.join("\n")}\n}`;
  const viz = await instance();
  const svg = viz.renderString(dot, { format: "svg" });
  if (format === "svg") return svg;
  return `<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>${escapeText(title)}</title></head><body>${svg.slice(svg.indexOf("<svg"))}</body></html>\n`;
}

function quote(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
}
