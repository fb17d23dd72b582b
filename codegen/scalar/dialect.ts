/** What differs between the C-like languages in which scalar programs are printed. Everything else is spelled alike. */
import type { Dtype } from "../../src/graph/dtype.js";

/** Types of values inside a scalar program. Narrow floats are computed in f32 and rounded where they are cast or stored. */
export type ValueType = "f32" | "i32" | "u32" | "bool";

export function valueType(dtype: Dtype): ValueType {
  switch (dtype) {
    case "f32":
    case "f16":
    case "bf16":
      return "f32";
    case "i32":
    case "u32":
    case "bool":
      return dtype;
    case "f64":
      throw new RangeError("f64 exists only in the reference interpreter");
  }
}

export interface Dialect {
  readonly language: "c" | "wgsl" | "cuda";
  type(type: ValueType): string;
  /** A statement that names the value of an expression. */
  declare(name: string, type: ValueType, expression: string): string;
  /** A finite number, exactly; booleans are 0 or 1. */
  literal(value: number, type: ValueType): string;
  /** Converts a value: float to integer truncates (what does not fit is undefined), to bool compares with zero. */
  convert(expression: string, from: ValueType, to: ValueType): string;
  /** As `convert` for a float that may be anything: the nearest integer there is, 0 for NaN. */
  saturate(expression: string, to: "i32" | "u32"): string;
  /** An operation on two i32 that wraps to 32 bits. */
  wrapping(operator: "+" | "-" | "*", a: string, b: string): string;
  /** Rounds an f32 expression to a narrower storage type, to nearest even; the result is f32 again. */
  round(expression: string, dtype: "f16" | "bf16"): string;
  select(condition: string, then: string, otherwise: string): string;
  readonly not: string;
  readonly and: string;
  readonly or: string;
  /** Whether an f32 expression (a name) is NaN. */
  isNaN(expression: string): string;
  /** Whether every comparison with NaN is sure to be false. */
  readonly comparesNaN: boolean;
  /** Whether quotients are correctly rounded: 6 / 3 may else come to a little less than 2. */
  readonly dividesExactly: boolean;
  /**
   * Set where the language computes with literals itself and refuses results that overflow: a number that only meets other constants is
   * then a variable.
   */
  readonly variable?: (name: string, type: ValueType, literal: string) => string;
  /** Built-in functions of one f32 argument; correctly rounded wherever IEEE arithmetic is. */
  readonly builtin: { readonly sqrt: string; readonly floor: string; readonly absolute: string };
  /** Upper half of the product of two u32 expressions, where the language has 64-bit integers. */
  multiplyHigh?(a: string, b: string): string;
  /** A whole function with one expression per local value. */
  define(
    name: string,
    parameters: readonly (readonly [string, ValueType])[],
    result: ValueType,
    statements: readonly string[],
  ): string;
}

/** A finite f32 in decimal that every one of the languages reads back exactly. */
function f32Literal(value: number): string {
  const rounded = Math.fround(value);
  if (!Number.isFinite(rounded)) throw new RangeError(`${value} is not a finite f32`);
  const text = Object.is(rounded, -0) ? "-0" : String(rounded);
  const decimal = /[.e]/.test(text) ? text : `${text}.0`;
  return text.startsWith("-") ? `(${decimal}f)` : `${decimal}f`;
}

function integerLiteral(value: number, type: "i32" | "u32"): string {
  const [low, high] = type === "i32" ? [-(2 ** 31), 2 ** 31 - 1] : [0, 2 ** 32 - 1];
  if (!Number.isInteger(value) || value < low || value > high) throw new RangeError(`${value} is not an ${type}`);
  if (type === "u32") return `${value}u`;
  // The most negative number has no literal of its own in C: the minus is an operator.
  if (value === low) return "(-2147483647 - 1)";
  return value < 0 ? `(${value})` : String(value);
}

const cTypes: Readonly<Record<ValueType, string>> = { f32: "float", i32: "int32_t", u32: "uint32_t", bool: "int32_t" };

