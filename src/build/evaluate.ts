/** Expressions. Compile-time values are computed, tensors become nodes of the graph being traced. */

import { WeftError } from "../../dsl/diagnostics/diagnostic.js";
import { buildMessages as messages } from "../../dsl/diagnostics/messages/build.js";
import type { Expression, Name } from "../../dsl/syntax/tree.js";
import { adapt } from "./adapt.js";
import { binary, unary } from "./arithmetic.js";
import { isBuiltin, namedConstant } from "./builtins/registry.js";
import { call } from "./call.js";
import { fail } from "./context.js";
import { index } from "./indexing.js";
import { requireLength } from "./limits.js";
import { member, memberReference } from "./member.js";
import { applyOperator, replaceWeights } from "./operator.js";
import { Scope } from "./scope.js";
import { runBlock } from "./statements.js";
import { describeValue, holdsModule, list, tuple, type Value } from "./values.js";
import { atStage, readWeight } from "./weights.js";

/** The value of an expression. Throws WeftError. */
export function evaluate(expression: Expression, scope: Scope): Value {
  const { context } = scope;
  switch (expression.kind) {
    case "int":
    case "float":
    case "string":
    case "bool":
      return { kind: expression.kind, value: expression.value } as Value;
    case "name":
      return readWeight(context, lookup(expression.name, scope, expression.span), expression.span);
    case "member":
      return member(context, evaluate(expression.object, scope), expression.member, expression.span);
    case "call":
      return call(expression, scope);
    case "index":
      return index(evaluate(expression.object, scope), expression.items, scope, expression.span);
    case "unary":
      return unary(context, expression.operator, evaluate(expression.operand, scope), expression.span);
    case "binary":
      return evaluateBinary(expression, scope);
    case "list":
      return list(expression.items.map((item) => evaluate(item, scope)));
    case "tuple":
      return tuple(expression.items.map((item) => evaluate(item, scope)));
    case "comprehension": {
      const items: Value[] = [];
      for (const item of iterate(expression.iterable, scope)) {
        const inner = new Scope(context, scope);
        bindNames(expression.names, expression.tuple, item, inner);
        if (expression.condition && !evaluateCondition(expression.condition, inner)) continue;
        items.push(evaluate(expression.value, inner));
      }
      return list(items);
    }
    case "if": {
      const chosen = evaluateCondition(expression.condition, scope) ? expression.then : expression.otherwise;
      return chosen ? runBlock(chosen, new Scope(context, scope)) : { kind: "none" };
    }
    case "with":
      return applyOperator(
        context,
        evaluate(expression.module, scope),
        evaluate(expression.operator, scope),
        expression.module.span,
        expression.operator.span,
      );
    case "replace":
      return replaceWeights(evaluate(expression.module, scope), expression.entries, scope, expression.module.span);
    case "at":
      return evaluateAt(expression, scope);
    case "adapt":
      return adapt(expression, scope);
  }
}

/** `module at stage`, also of a list of modules or of a stored tensor. */
function evaluateAt(expression: Expression & { readonly kind: "at" }, scope: Scope): Value {
  const { context } = scope;
  const { module, stage } = expression;
  const value = reference(module, scope);
  const copy = atStage(value, stage);
  if (copy) return readWeight(context, copy, expression.span);
  const expected = "a module or a stored tensor";
  return fail(context, messages.wrongKind, module.span, { expected, found: describeValue(value) });
}

/** The value of an expression, but a stored tensor stays a reference. */
function reference(expression: Expression, scope: Scope): Value {
  switch (expression.kind) {
    case "name":
      return lookup(expression.name, scope, expression.span);
    case "member":
      return memberReference(scope.context, evaluate(expression.object, scope), expression.member, expression.span);
    default:
      return evaluate(expression, scope);
  }
}

/** What a name stands for; stored tensors stay references. */
export function lookup(name: string, scope: Scope, span: Expression["span"]): Value {
  const value =
    scope.lookup(name) ?? namedConstant(name) ?? (isBuiltin(name) ? { kind: "builtin" as const, name } : undefined);
  if (!value) return fail(scope.context, messages.unknownName, span, { name });
  if (value.kind === "failed") throw new WeftError([]);
  return value;
}

/** `[M(..)] * n` makes n instances: the list is made anew each time. */
function evaluateBinary(expression: Expression & { readonly kind: "binary" }, scope: Scope): Value {
  const { context } = scope;
  const { operator } = expression;
  if (operator === "and" || operator === "or") {
    const left = evaluate(expression.left, scope);
    if (left.kind === "bool" && left.value === (operator === "or")) return left;
    return binary(context, operator, left, evaluate(expression.right, scope), expression);
  }
  const left = evaluate(expression.left, scope);
  const right = evaluate(expression.right, scope);
  if (operator === "*" && left.kind === "list" && right.kind === "int" && holdsModule(left)) {
    requireLength(context, left.items.length * right.value, expression.span);
    const copies = [left];
    while (copies.length < right.value) copies.push(evaluate(expression.left, scope) as typeof left);
    return list(copies.slice(0, right.value).flatMap((copy) => copy.items));
  }
  return binary(context, operator, left, right, expression);
}

/** A condition known at compile time. */
export function evaluateCondition(expression: Expression, scope: Scope): boolean {
  const value = evaluate(expression, scope);
  if (value.kind === "bool") return value.value;
  if (value.kind === "tensor") return fail(scope.context, messages.conditionNotStatic, expression.span, {});
  return fail(scope.context, messages.wrongKind, expression.span, {
    expected: "a truth value",
    found: describeValue(value),
  });
}

/** The items of a compile-time list. */
export function iterate(expression: Expression, scope: Scope): readonly Value[] {
  const value = evaluate(expression, scope);
  if (value.kind === "list" || value.kind === "tuple") return value.items;
  return fail(scope.context, messages.notIterable, expression.span, { found: describeValue(value) });
}

/** Binds `x` or `(a, b)` to a value. */
export function bindNames(names: readonly Name[], isTuple: boolean, value: Value, scope: Scope): void {
  for (const [name, part] of destructure(names, isTuple, value, scope)) scope.define(name.text, part);
}

export function destructure(names: readonly Name[], isTuple: boolean, value: Value, scope: Scope): [Name, Value][] {
  if (!isTuple) return [[names[0]!, value]];
  if ((value.kind === "tuple" || value.kind === "list") && value.items.length === names.length) {
    return names.map((name, place) => [name, value.items[place]!]);
  }
  return fail(scope.context, messages.unboundNames, names[0]!.span, {
    count: names.length,
    found: describeValue(value),
  });
}

export function evaluateInt(expression: Expression, scope: Scope): number {
  const value = evaluate(expression, scope);
  if (value.kind === "int") return value.value;
  return fail(scope.context, messages.wrongKind, expression.span, { expected: "an int", found: describeValue(value) });
}
