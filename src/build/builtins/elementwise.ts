/** Functions of each element. */
import { buildMessages as messages } from "../../../dsl/diagnostics/messages/build.js";
import type { GraphBuilder } from "../../graph/builder.js";
import { isFloat } from "../../graph/dtype.js";
import type { ValueId } from "../../graph/node.js";
import * as operations from "../../primitives/operations.js";
import { constantOf, together } from "../arithmetic.js";
import { fail } from "../context.js";
import { requireExact } from "../limits.js";
import { describeValue, float, int, type TensorValue, type Value } from "../values.js";
import type { Arguments, Builtin } from "./arguments.js";

type Build = (builder: GraphBuilder, x: ValueId) => ValueId;

/** A function of a float tensor, and of a number where `compute` is given. */
function elementwise(build: Build, compute?: (x: number) => number): Builtin {
  return {
    parameters: ["x"],
    run: (given) => {
      const x = given.value("x");
      if (compute && (x.kind === "int" || x.kind === "float")) {
        const value = compute(x.value);
        requireExact(given.context, value, false, given.span);
        return float(value);
      }
      const tensor = given.floats("x");
      return given.emit([tensor], (builder) => build(builder, tensor.id));
    },
  };
}

/** As `elementwise`, also of ints, which stay ints. */
function signed(build: Build, compute: (x: number) => number): Builtin {
  return {
    parameters: ["x"],
    run: (given) => {
      const x = given.value("x");
      if (x.kind === "int" || x.kind === "float") return { kind: x.kind, value: compute(x.value) };
      const tensor = given.tensor("x");
      if (tensor.dtype === "bool") return given.refuse("x", "a tensor of numbers");
      return given.emit([tensor], (builder) => build(builder, tensor.id));
    },
  };
}

const number = (builder: GraphBuilder, value: number, like: ValueId) => operations.constantLike(builder, value, like);

const silu: Build = (builder, x) => operations.multiply(builder, x, operations.logistic(builder, x));
const relu: Build = (builder, x) => operations.maximum(builder, x, number(builder, 0, x));

/** x/2 (1 + erf(x / sqrt 2)) */
const gelu: Build = (builder, x) => {
  const inner = operations.erf(builder, operations.scale(builder, x, Math.SQRT1_2));
  const gate = operations.add(builder, inner, number(builder, 1, x));
  return operations.multiply(builder, operations.scale(builder, x, 0.5), gate);
};

/** The approximation x/2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))), Hendrycks and Gimpel 2016. */
const geluTanh: Build = (builder, x) => {
  const square = operations.multiply(builder, x, x);
  const cube = operations.multiply(builder, square, x);
  const sum = operations.add(builder, x, operations.scale(builder, cube, 0.044715));
  const inner = operations.tanh(builder, operations.scale(builder, sum, Math.sqrt(2 / Math.PI)));
  const gate = operations.add(builder, inner, number(builder, 1, x));
  return operations.multiply(builder, operations.scale(builder, x, 0.5), gate);
};

/** log(1 + exp x), without overflow: max(x, 0) + log(1 + exp(-|x|)). */
const softplus: Build = (builder, x) => {
  const small = operations.exp(builder, operations.negate(builder, operations.absolute(builder, x)));
  const tail = operations.log(builder, operations.add(builder, small, number(builder, 1, x)));
  return operations.add(builder, relu(builder, x), tail);
};

/** The larger or smaller of two, elementwise; of two numbers, or of a list of numbers, at compile time. */
function extremum(given: Arguments, a: string, b: string, largest: boolean): Value {
  const left = given.value(a);
  const right = given.value(b);
  if ((left.kind === "int" || left.kind === "float") && (right.kind === "int" || right.kind === "float")) {
    const value = largest ? Math.max(left.value, right.value) : Math.min(left.value, right.value);
    return left.kind === "int" && right.kind === "int" ? int(value) : float(value);
  }
  const [x, y] = pair(given, left, right, a, b);
  return given.emit([x, y], (builder) => (largest ? operations.maximum : operations.minimum)(builder, x.id, y.id));
}

