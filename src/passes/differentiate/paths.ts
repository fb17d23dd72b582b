import { isFloat } from "../../graph/dtype.js";
import type { Node, ValueId } from "../../graph/node.js";
import type { TensorType } from "../../graph/shape.js";
import type { PrimitiveName } from "../../primitives/names.js";

/** Nodes in topological order; a builder is one too. */
export interface Nodes {
  readonly nodes: readonly Node[];
  readonly types: readonly TensorType[];
}

/** Float primitives through which no gradient passes; whatever yields integers or booleans passes none either. */
const stops: ReadonlySet<PrimitiveName> = new Set(["stop_gradient", "floor", "sign"]);

export function stopsGradient({ types }: Nodes, node: Node): boolean {
  return stops.has(node.primitive) || !node.outputs.some((output) => isFloat(types[output]!.dtype));
}

/** 1 for every value through which a change of a target passes. O(n). */
export function dependants(graph: Nodes, targets: readonly ValueId[]): Uint8Array {
  const depends = new Uint8Array(graph.types.length);
  for (const target of targets) depends[target] = 1;
  for (const node of graph.nodes) {
    if (!node.inputs.some((input) => depends[input] === 1) || stopsGradient(graph, node)) continue;
    for (const output of node.outputs) if (isFloat(graph.types[output]!.dtype)) depends[output] = 1;
  }
  return depends;
}

/** For every value 1 + the place in `ends` of one to which its change passes, 0 where there is none. O(n). */
export function influences(graph: Nodes, ends: readonly ValueId[]): Int32Array {
  const influence = new Int32Array(graph.types.length);
  ends.forEach((end, place) => {
    if (isFloat(graph.types[end]!.dtype)) influence[end] = place + 1;
  });
  for (let place = graph.nodes.length - 1; place >= 0; place--) {
    const node = graph.nodes[place]!;
    const output = node.outputs.find((candidate) => influence[candidate] !== 0);
    if (output === undefined || stopsGradient(graph, node)) continue;
    for (const input of node.inputs) if (isFloat(graph.types[input]!.dtype)) influence[input] = influence[output]!;
  }
  return influence;
}
