import type { CommandModule } from "yargs";
import { type DeviceKind, deviceKinds, targetOf } from "../../api/devices.js";
import { withSources } from "../../api/load.js";
import { lower, type PassName, type Purpose } from "../../compile.js";
import type { Graph } from "../../graph/graph.js";
import { printGraph } from "../../graph/text.js";
import { printKernels } from "../../kernels/print.js";
import type { KernelList } from "../../kernels/record.js";
import { nodeHost } from "../host.js";
import { compileNamed, type ModelFlags, requireEntryPoint, wholeNumber, withModelFlags } from "../model-flags.js";

interface Options extends ModelFlags {
  fn: string;
  after: PassName | "fused";
  format: "text" | "svg" | "html";
  batch: number;
  gradients: boolean;
  device: DeviceKind;
  out: string | undefined;
}

export const graphCommand: CommandModule<object, Options> = {
  command: "graph <file> <fn>",
  describe: "Show the dataflow graph of an entry point after a pass",
  builder: (parser) =>
    withModelFlags(parser)
      .positional("fn", { type: "string", demandOption: true, describe: "Name of an entry point" })
      .option("after", {
        choices: ["traced", "batched", "differentiated", "optimised", "fused"] as const,
        default: "traced" as const,
        describe: "The pass whose result is shown",
      })
      .option("format", {
        choices: ["text", "svg", "html"] as const,
        default: "text" as const,
        describe: "How it is shown",
      })
      .option("batch", {
        type: "number",
        default: 2,
        requiresArg: true,
        describe: "Instances",
        coerce: wholeNumber("batch", 1),
      })
      .option("gradients", {
        type: "boolean",
        default: false,
        describe: "With the gradients of all trained tensors (always so after differentiated)",
      })
      .option("device", {
        choices: deviceKinds,
        default: "cpu" as const,
        requiresArg: true,
        describe: "Whose kernels are shown after fused; it need not be there",
      })
      .option("out", { type: "string", requiresArg: true, describe: "Write to this file instead of stdout" }) as never,
  async handler(options) {
    const { fn, after, format, batch, gradients, device, out } = options;
    const { model, sources } = await compileNamed(options);
    requireEntryPoint(model, fn);
    const graphs = new Map<string, Graph>();
    const purpose: Purpose =
      gradients || after === "differentiated"
        ? { kind: "gradients", withRespectTo: trainedLeaves(model.entryPoint(fn).graph) }
        : { kind: "forward" };
    const lowered = withSources(sources, () =>
      lower(model, fn, {
        purpose,
        batch,
        target: targetOf(device),
        observe: (pass, graph) => void graphs.set(pass, graph),
      }),
    );
    const text = await shown(after === "fused" ? lowered.lists[0]! : graphs.get(after)!, format);
    if (out === undefined) process.stdout.write(text.endsWith("\n") ? text : `${text}\n`);
    else await nodeHost().writeBytes(out, new TextEncoder().encode(text));
  },
};

async function shown(what: Graph | KernelList, format: Options["format"]): Promise<string> {
  if (format === "text") return "kernels" in what ? printKernels(what) : printGraph(what);
  // Graphviz takes a while to load; only pictures wait for it.
  const { drawGraph, drawKernels } = await import("../graph-picture.js");
  return "kernels" in what ? drawKernels(what, format) : drawGraph(what, format);
}

function trainedLeaves(graph: Graph): string[] {
  return graph.nodes.flatMap((node) =>
    node.primitive === "parameter" && node.attributes.dtype === "f32" ? [node.attributes.path] : [],
  );
}
