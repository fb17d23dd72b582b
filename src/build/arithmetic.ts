/** The operators of the language, on compile-time values and on tensors. */
import type { Span } from "../../dsl/diagnostics/diagnostic.js";
import { buildMessages as messages } from "../../dsl/diagnostics/messages/build.js";
import type { BinaryOperator, Expression, UnaryOperator } from "../../dsl/syntax/tree.js";
import type { GraphBuilder } from "../graph/builder.js";
import { isFloat } from "../graph/dtype.js";
import type { ValueId } from "../graph/node.js";
import { formatShape, type Shape } from "../graph/shape.js";
import * as operations from "../primitives/operations.js";
import { type Context, fail } from "./context.js";
import { requireExact, requireHolds, requireLength } from "./limits.js";
import { emit, operandLabels } from "./trace.js";
import { bool, describeValue, dtypeName, float, int, list, string, type TensorValue, type Value } from "./values.js";

type BinaryExpression = Expression & { readonly kind: "binary" };

export function unary(context: Context, operator: UnaryOperator, operand: Value, span: Span): Value {
  if (operator === "-") {
    if (operand.kind === "int") return int(-operand.value);
    if (operand.kind === "float") return float(-operand.value);
    if (operand.kind === "tensor" && operand.dtype !== "bool") {
      return emit(context, span, [operand], (builder) => operations.negate(builder, operand.id));
    }
  } else {
    if (operand.kind === "bool") return bool(!operand.value);
    if (operand.kind === "tensor" && operand.dtype === "bool") {
      return emit(context, span, [operand], (builder) => operations.not(builder, operand.id));
    }
  }
  return fail(context, messages.badOperands, span, { operator, operands: describeValue(operand) });
}

export function binary(
  context: Context,
  operator: BinaryOperator,
  left: Value,
  right: Value,
  expression: BinaryExpression,
): Value {
  if ((left.kind === "none" || right.kind === "none") && (operator === "==" || operator === "!=")) {
    return bool((left.kind === right.kind) === (operator === "=="));
  }
  if (left.kind === "tensor" || right.kind === "tensor") {
    const result = tensorBinary(context, operator, left, right, expression);
    if (result) return result;
  } else {
    const result = staticBinary(context, operator, left, right, expression.span);
    if (result) return result;
  }
  const operands = `${describeValue(left)} and ${describeValue(right)}`;
  return fail(context, messages.badOperands, expression.operatorSpan, { operator, operands });
}

const isNumber = (value: Value): value is { kind: "int" | "float"; value: number } =>
  value.kind === "int" || value.kind === "float";

function staticBinary(
  context: Context,
  operator: BinaryOperator,
  left: Value,
  right: Value,
  span: Span,
): Value | undefined {
  if (operator === "==" || operator === "!=") return bool(sameValue(left, right) === (operator === "=="));
  if (isNumber(left) && isNumber(right)) return staticNumbers(context, operator, left, right, span);
  if (left.kind === "bool" && right.kind === "bool") {
    if (operator === "and") return bool(left.value && right.value);
    if (operator === "or") return bool(left.value || right.value);
    return undefined;
  }
  if (left.kind === "string" && right.kind === "string" && operator === "+") {
    requireLength(context, left.value.length + right.value.length, span, "string", "characters");
    return string(left.value + right.value);
  }
  if (left.kind === "list" && right.kind === "list" && operator === "+") {
    requireLength(context, left.items.length + right.items.length, span);
    return list([...left.items, ...right.items]);
  }
  if (left.kind === "list" && right.kind === "int" && operator === "*") {
    requireLength(context, left.items.length * right.value, span);
    return list(Array.from({ length: Math.max(right.value, 0) }, () => left.items).flat());
  }
  return undefined;
}

