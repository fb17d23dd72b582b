import { GraphBuilder } from "../graph/builder.js";
import { isFloat } from "../graph/dtype.js";
import type { Graph, NamedValue } from "../graph/graph.js";
import type { ValueId } from "../graph/node.js";
import { copyInto, withoutDeadNodes } from "../graph/rewrite.js";
import { constantLike } from "../primitives/operations.js";
import { pullBack, type Seed } from "./differentiate/pull-back.js";
import { leafValues } from "./leaves.js";

export interface DifferentiatedOutput {
  readonly name: string;
  /** "one": ones of the output's shape (for a scalar, the gradient itself). Otherwise the name of an input of the output's type; it is added when absent. */
  readonly cotangent: string;
}

export interface DifferentiateOptions {
  readonly outputs: readonly DifferentiatedOutput[];
  /** Parameter paths, input names or range names. */
  readonly withRespectTo: readonly string[];
}

/** Name of the output that holds the gradient of a leaf. */
export const gradientName = (leaf: string): string => `gradient:${leaf}`;

/**
 * The graph with an output `gradient:NAME` for every requested leaf: the cotangent of that leaf, summed over the named outputs (zeros where
 * the leaf does not matter). The old outputs stay. Throws an Error for a name that is not in the graph or a leaf that is not a float.
 */
export function differentiate(graph: Graph, options: DifferentiateOptions): Graph {
  const builder = new GraphBuilder();
  // A leaf that does not matter is kept for its type.
  const kept = [...leafValues(graph)].map(([name, value]) => ({ name, value }));
  const roots = { outputs: [...graph.outputs, ...kept], updates: graph.updates };
  const values = copyInto(builder, graph, () => undefined, roots);
  const leaves = leafValues(builder);
  const targets = options.withRespectTo.map((name) => {
    const value = leaves.get(name);
    if (value === undefined) throw new Error(`the graph has no leaf named "${name}" to differentiate with respect to`);
    if (!isFloat(builder.type(value).dtype)) throw new Error(`"${name}" is not a float, so it has no gradient`);
    return value;
  });
  const seeds = options.outputs.map((output) => seed(builder, leaves, findOutput(graph, output.name, values), output));

  const cotangents = pullBack(builder, seeds, targets);
  for (const { name, value } of graph.outputs) builder.output(name, values[value]!);
  for (const { name, value } of graph.updates) builder.update(name, values[value]!);
  options.withRespectTo.forEach((name, index) => {
    const gradient = cotangents[index] ?? constantLike(builder, 0, targets[index]!);
    builder.output(gradientName(name), gradient);
  });
  return withoutDeadNodes(builder.finish());
}

function findOutput(graph: Graph, name: string, values: readonly (ValueId | undefined)[]): ValueId {
  const output: NamedValue | undefined = graph.outputs.find((candidate) => candidate.name === name);
  if (!output) throw new Error(`the graph has no output named "${name}" to differentiate`);
  return values[output.value]!;
}

function seed(
  builder: GraphBuilder,
  leaves: ReadonlyMap<string, ValueId>,
  value: ValueId,
  { cotangent: name }: DifferentiatedOutput,
): Seed {
  if (name === "one") return { value, cotangent: constantLike(builder, 1, value) };
  const { dtype, shape } = builder.type(value);
  const known = leaves.get(name);
  return { value, cotangent: known ?? builder.add("input", [], { name, dtype, shape, perInstance: false }) };
}
