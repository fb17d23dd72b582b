/** Gives products by group the order of their rows: what their kernels go by instead of the index. */
import type { GraphBuilder } from "../graph/builder.js";
import type { Graph } from "../graph/graph.js";
import type { Node, ValueId } from "../graph/node.js";
import { rewrite } from "../graph/rewrite.js";
import { elementCount } from "../graph/shape.js";
import * as operations from "../primitives/operations.js";

/**
 * Every grouped product with two more operands: its rows sorted by group, and where each group starts. Products that share an index share both.
 * The number of rows in a group is never known outside the device. O(n).
 */
export function orderRows(graph: Graph): Graph {
  if (!graph.nodes.some((node) => groupCount(node, graph) !== undefined)) return graph;
  return rewrite(graph, (node, inputs, builder) => {
    const groups = groupCount(node, graph);
    if (groups === undefined || inputs.length > 3) return undefined;
    const [order, offsets] = orderOf(builder, inputs[2]!, groups);
    return builder.addAll(node.primitive, [...inputs, order, offsets], node.attributes);
  });
}

function groupCount(node: Node, graph: Graph): number | undefined {
  switch (node.primitive) {
    case "grouped_contraction":
      return elementCount(graph.types[node.inputs[1]!]!.shape.slice(0, node.attributes.groups));
    case "grouped_sum":
      return elementCount(node.attributes.groups);
    default:
      return undefined;
  }
}

/** The rows group after group, each group's in the order they stand, and for each group the number of rows before it. */
function orderOf(builder: GraphBuilder, index: ValueId, groups: number): [order: ValueId, offsets: ValueId] {
  const number = (value: number) => operations.constantLike(builder, value, index);
  const clamped = operations.minimum(builder, operations.maximum(builder, index, number(0)), number(groups - 1));
  const table = [groups + 1, ...builder.shape(index)];
  const before = operations.less(
    builder,
    operations.broadcastTo(builder, clamped, table),
    operations.iota(builder, table, 0),
  );
  const offsets = operations.reduceSum(builder, operations.cast(builder, before, "i32"), [1]);
  return [operations.argsort(builder, clamped), offsets];
}