function staticNumbers(
  context: Context,
  operator: BinaryOperator,
  left: { readonly kind: "int" | "float"; readonly value: number },
  right: { readonly kind: "int" | "float"; readonly value: number },
  span: Span,
): Value | undefined {
  const [a, b] = [left.value, right.value];
  const whole = left.kind === "int" && right.kind === "int";
  const number = (value: number, isInt = whole): Value => {
    requireExact(context, value, isInt, span);
    return isInt ? int(value) : float(value);
  };
  switch (operator) {
    case "+":
      return number(a + b);
    case "-":
      return number(a - b);
    case "*":
      return number(a * b);
    case "/":
      if (b === 0) return fail(context, messages.divisionByZero, span, {});
      if (whole && a % b !== 0) return fail(context, messages.inexactDivision, span, { dividend: a, divisor: b });
      return number(a / b);
    case "//":
      if (b === 0) return fail(context, messages.divisionByZero, span, {});
      return number(Math.floor(a / b));
    case "%":
      if (b === 0) return fail(context, messages.divisionByZero, span, {});
      return number(a - b * Math.floor(a / b));
    case "**":
      if (a === 0 && b < 0) return fail(context, messages.divisionByZero, span, {});
      return number(a ** b, whole && b >= 0);
    case "<":
      return bool(a < b);
    case "<=":
      return bool(a <= b);
    case ">":
      return bool(a > b);
    case ">=":
      return bool(a >= b);
    case "@":
    case "and":
    case "or":
    case "==":
    case "!=":
      return undefined;
  }
}

/** Whether two compile-time values are equal; numbers compare by value, modules and operators by identity. */
export function sameValue(a: Value, b: Value): boolean {
  if (isNumber(a) && isNumber(b)) return a.value === b.value;
  if (a.kind === "list" || a.kind === "tuple") {
    if (b.kind !== a.kind || a.items.length !== b.items.length) return false;
    const others = b.items;
    return a.items.every((item, place) => sameValue(item, others[place]!));
  }
  if (a.kind !== b.kind) return false;
  if (a.kind === "none") return true;
  if ((a.kind === "bool" && b.kind === "bool") || (a.kind === "string" && b.kind === "string"))
    return a.value === b.value;
  if (a.kind === "module" && b.kind === "module") return a.instance === b.instance && a.overrides === b.overrides;
  if (a.kind === "builtin" && b.kind === "builtin") return a.name === b.name;
  if (a.kind === "declaration" && b.kind === "declaration") return a.declaration === b.declaration;
  return a === b;
}

// --------------------------------------------------------------------------------------------------------------- tensors

function tensorBinary(
  context: Context,
  operator: BinaryOperator,
  left: Value,
  right: Value,
  expression: BinaryExpression,
): Value | undefined {
  const { span } = expression;
  if (operator === "@") {
    if (left.kind !== "tensor" || right.kind !== "tensor") return undefined;
    return matmul(context, left, right, expression);
  }
  const divides = operator === "/" || operator === "//" || operator === "%";
  if (divides && isNumber(right) && right.value === 0) return fail(context, messages.divisionByZero, span, {});
  const special = operator === "**" ? staticPower(context, left, right, span) : undefined;
  if (special) return special;
  const pair = together(context, left, right, expression.left.span, expression.right.span, span);
  if (!pair) return undefined;
  const [a, b] = pair;
  const build = elementwise(operator, a.dtype);
  if (!build) return undefined;
  requireBroadcast(context, a, b, operator, span);
  return emit(context, span, [a, b], (builder) => build(builder, a.id, b.id));
}

/** Both operands as tensors of one dtype; a number takes the dtype of the tensor beside it. Undefined when they never fit. */
export function together(
  context: Context,
  left: Value,
  right: Value,
  leftSpan: Span,
  rightSpan: Span,
  span: Span,
): readonly [TensorValue, TensorValue] | undefined {
  const a = left.kind === "tensor" ? left : undefined;
  const b = right.kind === "tensor" ? right : undefined;
  const first = a ?? (b ? numberLike(context, left, b, leftSpan) : undefined);
  const second = b ?? (a ? numberLike(context, right, a, rightSpan) : undefined);
  if (!first || !second) return undefined;
  if (first.dtype !== second.dtype) {
    const names = { left: dtypeName(first.dtype), right: dtypeName(second.dtype) };
    return fail(context, messages.mixedDtypes, span, names, operandLabels([first, second]));
  }
  return [first, second];
}

/** A compile-time number as a scalar constant of a tensor's dtype. */
export function numberLike(context: Context, value: Value, like: TensorValue, span: Span): TensorValue | undefined {
  return constantOf(context, value, like.dtype, [], span);
}

