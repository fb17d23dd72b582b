/** The one sort: an order of places, by which `gather` sorts anything. */
import { elementCount, formatShape } from "../graph/shape.js";
import { requireDtype, requireInputs } from "./checks.js";
import { type Primitive, ShapeError } from "./primitive.js";

/** Ascending; NaN comes after all numbers. */
function compare(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  return a < b ? -1 : a > b ? 1 : 0;
}

export const argsort: Primitive<"argsort"> = {
  name: "argsort",
  arity: 1,
  shape(inputs) {
    requireInputs("argsort", inputs, 1);
    const [keys] = inputs as readonly [(typeof inputs)[number]];
    requireDtype("argsort", keys, ["f32", "f16", "bf16", "f64", "i32"]);
    if (keys.shape.length === 0) throw new ShapeError(`argsort of ${formatShape(keys.shape)}, which has no axis`, [[]]);
    return [{ dtype: "i32", shape: keys.shape }];
  },
  batch: (builder, attributes, inputs) => [builder.add("argsort", inputs, attributes)],
  gradient: () => [undefined],
  evaluate([keys], _attributes, [type]) {
    const result = new Float64Array(elementCount(type!.shape));
    const length = type!.shape.at(-1)!;
    for (let start = 0; start < result.length; start += length) {
      const row = keys!.data.subarray(start, start + length);
      result.set(
        [...row.keys()].sort((a, b) => compare(row[a]!, row[b]!)),
        start,
      );
    }
    return [result];
  },
};
