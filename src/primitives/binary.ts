/** Elementwise primitives of two operands: one table row each. */
import type { GraphBuilder } from "../graph/builder.js";
import type { Dtype } from "../graph/dtype.js";
import type { ValueId } from "../graph/node.js";
import { requireDtype, requireInputs, requireOneDtype, requireOneShape } from "./checks.js";
import type { AttributesOf, BinaryName } from "./names.js";
import * as operations from "./operations.js";
import type { Primitive } from "./primitive.js";

/** Operands, result and the result's cotangent, in the graph being extended. */
interface BinaryValues {
  readonly cotangent: ValueId;
  readonly x: ValueId;
  readonly y: ValueId;
  readonly result: ValueId;
}

type GradientRule = (b: GraphBuilder, values: BinaryValues) => ValueId | undefined;

interface BinaryRow {
  readonly dtypes: readonly Dtype[];
  /** Comparisons. */
  readonly yieldsBool?: true;
  readonly value: (x: number, y: number) => number;
  /** Where integers need another formula; the result is wrapped to 32 bits. */
  readonly integer?: (x: number, y: number) => number;
  /** Cotangents of the operands; absent where nothing is differentiable. */
  readonly gradient?: { readonly x: GradientRule; readonly y: GradientRule };
}

const floats: readonly Dtype[] = ["f32", "f16", "bf16", "f64"];
const numbers: readonly Dtype[] = [...floats, "i32", "u32"];
const everything: readonly Dtype[] = [...numbers, "bool"];
const { multiply, divide, negate, select, less, equal, scale, constantLike, zerosLike } = operations;

/** Remainder with the sign of the divisor, as `%` in Python. */
const floored = (x: number, y: number): number => {
  const rest = x % y;
  return rest !== 0 && rest < 0 !== y < 0 ? rest + y : rest;
};

/** The larger (or smaller) operand takes the cotangent; equal ones take half each. */
const chosen =
  (wins: (b: GraphBuilder, values: BinaryValues) => ValueId): GradientRule =>
  (b, values) => {
    const { cotangent, x, y } = values;
    const winner = select(b, wins(b, values), cotangent, zerosLike(b, cotangent));
    return select(b, equal(b, x, y), scale(b, cotangent, 0.5), winner);
  };
const xIsLess = chosen((b, { x, y }) => less(b, x, y));
const yIsLess = chosen((b, { x, y }) => less(b, y, x));

const rows: { readonly [P in BinaryName]: BinaryRow } = {
  add: {
    dtypes: numbers,
    value: (x, y) => x + y,
    gradient: { x: (_b, { cotangent }) => cotangent, y: (_b, { cotangent }) => cotangent },
  },
  subtract: {
    dtypes: numbers,
    value: (x, y) => x - y,
    gradient: { x: (_b, { cotangent }) => cotangent, y: (b, { cotangent }) => negate(b, cotangent) },
  },
  multiply: {
    dtypes: numbers,
    value: (x, y) => x * y,
    integer: Math.imul,
    gradient: {
      x: (b, { cotangent, y }) => multiply(b, cotangent, y),
      y: (b, { cotangent, x }) => multiply(b, cotangent, x),
    },
  },
  divide: {
    dtypes: numbers,
    value: (x, y) => x / y,
    // A quotient of 32-bit integers that is no integer is further from one than float64 rounds. Division by zero is undefined; 0 here.
    integer: (x, y) => (y === 0 ? 0 : Math.floor(x / y)),
    gradient: {
      x: (b, { cotangent, y }) => divide(b, cotangent, y),
      y: (b, { cotangent, y, result }) => negate(b, divide(b, multiply(b, cotangent, result), y)),
    },
  },
  power: { dtypes: floats, value: (x, y) => x ** y, gradient: { x: powerBase, y: powerExponent } },
  maximum: { dtypes: numbers, value: Math.max, gradient: { x: yIsLess, y: xIsLess } },
  minimum: { dtypes: numbers, value: Math.min, gradient: { x: xIsLess, y: yIsLess } },
  remainder: {
    dtypes: numbers,
    value: floored,
    integer: (x, y) => (y === 0 ? 0 : floored(x, y)),
    gradient: {
      x: (_b, { cotangent }) => cotangent,
      y: (b, { cotangent, x, y }) => negate(b, multiply(b, cotangent, operations.floor(b, divide(b, x, y)))),
    },
  },
  equal: { dtypes: everything, yieldsBool: true, value: (x, y) => (x === y ? 1 : 0) },
  less: { dtypes: numbers, yieldsBool: true, value: (x, y) => (x < y ? 1 : 0) },
  less_equal: { dtypes: numbers, yieldsBool: true, value: (x, y) => (x <= y ? 1 : 0) },
  and: { dtypes: ["bool"], value: (x, y) => x * y },
  or: { dtypes: ["bool"], value: Math.max },
};

