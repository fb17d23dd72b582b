/** Elementwise primitives with rules of their own: `cast`, `select` and `stop_gradient`. */
import { type Dtype, isFloat } from "../graph/dtype.js";
import { requireDtype, requireInputs, requireOneDtype, requireOneShape } from "./checks.js";
import { broadcastLeading, cast, select, zerosLike } from "./operations.js";
import type { Primitive } from "./primitive.js";

const saturate = (x: number, low: number, high: number): number =>
  Number.isNaN(x) ? 0 : Math.min(Math.max(Math.trunc(x), low), high);

/**
 * One element's conversion. Between floats nothing is rounded (the interpreter is exact); floats to integers drop the fraction and
 * saturate (NaN: 0); integers to integers keep their 32 bits; anything but 0 is true.
 */
function convert(from: Dtype, to: Dtype): (x: number) => number {
  switch (to) {
    case "f32":
    case "f16":
    case "bf16":
    case "f64":
      return (x) => x;
    case "i32":
      return isFloat(from) ? (x) => saturate(x, -(2 ** 31), 2 ** 31 - 1) : (x) => x | 0;
    case "u32":
      return isFloat(from) ? (x) => saturate(x, 0, 2 ** 32 - 1) : (x) => x >>> 0;
    case "bool":
      return (x) => (x === 0 ? 0 : 1);
  }
}

const castEntry: Primitive<"cast"> = {
  name: "cast",
  arity: 1,
  shape(inputs, { dtype }) {
    requireInputs("cast", inputs, 1);
    return [{ dtype, shape: inputs[0]!.shape }];
  },
  batch: (builder, attributes, inputs) => [builder.add("cast", inputs, attributes)],
  gradient({ builder, node }, [cotangent]) {
    const from = builder.type(node.inputs[0]!).dtype;
    return [isFloat(from) && isFloat(node.attributes.dtype) ? cast(builder, cotangent!, from) : undefined];
  },
  evaluate: ([x], { dtype }) => [x!.data.map(convert(x!.type.dtype, dtype))],
};

const selectEntry: Primitive<"select"> = {
  name: "select",
  arity: 3,
  shape(inputs) {
    requireInputs("select", inputs, 3);
    requireDtype("the condition of select", inputs[0]!, ["bool"]);
    requireOneDtype("select", inputs.slice(1));
    requireOneShape("select", inputs);
    return [inputs[1]!];
  },
  batch(builder, attributes, inputs, batched, size) {
    const operands = inputs.map((input, place) => (batched[place] ? input : broadcastLeading(builder, input, size)));
    return [builder.add("select", operands, attributes)];
  },
  gradient({ builder, node, needed }, [cotangent]) {
    const condition = node.inputs[0]!;
    const zeros = zerosLike(builder, cotangent!);
    return [
      undefined,
      needed[1] ? select(builder, condition, cotangent!, zeros) : undefined,
      needed[2] ? select(builder, condition, zeros, cotangent!) : undefined,
    ];
  },
  evaluate: ([condition, then, otherwise]) => [
    condition!.data.map((holds, index) => (holds === 0 ? otherwise!.data[index]! : then!.data[index]!)),
  ],
};

const stopGradientEntry: Primitive<"stop_gradient"> = {
  name: "stop_gradient",
  arity: 1,
  shape(inputs) {
    requireInputs("stop_gradient", inputs, 1);
    return [inputs[0]!];
  },
  batch: (builder, attributes, inputs) => [builder.add("stop_gradient", inputs, attributes)],
  gradient: () => [undefined],
  evaluate: ([x]) => [x!.data],
};

export const conversions = { cast: castEntry, select: selectEntry, stop_gradient: stopGradientEntry };