/** A constant tensor; undefined when the value cannot be of that dtype (a fraction as an int, a number as a bool). */
export function constantOf(
  context: Context,
  value: Value,
  dtype: TensorValue["dtype"],
  shape: Shape,
  span: Span,
): TensorValue | undefined {
  const fits =
    (value.kind === "bool" && dtype === "bool") ||
    (value.kind === "int" && dtype !== "bool") ||
    (value.kind === "float" && (isFloat(dtype) || (dtype === "i32" && Number.isInteger(value.value))));
  if (!fits) return undefined;
  requireHolds(context, Number(value.value), dtype, span);
  return emit(context, span, [], (builder) => operations.constant(builder, Number(value.value), shape, dtype));
}

type Build = (builder: GraphBuilder, a: ValueId, b: ValueId) => ValueId;

function elementwise(operator: BinaryOperator, dtype: TensorValue["dtype"]): Build | undefined {
  if (operator === "==") return operations.equal;
  if (operator === "!=") return (builder, a, b) => operations.not(builder, operations.equal(builder, a, b));
  if (dtype === "bool") {
    return operator === "and" ? operations.and : operator === "or" ? operations.or : undefined;
  }
  switch (operator) {
    case "+":
      return operations.add;
    case "-":
      return operations.subtract;
    case "*":
      return operations.multiply;
    case "/":
      return isFloat(dtype) ? operations.divide : undefined;
    case "//":
      return isFloat(dtype)
        ? (builder, a, b) => operations.floor(builder, operations.divide(builder, a, b))
        : operations.divide;
    case "%":
      return operations.remainder;
    case "**":
      return isFloat(dtype) ? operations.power : undefined;
    case "<":
      return operations.less;
    case "<=":
      return operations.lessEqual;
    case ">":
      return (builder, a, b) => operations.less(builder, b, a);
    case ">=":
      return (builder, a, b) => operations.lessEqual(builder, b, a);
    case "@":
    case "and":
    case "or":
      return undefined;
  }
}

/** Powers with an exponent known at compile time: products and roots, which are exact and cheap to differentiate. */
function staticPower(context: Context, left: Value, right: Value, span: Span): Value | undefined {
  if (left.kind !== "tensor" || !isNumber(right) || left.dtype === "bool") return undefined;
  const exponent = right.value;
  const power = (build: (builder: GraphBuilder) => ValueId) => emit(context, span, [left], build);
  if (exponent === 1) return left;
  if (exponent === 2) return power((builder) => operations.multiply(builder, left.id, left.id));
  if (exponent === 3 || exponent === 4) {
    return power((builder) => {
      const square = operations.multiply(builder, left.id, left.id);
      return operations.multiply(builder, square, exponent === 3 ? left.id : square);
    });
  }
  if (!isFloat(left.dtype)) return undefined;
  if (exponent === 0.5) return power((builder) => operations.sqrt(builder, left.id));
  if (exponent === -0.5) return power((builder) => operations.rsqrt(builder, left.id));
  if (exponent === -1) {
    return power((builder) => operations.divide(builder, operations.constantLike(builder, 1, left.id), left.id));
  }
  return undefined;
}

function requireBroadcast(context: Context, a: TensorValue, b: TensorValue, operator: string, span: Span): void {
  const rank = Math.max(a.shape.length, b.shape.length);
  for (let axis = 1; axis <= rank; axis++) {
    const [x, y] = [a.shape.at(-axis) ?? 1, b.shape.at(-axis) ?? 1];
    if (axis <= Math.min(a.shape.length, b.shape.length) && x !== y && x !== 1 && y !== 1) {
      const values = {
        operator,
        left: formatShape(a.shape),
        right: formatShape(b.shape),
        sizes: `${x} and ${y}`,
        axis,
      };
      fail(context, messages.notBroadcastable, span, values, operandLabels([a, b]));
    }
  }
}

function matmul(
  context: Context,
  a: TensorValue,
  b: TensorValue,
  expression: BinaryExpression,
): TensorValue | undefined {
  const { span } = expression;
  if (!isFloat(a.dtype) || !isFloat(b.dtype)) return undefined;
  const inner = b.shape.length === 1 ? b.shape[0] : b.shape.at(-2);
  if (a.shape.length === 0 || b.shape.length === 0 || a.shape.at(-1) !== inner) {
    const values = { left: formatShape(a.shape), right: formatShape(b.shape) };
    return fail(context, messages.matmulShapes, span, values, operandLabels([a, b]));
  }
  return emit(context, span, [a, b], (builder) => operations.matmul(builder, a.id, b.id));
}
