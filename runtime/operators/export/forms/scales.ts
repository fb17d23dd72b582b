/** Factors and offsets. */
import { sameShape } from "../../../../src/graph/shape.js";
import * as matrices from "../matrices.js";
import {
  factorCodes,
  inOf,
  isMatrix,
  mapped,
  matrixOf,
  noScale,
  numbersOf,
  outOf,
  type PeftForm,
  plain,
  reshaped,
} from "./form.js";

export const ia3s: readonly PeftForm[] = factorCodes.flatMap(({ variant, of, back }) =>
  (["outputs", "inputs"] as const).map((side): PeftForm => {
    const size = side === "outputs" ? outOf : inOf;
    return {
      ...plain,
      type: "IA3",
      variant: `${variant} of ${side}`,
      means: side === "outputs" ? "l (W x + b)" : "W (l x) + b",
      slots: ["l"],
      fits: (shape, weight) => isMatrix(weight) && sameShape(shape("l"), [size(weight)]),
      encode: (roles) => {
        const l = roles("l");
        const shape = side === "outputs" ? [l.data.length, 1] : [1, l.data.length];
        return { ia3_l: mapped(reshaped(l, shape), of) };
      },
      decode: (tensors) => {
        const l = tensors("ia3_l");
        return { l: mapped(reshaped(l, [l.data.length]), back) };
      },
      change: (tensors, { weight, bias }) => {
        const { data } = tensors("ia3_l");
        if (side === "inputs") return { weight: numbersOf(matrices.scaleColumns(matrixOf(weight), data)), bias };
        const scaled = bias.map((number, row) => number * data[row]!);
        return { weight: numbersOf(matrices.scaleRows(matrixOf(weight), data)), bias: scaled };
      },
      scale: noScale,
      settings: () => ({ feedforward: side === "inputs" }),
      constants: { fan_in_fan_out: false },
      neutral: { init_ia3_weights: true },
      lists: { feedforward: "feedforward_modules" },
    };
  }),
);

export const beft: PeftForm = {
  ...plain,
  type: "BEFT",
  means: "b + offset",
  slots: ["offset"],
  fits: (shape, weight) => isMatrix(weight) && sameShape(shape("offset"), [outOf(weight)]),
  encode: (roles) => ({ beft_bias: reshaped(roles("offset"), [1, roles("offset").data.length]) }),
  decode: (tensors) => {
    const bias = tensors("beft_bias");
    return { offset: reshaped(bias, [bias.data.length]) };
  },
  change: (tensors, { weight, bias }, scale) => ({
    weight,
    bias: bias.map((number, row) => number + scale * tensors("beft_bias").data[row]!),
  }),
  scale: { kind: "tensor", key: "beft_bias" },
  settings: () => ({}),
  neutral: { init_weights: true },
};