/**
 * C11 as gcc and clang take it. A bool is an int32_t that is 0 or 1, so that masks are as wide as floats in a vector; logic is bitwise,
 * so that no branch stops vectorisation.
 */
export const cDialect: Dialect = {
  language: "c",
  type: (type) => cTypes[type],
  declare: (name, type, expression) => `const ${cTypes[type]} ${name} = ${expression};`,
  literal: (value, type) => {
    switch (type) {
      case "f32":
        return f32Literal(value);
      case "i32":
      case "u32":
        return integerLiteral(value, type);
      case "bool":
        return value === 0 ? "0" : "1";
    }
  },
  convert: (expression, from, to) => {
    if (from === to) return expression;
    if (to === "bool") return from === "f32" ? `(${expression} != 0.0f)` : `(${expression} != 0)`;
    return `((${cTypes[to]})${expression})`;
  },
  saturate: (expression, to) => `weft_to_${to}(${expression})`,
  // Signed overflow is undefined in C, and compilers make use of that.
  wrapping: (operator, a, b) => `(int32_t)((uint32_t)${a} ${operator} (uint32_t)${b})`,
  round: (expression, dtype) => `weft_round_${dtype}(${expression})`,
  select: (condition, then, otherwise) => `(${condition} ? ${then} : ${otherwise})`,
  not: "!",
  and: "&",
  or: "|",
  isNaN: (expression) => `(${expression} != ${expression})`,
  comparesNaN: true,
  dividesExactly: true,
  builtin: { sqrt: "sqrtf", floor: "floorf", absolute: "fabsf" },
  multiplyHigh: (a, b) => `(uint32_t)(((uint64_t)${a} * ${b}) >> 32)`,
  define: (name, parameters, result, statements) =>
    [
      `static inline __attribute__((always_inline)) ${cTypes[result]} ${name}(${parameters.map(([parameter, type]) => `${cTypes[type]} ${parameter}`).join(", ")}) {`,
      ...statements.map((statement) => `  ${statement}`),
      "}",
    ].join("\n"),
};

const wgslTypes: Readonly<Record<ValueType, string>> = { f32: "f32", i32: "i32", u32: "u32", bool: "bool" };

/**
 * WGSL. Integers wrap, logic on bool does not branch. Implementations may take it that no value is NaN or infinite, so both are made
 * and recognised by their bits.
 */
export const wgslDialect: Dialect = {
  language: "wgsl",
  type: (type) => wgslTypes[type],
  declare: (name, type, expression) => `let ${name}: ${wgslTypes[type]} = ${expression};`,
  literal: (value, type) => {
    switch (type) {
      case "f32":
        // The sign of a zero that is written as a literal may be lost.
        return Object.is(Math.fround(value), -0) ? "weft_from_bits(0x80000000u)" : f32Literal(value);
      case "i32":
      case "u32":
        return integerLiteral(value, type);
      case "bool":
        return value === 0 ? "false" : "true";
    }
  },
  convert: (expression, from, to) => (from === to ? expression : `${wgslTypes[to]}(${expression})`),
  saturate: (expression, to) => `weft_to_${to}(${expression})`,
  wrapping: (operator, a, b) => `(${a} ${operator} ${b})`,
  round: (expression, dtype) => `weft_round_${dtype}(${expression})`,
  select: (condition, then, otherwise) => `select(${otherwise}, ${then}, ${condition})`,
  not: "!",
  and: "&",
  or: "|",
  isNaN: (expression) => `((bitcast<u32>(${expression}) & 0x7fffffffu) > 0x7f800000u)`,
  comparesNaN: false,
  dividesExactly: false,
  variable: (name, type, literal) => `var ${name}: ${wgslTypes[type]} = ${literal};`,
  builtin: { sqrt: "sqrt", floor: "floor", absolute: "abs" },
  define: (name, parameters, result, statements) =>
    [
      `fn ${name}(${parameters.map(([parameter, type]) => `${parameter}: ${wgslTypes[type]}`).join(", ")}) -> ${wgslTypes[result]} {`,
      ...statements.map((statement) => `  ${statement}`),
      "}",
    ].join("\n"),
};
