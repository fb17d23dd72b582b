/** Random draws: pure functions of the seed, the step, the row of the instance and a key. */
import { elementCount, type Shape } from "../graph/shape.js";
import { requireInputs, requireSizes } from "./checks.js";
import { reshape } from "./operations.js";
import { drawInto } from "./philox.js";
import { type Primitive, ShapeError } from "./primitive.js";

export const random: Primitive<"random"> = {
  name: "random",
  arity: 3,
  shape(inputs, { shape }) {
    requireInputs("random", inputs, 3);
    requireSizes("random", shape);
    const [seed, step, row] = [inputs[0]!, inputs[1]!, inputs[2]!];
    const scalars = seed.dtype === "u32" && step.dtype === "u32" && seed.shape.length + step.shape.length === 0;
    if (!scalars || row.dtype !== "i32" || row.shape.length > 1) {
      throw new ShapeError(
        "random takes a seed and a step (u32 []) and a row (i32 [] or [instances])",
        inputs.map((input) => input.shape),
      );
    }
    return [{ dtype: "f32", shape: [...row.shape, ...shape] }];
  },
  batch(builder, attributes, inputs, batched, size) {
    const [seed, step, row] = [inputs[0]!, inputs[1]!, inputs[2]!];
    if (batched[0] || batched[1])
      throw new ShapeError("the seed and the step of a draw are the same for all instances");
    const rows = builder.shape(row);
    if (rows.length === 1) return [builder.add("random", [seed, step, row], attributes)];
    // Rows that were batched before are joined with the new instances and cut again afterwards.
    const joined: Shape = [elementCount(rows)];
    const drawn = builder.add("random", [seed, step, reshape(builder, row, joined)], attributes);
    return [reshape(builder, drawn, [size, ...rows.slice(1), ...attributes.shape])];
  },
  gradient: () => [undefined, undefined, undefined],
  evaluate([seed, step, row], { distribution, key, shape }, [type]) {
    const result = new Float64Array(elementCount(type!.shape));
    const count = elementCount(shape);
    row!.data.forEach((index, instance) => {
      const stream = { seed: seed!.data[0]!, step: step!.data[0]!, row: index, key };
      drawInto(distribution, stream, result, instance * count, count);
    });
    return [result];
  },
};
