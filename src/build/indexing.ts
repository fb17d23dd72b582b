/** `x[i, 2:4, ..., none]`: compile-time indices and slices of lists and tensors, and gathering rows by an int tensor. */
import type { Span } from "../../dsl/diagnostics/diagnostic.js";
import { buildMessages as messages } from "../../dsl/diagnostics/messages/build.js";
import type { Expression, IndexItem } from "../../dsl/syntax/tree.js";
import { formatShape } from "../graph/shape.js";
import * as operations from "../primitives/operations.js";
import { type Context, fail } from "./context.js";
import { evaluate } from "./evaluate.js";
import { chooseModules } from "./indexed-modules.js";
import type { Scope } from "./scope.js";
import { emit, operandLabels } from "./trace.js";
import { describeValue, list, string, type TensorValue, type Value } from "./values.js";

export function index(object: Value, items: readonly IndexItem[], scope: Scope, span: Span): Value {
  const { context } = scope;
  switch (object.kind) {
    case "tensor":
      return indexTensor(object, items, scope, span);
    case "list":
    case "tuple":
    case "string":
      return indexSequence(object, items, scope, span);
    default:
      return fail(context, messages.wrongKind, span, { expected: "a tensor or a list", found: describeValue(object) });
  }
}

function indexSequence(
  object: Value & { readonly kind: "list" | "tuple" | "string" },
  items: readonly IndexItem[],
  scope: Scope,
  span: Span,
): Value {
  const { context } = scope;
  const [item] = items;
  const length = object.kind === "string" ? object.value.length : object.items.length;
  if (items.length !== 1 || !item || item.kind === "ellipsis" || item.kind === "new_axis") {
    return fail(context, messages.badIndex, span, { found: describeValue(object) });
  }
  if (item.kind === "at") {
    const value = evaluate(item.value, scope);
    if (value.kind === "tensor" && object.kind !== "string") {
      return chooseModules(context, object.items, value, item.span);
    }
    if (value.kind !== "int")
      return fail(context, messages.wrongKind, item.span, { expected: "an int", found: describeValue(value) });
    const place = inRange(context, value.value, length, item.span);
    return object.kind === "string" ? string(object.value[place]!) : object.items[place]!;
  }
  const range = sliceRange(item, length, scope);
  if (object.kind === "string") return string(object.value.slice(range.start, range.limit));
  const chosen = object.items.slice(range.start, range.limit).filter((_, place) => place % range.step === 0);
  return object.kind === "list" ? list(chosen) : { kind: "tuple", items: chosen };
}

function indexTensor(tensor: TensorValue, items: readonly IndexItem[], scope: Scope, span: Span): TensorValue {
  const { context } = scope;
  const rank = tensor.shape.length;
  const used = items.filter((item) => item.kind === "at" || item.kind === "slice").length;
  const ellipses = items.filter((item) => item.kind === "ellipsis").length;
  if (ellipses > 1) return fail(context, messages.severalEllipses, span, { count: ellipses });
  if (used > rank) {
    return fail(
      context,
      messages.tooManyIndices,
      span,
      { count: used, shape: formatShape(tensor.shape) },
      operandLabels([tensor]),
    );
  }
  const starts = tensor.shape.map(() => 0);
  const limits = [...tensor.shape];
  const steps = tensor.shape.map(() => 1);
  /** Axes of the result after slicing: an axis of the tensor, or a new one; dropped axes are left out. */
  const kept: (number | "new")[] = [];
  let rows: TensorValue | undefined;
  let axis = 0;
  for (const [place, item] of items.entries()) {
    switch (item.kind) {
      case "ellipsis":
        for (const end = axis + rank - used; axis < end; axis++) kept.push(axis);
        break;
      case "new_axis":
        kept.push("new");
        break;
      case "slice": {
        const range = sliceRange(item, tensor.shape[axis]!, scope);
        [starts[axis], limits[axis], steps[axis]] = [range.start, range.limit, range.step];
        kept.push(axis++);
        break;
      }
      case "at": {
        const value = evaluate(item.value, scope);
        if (value.kind === "tensor") {
          if (place !== 0 || value.dtype !== "i32") {
            return fail(
              context,
              messages.badIndex,
              item.span,
              { found: describeValue(value) },
              operandLabels([tensor]),
            );
          }
          rows = value;
          kept.push(axis++);
          break;
        }
        const position = indexNumber(context, value, tensor, axis, item.value);
        [starts[axis], limits[axis]] = [position, position + 1];
        axis++;
        break;
      }
    }
  }
  for (; axis < rank; axis++) kept.push(axis);
  const sliced = emit(context, span, [tensor], (builder) => {
    const part = operations.slice(builder, tensor.id, starts, limits, steps);
    const sizes = builder.shape(part);
    return operations.reshape(
      builder,
      part,
      kept.map((place) => (place === "new" ? 1 : sizes[place]!)),
    );
  });
  if (!rows) return sliced;
  const indices = rows.id;
  return emit(context, span, [sliced, rows], (builder) => operations.gather(builder, sliced.id, indices));
}

function indexNumber(
  context: Context,
  value: Value,
  tensor: TensorValue,
  axis: number,
  expression: Expression,
): number {
  if (value.kind !== "int") {
    return fail(context, messages.wrongKind, expression.span, { expected: "an int", found: describeValue(value) });
  }
  return inRange(context, value.value, tensor.shape[axis]!, expression.span);
}

function inRange(context: Context, value: number, size: number, span: Span): number {
  const place = value < 0 ? value + size : value;
  if (place < 0 || place >= size) return fail(context, messages.indexOutOfRange, span, { index: value, size });
  return place;
}

/** Bounds as in Python: negative ones count from the end, and both are cut to the axis. Steps are positive. */
function sliceRange(
  item: IndexItem & { readonly kind: "slice" },
  size: number,
  scope: Scope,
): { readonly start: number; readonly limit: number; readonly step: number } {
  const bound = (expression: Expression | undefined, fallback: number): number => {
    if (!expression) return fallback;
    const value = evaluate(expression, scope);
    if (value.kind !== "int") {
      return fail(scope.context, messages.wrongKind, expression.span, {
        expected: "an int",
        found: describeValue(value),
      });
    }
    return Math.min(Math.max(value.value < 0 ? value.value + size : value.value, 0), size);
  };
  const start = bound(item.start, 0);
  const limit = Math.max(bound(item.stop, size), start);
  const step = item.step ? evaluate(item.step, scope) : undefined;
  if (step && (step.kind !== "int" || step.value < 1)) {
    return fail(scope.context, messages.wrongKind, item.span, {
      expected: "a step of at least 1",
      found: describeValue(step),
    });
  }
  return { start, limit, step: step?.kind === "int" ? step.value : 1 };
}
