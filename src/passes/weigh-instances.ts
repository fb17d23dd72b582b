import { GraphBuilder } from "../graph/builder.js";
import type { Graph } from "../graph/graph.js";
import { copyInto, withoutDeadNodes } from "../graph/rewrite.js";
import { divide, multiply, reduceSum } from "../primitives/operations.js";

/** Name of the input with one weight per instance; rows that only pad a batch weigh 0. */
export const instanceWeightName = "instance_weight";

/**
 * The graph of a batch whose output `name` is one number per instance (f32 [b]), with that output replaced by the weighted mean
 * sum(loss * weight) / sum(weight), f32 []; `weight` is a new input `instance_weight` (f32 [b]). Other outputs stay. The weights may not all be zero.
 * Throws an Error when the output is missing or is not a float of shape [b].
 */
export function weighInstances(graph: Graph, name: string): Graph {
  const output = graph.outputs.find((candidate) => candidate.name === name);
  if (!output) throw new Error(`the graph has no output named "${name}" to average over instances`);
  const { dtype, shape } = graph.types[output.value]!;
  if (dtype !== "f32" || shape.length !== 1) {
    throw new Error(`"${name}" is not one number per instance, but ${dtype}[${shape.join(", ")}]`);
  }

  const builder = new GraphBuilder();
  const values = copyInto(builder, graph);
  const weight = builder.add("input", [], { name: instanceWeightName, dtype, shape, perInstance: false });
  const total = reduceSum(builder, multiply(builder, values[output.value]!, weight), [0]);
  const mean = divide(builder, total, reduceSum(builder, weight, [0]));
  for (const each of graph.outputs) builder.output(each.name, each === output ? mean : values[each.value]!);
  for (const each of graph.updates) builder.update(each.name, values[each.value]!);
  return withoutDeadNodes(builder.finish());
}
