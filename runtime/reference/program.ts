import type { Program, TensorPlace } from "../../codegen/program.js";
import { bytesPerElement } from "../../src/graph/dtype.js";
import type { Graph } from "../../src/graph/graph.js";
import type { NodeOf, Origin } from "../../src/graph/node.js";
import { elementCount, formatShape, sameShape, type TensorType } from "../../src/graph/shape.js";
import { parseGraph } from "../../src/graph/text.js";
import { verify } from "../../src/graph/verify.js";
import type { ParameterPlace } from "../../src/kernels/layout.js";
import type { StoredSegment } from "./parameters.js";

/** A stretch of a stored segment; offset in bytes. */
export interface StoredPlace {
  readonly segment: StoredSegment;
  readonly offset: number;
  readonly type: TensorType;
}

/** One graph of a program, and where what it stores goes. */
export interface LoadedGraph {
  readonly graph: Graph;
  /** Places of the updates and of gradients that go to their segment, by output or update name. */
  readonly stored: readonly {
    readonly from: "outputs" | "updates";
    readonly name: string;
    readonly place: StoredPlace;
  }[];
}

export interface LoadedProgram {
  readonly program: Program;
  readonly graphs: readonly LoadedGraph[];
  readonly inputs: ReadonlyMap<string, TensorPlace>;
  readonly outputs: ReadonlyMap<string, TensorPlace>;
  readonly parameters: ReadonlyMap<string, ParameterPlace>;
}

const gradientPrefix = "gradient:";

/** Reads and checks a program's graphs. Throws an Error that says what is wrong with it. */
export function loadProgram(program: Program): LoadedProgram {
  if (program.formatVersion !== 1) throw new Error(`Programs of format ${program.formatVersion} are not known here`);
  if (program.graphs.length === 0) throw new Error("The program carries no graph to interpret");
  const inputs = new Map(program.inputs.map((place) => [place.name, place]));
  const outputs = new Map(program.outputs.map((place) => [place.name, place]));
  const parameters = new Map(program.parameters.places.map((place) => [place.path, place]));
  const graphs = program.graphs.map((text, position) => {
    const graph = parseGraph(text);
    verify(graph);
    const loaded = { program, inputs, outputs, parameters };
    requireLeaves(graph, loaded);
    return { graph, stored: storedPlaces(graph, loaded, position < program.graphs.length - 1) };
  });
  for (const { name, dtype, shape } of program.outputs) {
    const type = typeOfOutput(graphs, name);
    if (!type) throw new Error(`No graph of the program yields its output ${JSON.stringify(name)}`);
    requireType(`Output ${JSON.stringify(name)}`, { dtype, shape }, type);
  }
  return { program, graphs, inputs, outputs, parameters };
}

type Known = Pick<LoadedProgram, "program" | "inputs" | "outputs" | "parameters">;

const show = ({ dtype, shape }: TensorType): string => `${dtype}${formatShape(shape)}`;

function requireType(what: string, known: TensorType, used: TensorType): void {
  if (known.dtype === used.dtype && sameShape(known.shape, used.shape)) return;
  throw new Error(`${what} is ${show(known)} in the program and ${show(used)} in its graph`);
}

function typeOfOutput(graphs: readonly LoadedGraph[], name: string): TensorType | undefined {
  for (const { graph } of graphs) {
    const found = graph.outputs.find((output) => output.name === name);
    if (found) return graph.types[found.value];
  }
  return undefined;
}

/** Every leaf of the graph has a place that agrees with it. */
function requireLeaves(graph: Graph, { program, inputs, parameters }: Known): void {
  for (const node of graph.nodes) {
    switch (node.primitive) {
      case "input": {
        const place = inputs.get(node.attributes.name);
        if (!place) throw new Error(`The program has no input ${JSON.stringify(node.attributes.name)}`);
        requireType(`Input ${JSON.stringify(place.name)}`, place, node.attributes);
        break;
      }
      case "parameter": {
        const place = parameters.get(node.attributes.path);
        if (!place) throw new Error(`The program has no parameter ${JSON.stringify(node.attributes.path)}`);
        requireType(`Parameter ${JSON.stringify(place.path)}`, place, node.attributes);
        break;
      }
      case "range": {
        const { segment, offset, type } = rangePlace(node);
        const end = offset + elementCount(type.shape) * bytesPerElement[type.dtype];
        const bytes = segment === "optimizer" ? program.segments.optimizer : program.parameters.bytes;
        if (offset < 0 || end > bytes) {
          throw new Error(
            `Range ${JSON.stringify(node.attributes.name)} ends at ${end} of ${bytes} bytes of ${segment}`,
          );
        }
        break;
      }
      default:
        break;
    }
  }
}

/** Where a range stands. */
export function rangePlace({ attributes }: NodeOf<"range">): StoredPlace {
  const { segment, offset, dtype, shape } = attributes;
  return { segment, offset: offset * bytesPerElement[dtype], type: { dtype, shape } };
}

/** Gradients go to their segment when an optimiser follows, and when the program does not hand them out. */
function storedPlaces(graph: Graph, { outputs, parameters }: Known, optimizerFollows: boolean): LoadedGraph["stored"] {
  const ranges = new Map<string, StoredPlace>();
  for (const node of graph.nodes) {
    if (node.primitive === "range") ranges.set(node.attributes.name, rangePlace(node));
  }
  const updates = graph.updates.map(({ name, value }) => {
    const parameter = parameters.get(name);
    const place: StoredPlace | undefined =
      ranges.get(name) ?? (parameter && { segment: "parameters", offset: parameter.offset, type: parameter });
    if (!place) throw new Error(`The graph updates ${JSON.stringify(name)}, which is neither a parameter nor a range`);
    requireType(`Update ${JSON.stringify(name)}`, place.type, graph.types[value]!);
    return { from: "updates" as const, name, place };
  });
  const gradients = graph.outputs.flatMap(({ name, value }) => {
    if (!name.startsWith(gradientPrefix) || (!optimizerFollows && outputs.has(name))) return [];
    const parameter = parameters.get(name.slice(gradientPrefix.length));
    if (!parameter) return [];
    requireType(`Output ${JSON.stringify(name)}`, parameter, graph.types[value]!);
    const place: StoredPlace = { segment: "gradients", offset: parameter.offset, type: parameter };
    return [{ from: "outputs" as const, name, place }];
  });
  return [...updates, ...gradients];
}

/** What a profile or an error calls a node: what it computes, and the line of Weft. */
export function nodeLabel(node: { readonly primitive: string; readonly origin?: Origin }): string {
  const { path, span } = node.origin ?? { path: "" };
  const place = span ? ` (${span.file}:${span.start}-${span.end})` : "";
  return `${node.primitive}${path === "" ? "" : ` of ${path}`}${place}`;
}
