import { environmentOf } from "../../runtime/reference/environment.js";
import { evaluate } from "../../runtime/reference/interpreter.js";
import { GraphBuilder } from "../../src/graph/builder.js";
import type { ValueId } from "../../src/graph/node.js";
import type { TensorType } from "../../src/graph/shape.js";
import { verify } from "../../src/graph/verify.js";

/** A graph over inputs x0, x1, ... of the given types, built by `build`, whose results are outputs in order. */
export function graphOf(
  types: readonly TensorType[],
  build: (builder: GraphBuilder, inputs: readonly ValueId[]) => readonly (ValueId | undefined)[],
) {
  const builder = new GraphBuilder();
  const inputs = types.map(({ dtype, shape }, place) =>
    builder.add("input", [], { name: `x${place}`, dtype, shape, perInstance: false }),
  );
  const results = build(builder, inputs);
  results.forEach((value, place) => {
    if (value !== undefined) builder.output(`y${place}`, value);
  });
  const graph = builder.finish();
  verify(graph);
  return {
    graph,
    /** Outputs in order; undefined where the builder gave none. */
    run(data: readonly Float64Array[]): (Float64Array | undefined)[] {
      const values = evaluate(graph, environmentOf({ inputs: new Map(data.map((x, place) => [`x${place}`, x])) }));
      return results.map((_, place) => values.get(`y${place}`)?.data);
    },
    types: results.map((value) => (value === undefined ? undefined : builder.type(value))),
  };
}
