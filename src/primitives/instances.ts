/** What sees more than one instance. The batch pass gives it its meaning; the graph of one instance takes all others to be like it. */
import { formatShape } from "../graph/shape.js";
import { requireInputs } from "./checks.js";
import * as operations from "./operations.js";
import { type Primitive, ShapeError } from "./primitive.js";

const gatherInstances: Primitive<"gather_instances"> = {
  name: "gather_instances",
  arity: 1,
  shape(inputs, { size }) {
    requireInputs("gather_instances", inputs, 1);
    const { dtype, shape } = inputs[0]!;
    if (!Number.isInteger(size) || size < 1) {
      throw new ShapeError(`gather_instances of ${size} instances of ${formatShape(shape)}`, [shape]);
    }
    return [{ dtype, shape: [size, ...shape] }];
  },
  batch() {
    throw new Error("gather_instances has no batched form: it is what all instances have in common");
  },
  gradient: ({ builder }, [cotangent]) => [operations.reduceSum(builder, cotangent!, [0])],
  evaluate([x], { size }) {
    const result = new Float64Array(size * x!.data.length);
    for (let instance = 0; instance < size; instance++) result.set(x!.data, instance * x!.data.length);
    return [result];
  },
};

export const instances = { gather_instances: gatherInstances };
