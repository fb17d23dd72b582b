/** Elementwise primitives of one operand: one table row each. */
import type { GraphBuilder } from "../graph/builder.js";
import type { Dtype } from "../graph/dtype.js";
import type { ValueId } from "../graph/node.js";
import { requireDtype, requireInputs } from "./checks.js";
import { erf } from "./erf.js";
import type { AttributesOf, UnaryName } from "./names.js";
import * as operations from "./operations.js";
import type { Primitive } from "./primitive.js";

interface UnaryRow {
  readonly dtypes: readonly Dtype[];
  readonly value: (x: number) => number;
  /** Cotangent of the operand from that of the result `y`; absent where the derivative is zero almost everywhere. */
  readonly gradient?: (b: GraphBuilder, cotangent: ValueId, x: ValueId, y: ValueId) => ValueId;
}

const floats: readonly Dtype[] = ["f32", "f16", "bf16", "f64"];
const signed: readonly Dtype[] = [...floats, "i32"];
const { multiply, divide, negate, subtract, scale, constantLike } = operations;

const rows: { readonly [P in UnaryName]: UnaryRow } = {
  negate: { dtypes: signed, value: (x) => -x, gradient: (b, g) => negate(b, g) },
  // The derivative at 0 is 0.
  absolute: { dtypes: signed, value: Math.abs, gradient: (b, g, x) => multiply(b, g, operations.sign(b, x)) },
  sign: { dtypes: signed, value: Math.sign },
  floor: { dtypes: floats, value: Math.floor },
  exp: { dtypes: floats, value: Math.exp, gradient: (b, g, _x, y) => multiply(b, g, y) },
  log: { dtypes: floats, value: Math.log, gradient: (b, g, x) => divide(b, g, x) },
  sin: { dtypes: floats, value: Math.sin, gradient: (b, g, x) => multiply(b, g, operations.cos(b, x)) },
  cos: { dtypes: floats, value: Math.cos, gradient: (b, g, x) => negate(b, multiply(b, g, operations.sin(b, x))) },
  tanh: {
    dtypes: floats,
    value: Math.tanh,
    gradient: (b, g, _x, y) => multiply(b, g, subtract(b, constantLike(b, 1, y), multiply(b, y, y))),
  },
  erf: {
    dtypes: floats,
    value: erf,
    gradient: (b, g, x) =>
      multiply(b, g, scale(b, operations.exp(b, negate(b, multiply(b, x, x))), 2 / Math.sqrt(Math.PI))),
  },
  sqrt: { dtypes: floats, value: Math.sqrt, gradient: (b, g, _x, y) => divide(b, scale(b, g, 0.5), y) },
  rsqrt: {
    dtypes: floats,
    value: (x) => 1 / Math.sqrt(x),
    gradient: (b, g, _x, y) => multiply(b, scale(b, g, -0.5), multiply(b, y, multiply(b, y, y))),
  },
  logistic: {
    dtypes: floats,
    value: (x) => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x))),
    gradient: (b, g, _x, y) => multiply(b, g, multiply(b, y, subtract(b, constantLike(b, 1, y), y))),
  },
  not: { dtypes: ["bool"], value: (x) => 1 - x },
};

function unary<P extends UnaryName>(name: P): Primitive<P> {
  const row = rows[name];
  const attributes = {} as AttributesOf[P];
  return {
    name,
    arity: 1,
    shape(inputs) {
      requireInputs(name, inputs, 1);
      requireDtype(name, inputs[0]!, row.dtypes);
      return [inputs[0]!];
    },
    batch: (builder, _attributes, inputs) => [builder.add(name, inputs, attributes)],
    gradient({ builder, node }, [cotangent]) {
      return [row.gradient?.(builder, cotangent!, node.inputs[0]!, node.outputs[0]!)];
    },
    evaluate([x], _attributes, [type]) {
      const { value } = row;
      // Negating the smallest i32 wraps.
      return [type!.dtype === "i32" ? x!.data.map((element) => value(element) | 0) : x!.data.map(value)];
    },
  };
}

export const unaries = {
  negate: unary("negate"),
  absolute: unary("absolute"),
  sign: unary("sign"),
  floor: unary("floor"),
  exp: unary("exp"),
  log: unary("log"),
  sin: unary("sin"),
  cos: unary("cos"),
  tanh: unary("tanh"),
  erf: unary("erf"),
  sqrt: unary("sqrt"),
  rsqrt: unary("rsqrt"),
  logistic: unary("logistic"),
  not: unary("not"),
} satisfies { [P in UnaryName]: Primitive<P> };
