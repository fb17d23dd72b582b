/** Results of calls against the types they declare. */
import { buildMessages as messages } from "../../dsl/diagnostics/messages/build.js";
import type { Expression, FunctionDeclaration, Type } from "../../dsl/syntax/tree.js";
import { formatShape } from "../graph/shape.js";
import { constantOf } from "./arithmetic.js";
import { type Context, fail } from "./context.js";
import { evaluate } from "./evaluate.js";
import { sourceText } from "./files.js";
import { checkStaticKind } from "./kinds.js";
import { Scope } from "./scope.js";
import type { Bindings } from "./signature.js";
import { dtypeOf, fixedAxes, knownSize, resolveType, shapeOfType } from "./types.js";
import { describeValue, dtypeName, formatTensor, list, type Value } from "./values.js";

/** Compares a function's value with the type it declares. */
export function checkResult(
  context: Context,
  callee: string,
  declaration: FunctionDeclaration,
  value: Value,
  bindings: Bindings,
  scope: Scope,
): Value {
  if (!declaration.result) return value;
  return checkAgainst(context, callee, declaration, declaration.result, value, bindings, scope);
}

function checkAgainst(
  context: Context,
  callee: string,
  declaration: FunctionDeclaration,
  type: Type,
  value: Value,
  bindings: Bindings,
  scope: Scope,
): Value {
  const span = declaration.body.value?.span ?? declaration.body.span;
  const mismatch = (found: string): never =>
    fail(context, messages.resultShape, span, { callee, declared: sourceText(context, type.span), found }, [
      { span: type.span, text: "declared here" },
      ...[...bindings.sizes.values()].map(({ label }) => label),
    ]);
  if (type.kind === "tuple") {
    if ((value.kind !== "tuple" && value.kind !== "list") || value.items.length !== type.items.length) {
      return mismatch(describeValue(value));
    }
    const parts = value.items.map((item, place) =>
      checkAgainst(context, callee, declaration, type.items[place]!, item, bindings, scope),
    );
    return value.kind === "tuple" ? { kind: "tuple", items: parts } : list(parts);
  }
  const resolved = resolveType(type, scope);
  if (resolved.kind === "any") return value;
  if (resolved.kind === "static") return checkStaticKind(context, resolved.type, scope, value, "the result", span);
  const typeScope = new Scope(context, scope, { resolve: (name) => bindings.resolve(name) });
  if (value.kind !== "tensor") {
    const shape = shapeOfType(resolved.type, typeScope, bindings.leading?.shape);
    const constant = shape ? constantOf(context, value, dtypeOf(resolved.type), shape, span) : undefined;
    return constant ?? mismatch(describeValue(value));
  }
  if (dtypeName(value.dtype) !== resolved.type.dtype) return mismatch(formatTensor(value));
  const { leading, axes } = fixedAxes(resolved.type, typeScope);
  const offset = value.shape.length - axes.length;
  if (leading ? offset < 0 : offset !== 0) return mismatch(formatTensor(value));
  const lead = formatShape(value.shape.slice(0, offset));
  if (leading && bindings.leading && formatShape(bindings.leading.shape) !== lead) return mismatch(formatTensor(value));
  axes.forEach((axis, place) => {
    const size = value.shape[place + offset]!;
    const known = knownSize(axis, typeScope);
    if (known === undefined && typeof axis.size === "object" && axis.size.kind === "name") {
      const label = { span: value.span, text: `${axis.size.name} is ${size}, from the result` };
      bindings.sizes.set(axis.size.name, { size, label });
      return;
    }
    const expected = known ?? evaluate(axis.size as Expression, typeScope);
    const number = typeof expected === "number" ? expected : expected.kind === "int" ? expected.value : undefined;
    if (number !== size) mismatch(formatTensor(value));
  });
  return value;
}
