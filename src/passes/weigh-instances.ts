import { GraphBuilder } from "../graph/builder.js";
import type { Graph } from "../graph/graph.js";
import { copyInto, withoutDeadNodes } from "../graph/rewrite.js";
import { formatShape } from "../graph/shape.js";
import { divide, multiply, reduceSum } from "../primitives/operations.js";

/** Name of the input with one weight per instance; rows that only pad a batch weigh 0. */
export const instanceWeightName = "instance_weight";

/** Name of the output that holds the mean. */
export const lossName = "loss";

/**
 * The graph of a batch whose output `name` is one number per instance (f32 [b]), with an output `loss` (f32 []) in its place, the weighted mean
 * sum(value * weight) / sum(weight); `weight` is a new input `instance_weight` (f32 [b]). Other outputs stay. The weights may not all be zero.
 * Throws an Error when the output is missing or is not f32 [b].
 */
export function weighInstances(graph: Graph, name = "output"): Graph {
  const output = graph.outputs.find((candidate) => candidate.name === name);
  if (!output) throw new Error(`the graph has no output named "${name}" to average over instances`);
  const { dtype, shape } = graph.types[output.value]!;
  if (dtype !== "f32" || shape.length !== 1) {
    throw new Error(`"${name}" is not one number per instance, but ${dtype}${formatShape(shape)}`);
  }

  const builder = new GraphBuilder();
  const values = copyInto(builder, graph);
  const weight = builder.add("input", [], { name: instanceWeightName, dtype, shape, perInstance: false });
  const total = reduceSum(builder, multiply(builder, values[output.value]!, weight), [0]);
  const mean = divide(builder, total, reduceSum(builder, weight, [0]));
  for (const each of graph.outputs) {
    if (each === output) builder.output(lossName, mean);
    else builder.output(each.name, values[each.value]!);
  }
  for (const each of graph.updates) builder.update(each.name, values[each.value]!);
  return withoutDeadNodes(builder.finish());
}
