/** How stored tensors and slots start. */
import type { Span } from "../../dsl/diagnostics/diagnostic.js";
import { buildMessages as messages } from "../../dsl/diagnostics/messages/build.js";
import { elementCount, type Shape } from "../graph/shape.js";
import { type Context, fail } from "./context.js";
import type { Initializer } from "./model.js";
import { describeValue, type InitializerValue, type Value } from "./values.js";

/** Products of all axes but the first (fan in) and but the second (fan out), as for a linear map [out, in, ..]. */
export const fanIn = (shape: Shape): number => elementCount(shape.slice(1));
export const fanOut = (shape: Shape): number => elementCount([shape[0] ?? 1, ...shape.slice(2)]);

/** Settles an initial value for a shape: an initializer, a number, or a (nested) list of numbers, row-major. */
export function resolveInitializer(context: Context, value: Value, shape: Shape, span: Span): Initializer {
  switch (value.kind) {
    case "initializer":
      return settle(value.initializer, shape);
    case "int":
    case "float":
      return value.value === 0 ? { kind: "zeros" } : { kind: "constant", value: value.value };
    case "bool":
      return value.value ? { kind: "constant", value: 1 } : { kind: "zeros" };
    case "list": {
      const values = flatten(context, value, span);
      if (values.length !== elementCount(shape)) {
        return fail(context, messages.initializerCount, span, { count: values.length, wanted: elementCount(shape) });
      }
      return { kind: "values", values };
    }
    default:
      return fail(context, messages.badInitializer, span, { found: describeValue(value) });
  }
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
