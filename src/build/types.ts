/** Types as written: what kind of value they want, and the sizes of their axes. */
import type { Span } from "../../dsl/diagnostics/diagnostic.js";
import { buildMessages as messages } from "../../dsl/diagnostics/messages/build.js";
import type { Expression, Name, TensorType, Type } from "../../dsl/syntax/tree.js";
import type { Dtype } from "../graph/dtype.js";
import type { Shape } from "../graph/shape.js";
import { type Context, fail } from "./context.js";
import { evaluate } from "./evaluate.js";
import { isStaticKind } from "./kinds.js";
import type { Scope } from "./scope.js";
import { describeValue } from "./values.js";

export const dtypeOf = (type: TensorType): Dtype =>
  type.dtype === "float" ? "f32" : type.dtype === "int" ? "i32" : "bool";

type ResolvedType =
  | { readonly kind: "any" }
  | { readonly kind: "static"; readonly type: Type }
  | { readonly kind: "tensor"; readonly type: TensorType };

/** A parameter's type: a tensor (also through `memory.tokens`), a kind of compile-time value, or nothing said. */
export function resolveType(type: Type | undefined, scope: Scope): ResolvedType {
  if (!type) return { kind: "any" };
  if (type.kind === "tensor") return { kind: "tensor", type };
  if (type.kind === "tuple" || isStaticKind(type, scope)) return { kind: "static", type };
  const value = evaluate(pathExpression(type.path), scope);
  if (value.kind === "type") return { kind: "tensor", type: tensorType(value.shape, type.span) };
  return { kind: "static", type };
}

/** `memory.tokens` as an expression. */
function pathExpression(path: readonly Name[]): Expression {
  const [first, ...rest] = path;
  return rest.reduce<Expression>(
    (object, name) => ({ kind: "member", object, member: name, span: { ...object.span, end: name.span.end } }),
    { kind: "name", name: first!.text, span: first!.span },
  );
}

const tensorType = (shape: Shape, span: Span): TensorType => ({
  kind: "tensor",
  dtype: "float",
  axes: shape.map((value) => ({ kind: "size", size: { kind: "int", value, span }, span })),
  span,
});

export interface Fixed {
  /** A name that may bind, or an expression that is checked. */
  readonly size: Expression | number;
  readonly span: Span;
}

/** The axes of a type without `...`, with lists of sizes spelled out. */
export function fixedAxes(
  type: TensorType,
  scope: Scope,
): { readonly leading: boolean; readonly axes: readonly Fixed[] } {
  let leading = false;
  const axes: Fixed[] = [];
  for (const axis of type.axes) {
    switch (axis.kind) {
      case "leading":
        leading = true;
        break;
      case "upTo":
      case "size":
        axes.push({ size: axis.size, span: axis.span });
        break;
      case "spread": {
        const sizes = evaluate(axis.sizes, scope);
        if (sizes.kind !== "list") {
          const value = { name: "...", expected: "a list of ints", found: describeValue(sizes) };
          return fail(scope.context, messages.argumentKind, axis.span, value);
        }
        for (const size of sizes.items) axes.push({ size: size.kind === "int" ? size.value : 0, span: axis.span });
        break;
      }
    }
  }
  return { leading, axes };
}

/** A size that is known in the scope where the type stands. */
export function knownSize(axis: Fixed, scope: Scope): number | undefined {
  if (typeof axis.size === "number") return axis.size;
  if (axis.size.kind === "int") return axis.size.value;
  if (axis.size.kind !== "name") return undefined;
  const value = scope.lookup(axis.size.name);
  return value?.kind === "int" ? value.value : undefined;
}

/**
 * The shape of the mask beside a column of varying length, `[..24, d]`: the first axis alone. Undefined for a tensor of fixed shape.
 */
export function maskShape(context: Context, type: TensorType, shape: Shape): Shape | undefined {
  const place = type.axes.findLastIndex(({ kind }) => kind === "upTo");
  if (place < 0) return undefined;
  if (place === 0) return shape.slice(0, 1);
  return fail(context, messages.notSupported, type.axes[place]!.span, { what: "`..` on another axis than the first" });
}

/** The shape of a type whose sizes are all known; undefined when one is not. */
export function shapeOfType(type: TensorType, scope: Scope, leading?: Shape): Shape | undefined {
  const { leading: open, axes } = fixedAxes(type, scope);
  const sizes = axes.map((axis) => {
    const known = knownSize(axis, scope);
    if (known !== undefined || typeof axis.size === "number" || axis.size.kind === "name") return known;
    const value = evaluate(axis.size, scope);
    return value.kind === "int" ? value.value : undefined;
  });
  if (sizes.includes(undefined)) return undefined;
  return [...(open ? (leading ?? []) : []), ...(sizes as number[])];
}
