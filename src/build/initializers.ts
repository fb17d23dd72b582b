/** How stored tensors and slots start. */
import type { Span } from "../../dsl/diagnostics/diagnostic.js";
import { buildMessages as messages } from "../../dsl/diagnostics/messages/build.js";
import { type Dtype, isFloat } from "../graph/dtype.js";
import { elementCount, formatShape, type Shape } from "../graph/shape.js";
import { type Context, fail } from "./context.js";
import { requireHolds } from "./limits.js";
import type { Initializer, InitializerPart } from "./model.js";
import { describeValue, dtypeName, type InitializerValue, type Value } from "./values.js";

/** Products of all axes but the first (fan in) and but the second (fan out), as for a linear map [out, in, ..]. */
export const fanIn = (shape: Shape): number => elementCount(shape.slice(1));
export const fanOut = (shape: Shape): number => elementCount([shape[0] ?? 1, ...shape.slice(2)]);

/** Settles an initial value for a shape: an initializer, a number, or a (nested) list of numbers, row-major. */
export function resolveInitializer(
  context: Context,
  value: Value,
  shape: Shape,
  dtype: Dtype,
  span: Span,
): Initializer {
  switch (value.kind) {
    case "initializer": {
      const initializer = settle(value.initializer, shape);
      if (initializer.kind === "constant") requireStored(context, initializer.value, dtype, span);
      if (initializer.kind === "parts") requireInside(context, initializer.parts, shape, span);
      if (initializer.kind === "distinct") requireDistinct(context, initializer.below, shape, dtype, span);
      return initializer;
    }
    case "int":
    case "float":
    case "bool": {
      const number = Number(value.value);
      requireStored(context, number, dtype, span);
      return number === 0 ? { kind: "zeros" } : { kind: "constant", value: number };
    }
    case "list": {
      const values = flatten(context, value, span);
      if (values.length !== elementCount(shape)) {
        return fail(context, messages.initializerCount, span, { count: values.length, wanted: elementCount(shape) });
      }
      for (const number of values) requireStored(context, number, dtype, span);
      return { kind: "values", values };
    }
    default:
      return fail(context, messages.badInitializer, span, { found: describeValue(value) });
  }
}

/** A stored tensor of ints takes no fractions, one of truth values only 0 and 1. */
function requireStored(context: Context, value: number, dtype: Dtype, span: Span): void {
  requireHolds(context, value, dtype, span);
  if (isFloat(dtype) || (dtype === "bool" ? value === 0 || value === 1 : Number.isInteger(value))) return;
  fail(context, messages.badInitializer, span, { found: `${value} in a tensor of ${dtypeName(dtype)}s` });
}

/** `memory.initial()` is for tensors whose last axes are those of `memory.tokens`. */
function requireInside(context: Context, parts: readonly InitializerPart[], shape: Shape, span: Span): void {
  // A kind of token is a stretch of the third axis from the end, and all of the others.
  const stretched = shape.length - 3;
  const fits = parts.every(
    ({ limits }) =>
      limits.length === shape.length &&
      limits.every((limit, axis) => limit === shape[axis] || (axis === stretched && limit < shape[axis]!)),
  );
  if (!fits) fail(context, messages.badInitializer, span, { found: `tokens do, in a tensor ${formatShape(shape)}` });
}

/** Distinct ints are for tensors of ints, and there must be enough of them. */
function requireDistinct(context: Context, below: number, shape: Shape, dtype: Dtype, span: Span): void {
  const refuse = (found: string) => fail(context, messages.badInitializer, span, { found });
  if (dtype !== "i32") refuse(`distinct ints in a tensor of ${dtypeName(dtype)}s`);
  requireHolds(context, below, dtype, span);
  const count = elementCount(shape);
  if (count > below) refuse(`${count} distinct ints, since only ${below} are below ${below}`);
}

function settle(initializer: InitializerValue["initializer"], shape: Shape): Initializer {
  switch (initializer.kind) {
    case "kaiming":
      return { kind: "uniform", bound: 1 / Math.sqrt(fanIn(shape)) };
    case "xavier":
      return { kind: "uniform", bound: Math.sqrt(6 / (fanIn(shape) + fanOut(shape))) };
    case "parts": {
      // Boxes of the last axes; leading ones are whole: `param table: [n, ...memory.grid.shape] = memory.initial()`.
      const parts = initializer.parts.map(({ starts, limits, initializer: part }) => {
        const lead = shape.slice(0, Math.max(shape.length - starts.length, 0));
        return { starts: [...lead.map(() => 0), ...starts], limits: [...lead, ...limits], initializer: part };
      });
      return { kind: "parts", parts };
    }
    default:
      return initializer;
  }
}

/** The numbers of a nested list, row-major. */
export function flatten(context: Context, value: Value, span: Span): number[] {
  if (value.kind === "list") return value.items.flatMap((item) => flatten(context, item, span));
  if (value.kind === "int" || value.kind === "float") return [value.value];
  if (value.kind === "bool") return [Number(value.value)];
  return fail(context, messages.badInitializer, span, { found: describeValue(value) });
}

/** Equality of settled initializers. */
export const sameInitializer = (a: Initializer, b: Initializer): boolean => JSON.stringify(a) === JSON.stringify(b);