/** y x^(y-1); zero for y = 0 also where x is 0. Constant exponents (nearly all) get the short form. */
function powerBase(b: GraphBuilder, { cotangent, x, y }: BinaryValues): ValueId | undefined {
  const exponent = operations.constantValue(b, y);
  if (exponent === 0) return undefined;
  if (exponent === 1) return cotangent;
  if (exponent === 2) return multiply(b, cotangent, scale(b, x, 2));
  if (exponent !== undefined) {
    return multiply(b, cotangent, scale(b, operations.power(b, x, constantLike(b, exponent - 1, y)), exponent));
  }
  const lowered = operations.power(b, x, operations.subtract(b, y, constantLike(b, 1, y)));
  const zero = zerosLike(b, y);
  return multiply(b, cotangent, select(b, equal(b, y, zero), zero, multiply(b, y, lowered)));
}

/** x^y log x; zero where x is not positive (the limit at 0; below it the power is defined at integers only). */
function powerExponent(b: GraphBuilder, { cotangent, x, result }: BinaryValues): ValueId {
  const zero = zerosLike(b, x);
  const positive = less(b, zero, x);
  const logarithm = operations.log(b, select(b, positive, x, constantLike(b, 1, x)));
  return multiply(b, cotangent, select(b, positive, multiply(b, result, logarithm), zero));
}

function binary<P extends BinaryName>(name: P): Primitive<P> {
  const row = rows[name];
  const attributes = {} as AttributesOf[P];
  return {
    name,
    arity: 2,
    shape(inputs) {
      requireInputs(name, inputs, 2);
      requireOneDtype(name, inputs);
      requireDtype(name, inputs[0]!, row.dtypes);
      requireOneShape(name, inputs);
      return [row.yieldsBool ? { dtype: "bool", shape: inputs[0]!.shape } : inputs[0]!];
    },
    batch(builder, _attributes, inputs, batched, size) {
      const operands = inputs.map((input, place) =>
        batched[place] ? input : operations.broadcastLeading(builder, input, size),
      );
      return [builder.add(name, operands, attributes)];
    },
    gradient({ builder, node, needed }, [cotangent]) {
      const values = { cotangent: cotangent!, x: node.inputs[0]!, y: node.inputs[1]!, result: node.outputs[0]! };
      return [
        needed[0] ? row.gradient?.x(builder, values) : undefined,
        needed[1] ? row.gradient?.y(builder, values) : undefined,
      ];
    },
    evaluate([x, y], _attributes, [type]) {
      const left = x!.data;
      const right = y!.data;
      const { value, integer = value } = row;
      switch (type!.dtype) {
        case "i32":
          return [left.map((element, index) => integer(element, right[index]!) | 0)];
        case "u32":
          return [left.map((element, index) => integer(element, right[index]!) >>> 0)];
        default:
          return [left.map((element, index) => value(element, right[index]!))];
      }
    },
  };
}

export const binaries = {
  add: binary("add"),
  subtract: binary("subtract"),
  multiply: binary("multiply"),
  divide: binary("divide"),
  power: binary("power"),
  maximum: binary("maximum"),
  minimum: binary("minimum"),
  remainder: binary("remainder"),
  equal: binary("equal"),
  less: binary("less"),
  less_equal: binary("less_equal"),
  and: binary("and"),
  or: binary("or"),
} satisfies { [P in BinaryName]: Primitive<P> };
