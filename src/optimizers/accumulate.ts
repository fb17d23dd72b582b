import { GraphBuilder } from "../graph/builder.js";
import { bytesPerElement } from "../graph/dtype.js";
import type { Graph } from "../graph/graph.js";
import type { ValueId } from "../graph/node.js";
import { copyInto, withoutDeadNodes } from "../graph/rewrite.js";
import type { ParameterLayout, ParameterPlace } from "../kernels/layout.js";
import { gradientName } from "../passes/differentiate.js";
import { add, constant, equal, scale, select } from "../primitives/operations.js";

/** Name of the input (i32 []) that says which micro-batch of the step is computed, from 0. */
export const microBatchName = "micro_batch";

/**
 * A training graph whose gradients are the mean over `count` submissions: every output `gradient:PATH` becomes an update of a `range` leaf of that
 * name on the `gradients` segment, at the parameter's place and of its shape: new / count in micro-batch 0 (whatever memory held), else
 * old + new / count. Gradients of leaves that have no place (inputs) stay outputs. With a count of 1 the graph stays as it is.
 */
export function accumulateGradients(graph: Graph, layout: ParameterLayout, count: number): Graph {
  if (count === 1) return graph;
  const placeOf = new Map(layout.places.map((place) => [gradientName(place.path), place]));
  const builder = new GraphBuilder();
  const values = copyInto(builder, graph);
  const microBatch = builder.add("input", [], { name: microBatchName, dtype: "i32", shape: [], perInstance: false });
  const first = equal(builder, microBatch, constant(builder, 0, [], "i32"));
  for (const { name, value } of graph.updates) builder.update(name, values[value]!);
  for (const { name, value } of graph.outputs) {
    const place = placeOf.get(name);
    if (!place) builder.output(name, values[value]!);
    else builder.update(name, accumulate(builder, place, first, scale(builder, values[value]!, 1 / count)));
  }
  return withoutDeadNodes(builder.finish());
}

function accumulate(builder: GraphBuilder, place: ParameterPlace, first: ValueId, fresh: ValueId): ValueId {
  const { path, dtype, shape, offset } = place;
  const previous = builder.add("range", [], {
    name: gradientName(path),
    segment: "gradients",
    offset: offset / bytesPerElement[dtype],
    dtype,
    shape,
  });
  return add(builder, select(builder, first, constant(builder, 0, [], dtype), previous), fresh);
}
