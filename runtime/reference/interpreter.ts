import type { Graph } from "../../src/graph/graph.js";
import type { Node, ValueId } from "../../src/graph/node.js";
import type { ReferenceEnvironment, ReferenceTensor } from "../../src/primitives/primitive.js";
import { primitiveOf } from "../../src/primitives/registry.js";

/** Results of a graph by name. */
export interface ReferenceResults {
  readonly outputs: ReadonlyMap<string, ReferenceTensor>;
  readonly updates: ReadonlyMap<string, ReferenceTensor>;
}

/** Told of every node as soon as it is computed. */
export type NodeObserver = (node: Node, outputs: readonly ReferenceTensor[]) => void;

/**
 * Runs a graph in float64, node by node. This is what a graph means: every device is tested against it. A value is dropped after
 * its last use, so that memory stays near the peak of what is alive.
 */
export function interpret(graph: Graph, environment: ReferenceEnvironment, observe?: NodeObserver): ReferenceResults {
  const values = new Array<ReferenceTensor | undefined>(graph.types.length);
  const lastUse = lastUses(graph);
  for (const [place, node] of graph.nodes.entries()) {
    const outputs = evaluateNode(graph, node, values, environment);
    node.outputs.forEach((output, index) => {
      values[output] = outputs[index];
    });
    observe?.(node, outputs);
    for (const value of [...node.inputs, ...node.outputs]) {
      if (lastUse[value]! <= place) values[value] = undefined;
    }
  }
  const named = (entries: Graph["outputs"]) => new Map(entries.map(({ name, value }) => [name, values[value]!]));
  return { outputs: named(graph.outputs), updates: named(graph.updates) };
}

/**
 * Outputs and updates of a graph by name. Where one name is both an output and an update, the output is given (`interpret` keeps
 * them apart).
 */
export function evaluate(graph: Graph, environment: ReferenceEnvironment): Map<string, ReferenceTensor> {
  const { outputs, updates } = interpret(graph, environment);
  return new Map([...updates, ...outputs]);
}

function evaluateNode(
  graph: Graph,
  node: Node,
  values: readonly (ReferenceTensor | undefined)[],
  environment: ReferenceEnvironment,
): readonly ReferenceTensor[] {
  const inputs = node.inputs.map((input) => values[input]!);
  const types = node.outputs.map((output) => graph.types[output]!);
  const data = primitiveOf(node.primitive).evaluate(inputs, node.attributes, types, environment, node);
  return types.map((type, index) => ({ type, data: data[index]! }));
}

/** Place of the last node that reads each value; results are needed to the end. */
function lastUses(graph: Graph): number[] {
  const last = new Array<number>(graph.types.length).fill(-1);
  for (const [place, node] of graph.nodes.entries()) {
    for (const input of node.inputs) last[input] = place;
  }
  const results: ValueId[] = [...graph.outputs, ...graph.updates].map(({ value }) => value);
  for (const value of results) last[value] = graph.nodes.length;
  return last;
}