function pair(given: Arguments, left: Value, right: Value, a: string, b: string): readonly [TensorValue, TensorValue] {
  const found = together(given.context, left, right, given.spanOf(a), given.spanOf(b), given.span);
  const operands = `${describeValue(left)} and ${describeValue(right)}`;
  return found ?? fail(given.context, messages.badOperands, given.span, { operator: given.name, operands });
}

const where: Builtin = {
  parameters: ["condition", "a", "b"],
  run: (given) => {
    const condition = given.value("condition");
    const [left, right] = [given.value("a"), given.value("b")];
    if (condition.kind === "bool") return condition.value ? left : right;
    const choice = given.tensor("condition");
    if (choice.dtype !== "bool") return given.refuse("condition", "a bool tensor");
    const numbers = left.kind !== "tensor" && right.kind !== "tensor";
    const dtype = left.kind === "int" && right.kind === "int" ? "i32" : left.kind === "bool" ? "bool" : "f32";
    const first = numbers ? constantOf(given.context, left, dtype, [], given.spanOf("a")) : left;
    const [then, otherwise] = pair(given, first ?? left, right, "a", "b");
    return given.emit([choice, then, otherwise], (builder) =>
      operations.select(builder, choice.id, then.id, otherwise.id),
    );
  },
};

const clamp: Builtin = {
  parameters: ["x", "low", "high"],
  run: (given) => {
    const x = given.tensor("x");
    const [low, high] = [given.tensorLike("low", x), given.tensorLike("high", x)];
    return given.emit([x, low, high], (builder) =>
      operations.minimum(builder, operations.maximum(builder, x.id, low.id), high.id),
    );
  },
};

function cast(dtype: "f32" | "i32"): Builtin {
  return {
    parameters: ["x"],
    run: (given) => {
      const x = given.value("x");
      const value =
        x.kind === "string"
          ? Number(x.value)
          : x.kind === "int" || x.kind === "float" || x.kind === "bool"
            ? Number(x.value)
            : undefined;
      if (value !== undefined && Number.isFinite(value)) {
        if (dtype === "f32") return float(value);
        requireExact(given.context, Math.trunc(value), true, given.span);
        return int(Math.trunc(value));
      }
      const tensor = given.tensor("x");
      if (isFloat(tensor.dtype) && dtype === "f32") return tensor;
      return given.emit([tensor], (builder) => operations.cast(builder, tensor.id, dtype));
    },
  };
}

export const elementwiseBuiltins: Readonly<Record<string, Builtin>> = {
  square: elementwise(
    (builder, x) => operations.multiply(builder, x, x),
    (x) => x * x,
  ),
  exp: elementwise(operations.exp, Math.exp),
  log: elementwise(operations.log, Math.log),
  sin: elementwise(operations.sin, Math.sin),
  cos: elementwise(operations.cos, Math.cos),
  tanh: elementwise(operations.tanh, Math.tanh),
  erf: elementwise(operations.erf),
  sqrt: elementwise(operations.sqrt, Math.sqrt),
  rsqrt: elementwise(operations.rsqrt, (x) => 1 / Math.sqrt(x)),
  abs: signed(operations.absolute, Math.abs),
  sign: signed(operations.sign, Math.sign),
  floor: elementwise(operations.floor, Math.floor),
  sigmoid: elementwise(operations.logistic),
  silu: elementwise(silu),
  relu: elementwise(relu),
  gelu: elementwise(gelu),
  gelu_tanh: elementwise(geluTanh),
  softplus: elementwise(softplus),
  maximum: { parameters: ["a", "b"], run: (given) => extremum(given, "a", "b", true) },
  minimum: { parameters: ["a", "b"], run: (given) => extremum(given, "a", "b", false) },
  clamp,
  where,
  float: cast("f32"),
  int: cast("i32"),
  stop_gradient: {
    parameters: ["x"],
    run: (given) => {
      const x = given.tensor("x");
      return given.emit([x], (builder) => operations.stopGradient(builder, x.id));
    },
  },
};
