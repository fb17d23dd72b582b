/** Accumulators of reductions in C. */
import type { ScalarProgram } from "../../src/kernels/scalar.js";
import { cDialect, valueType } from "../scalar/dialect.js";
import type { Reduce } from "../schedules/reduction-walks.js";

/** C type of the number folded (for argmax: of what is compared). */
export function foldedType(body: ScalarProgram, reduce: Reduce): "float" | "int32_t" | "uint32_t" {
  switch (valueType(body[reduce.operand]!.dtype)) {
    case "f32":
      return "float";
    case "u32":
      return "uint32_t";
    case "i32":
    case "bool":
      return "int32_t";
  }
}

/** The number that changes nothing. */
export function identity(body: ScalarProgram, reduce: Reduce): string {
  const type = foldedType(body, reduce);
  switch (reduce.reduction) {
    case "sum":
      return type === "float" ? "0.0f" : "0";
    case "maximum":
    case "argmax":
      return type === "float" ? "-INFINITY" : type === "uint32_t" ? "0u" : "INT32_MIN";
    case "minimum":
      return type === "float" ? "INFINITY" : type === "uint32_t" ? "UINT32_MAX" : "INT32_MAX";
  }
}

/** `accumulator` with `value` folded in. */
export function folded(body: ScalarProgram, reduce: Reduce, accumulator: string, value: string): string {
  const isFloat = foldedType(body, reduce) === "float";
  switch (reduce.reduction) {
    case "sum":
      return foldedType(body, reduce) === "int32_t"
        ? cDialect.wrapping("+", accumulator, value)
        : `${accumulator} + ${value}`;
    case "maximum":
    case "argmax":
      return isFloat
        ? `weft_maximum(${accumulator}, ${value})`
        : `${value} > ${accumulator} ? ${value} : ${accumulator}`;
    case "minimum":
      return isFloat
        ? `weft_minimum(${accumulator}, ${value})`
        : `${value} < ${accumulator} ? ${value} : ${accumulator}`;
  }
}

/** Condition under which `value` takes the place of the best so far: larger, or the first NaN. */
export function overtakes(body: ScalarProgram, reduce: Reduce, best: string, value: string): string {
  if (foldedType(body, reduce) !== "float") return `${value} > ${best}`;
  return `(${value} > ${best}) | ((${value} != ${value}) & (${best} == ${best}))`;
}

/** Name in an `omp simd reduction` clause; f32 extremes have reductions of their own (in the prelude) that keep NaN. */
export function clause(body: ScalarProgram, reduce: Reduce): string {
  const isFloat = foldedType(body, reduce) === "float";
  switch (reduce.reduction) {
    case "sum":
      return "+";
    case "maximum":
      return isFloat ? "weft_maximum" : "max";
    case "minimum":
      return isFloat ? "weft_minimum" : "min";
    case "argmax":
      throw new Error("an argmax is not folded lane by lane");
  }
}
