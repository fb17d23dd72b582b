/** Accumulators of reductions in WGSL. */
import type { ScalarProgram } from "../../src/kernels/scalar.js";
import { valueType, wgslDialect } from "../scalar/dialect.js";
import type { Reduce } from "../schedules/reduction-walks.js";

/** Type of the number folded (for argmax: of what is compared); truth values are folded as 0 and 1. */
export function foldedType(body: ScalarProgram, reduce: Reduce): "f32" | "i32" | "u32" {
  const type = valueType(body[reduce.operand]!.dtype);
  return type === "bool" ? "i32" : type;
}

/** An operand's value as it is folded. */
export const operandOf = (body: ScalarProgram, reduce: Reduce, value: string): string =>
  valueType(body[reduce.operand]!.dtype) === "bool" ? `select(0, 1, ${value})` : value;

/** What was folded as the value of the reduction. */
export const resultOf = (reduce: Reduce, total: string): string => (reduce.dtype === "bool" ? `${total} != 0` : total);

/** The number that changes nothing. Infinities have no literal. */
export function identity(body: ScalarProgram, reduce: Reduce): string {
  const type = foldedType(body, reduce);
  switch (reduce.reduction) {
    case "sum":
      return wgslDialect.literal(0, type);
    case "maximum":
    case "argmax":
      if (type === "f32") return "weft_from_bits(0xff800000u)";
      return wgslDialect.literal(type === "u32" ? 0 : -(2 ** 31), type);
    case "minimum":
      if (type === "f32") return "weft_from_bits(0x7f800000u)";
      return wgslDialect.literal(type === "u32" ? 2 ** 32 - 1 : 2 ** 31 - 1, type);
  }
}

/** `total` with `value` folded in. */
export function folded(body: ScalarProgram, reduce: Reduce, total: string, value: string): string {
  const isFloat = foldedType(body, reduce) === "f32";
  switch (reduce.reduction) {
    case "sum":
      return `${total} + ${value}`;
    case "maximum":
      return isFloat ? `weft_maximum(${total}, ${value})` : `max(${total}, ${value})`;
    case "minimum":
      return isFloat ? `weft_minimum(${total}, ${value})` : `min(${total}, ${value})`;
    case "argmax":
      throw new Error("an argmax folds a number and its place");
  }
}

/** Condition under which `value` takes the place of the best so far, both names: larger, or the first NaN. */
export function overtakes(body: ScalarProgram, reduce: Reduce, best: string, value: string): string {
  if (foldedType(body, reduce) !== "f32") return `${value} > ${best}`;
  return `!${wgslDialect.isNaN(best)} & (${wgslDialect.isNaN(value)} | (${value} > ${best}))`;
}
