/** How large things may be: mistakes end in a message before they end in an exhausted machine. */
import type { Span } from "../../dsl/diagnostics/diagnostic.js";
import { buildMessages as messages } from "../../dsl/diagnostics/messages/build.js";
import { type Dtype, isFloat } from "../graph/dtype.js";
import { type Context, fail } from "./context.js";

/** Numbers in one tensor. */
export const mostNumbers = 2 ** 40;

/** Numbers of one slot, or of its tokens: the proof that a layout loses none goes through each of them. */
export const mostProven = 2 ** 26;

/** Items of a compile-time list, and characters of a string. */
export const mostItems = 1_000_000;

/** Operations that one entry point unrolls to. */
export const mostOperations = 2_000_000;

/** Refuses a list or string that would be too long, before it is made. */
export function requireLength(context: Context, length: number, span: Span, what = "list", parts = "items"): void {
  if (length <= mostItems) return;
  fail(context, messages.tooLong, span, { what: `this ${what} would have ${length} ${parts}`, most: mostItems });
}

/** Refuses a compile-time result that is no number, infinite, or an int that is not exact. */
export function requireExact(context: Context, value: number, whole: boolean, span: Span): void {
  if (whole ? Number.isSafeInteger(value) : Number.isFinite(value)) return;
  const text = Number.isNaN(value)
    ? "this is not a number"
    : whole
      ? `this int would be about ${value.toPrecision(3)}, too large to be exact`
      : "this is infinite";
  fail(context, messages.badNumber, span, { text });
}

const largestFloat = 3.4028234663852886e38;
const [smallestInt, largestInt] = [-(2 ** 31), 2 ** 31 - 1];

/** Refuses a number that a tensor of that type cannot hold. */
export function requireHolds(context: Context, value: number, dtype: Dtype, span: Span): void {
  const fits = isFloat(dtype)
    ? Math.abs(value) <= largestFloat
    : dtype !== "i32" || (value >= smallestInt && value <= largestInt);
  if (fits) return;
  fail(context, messages.badNumber, span, {
    text: `${value} is beyond what a tensor of ${isFloat(dtype) ? "floats" : "ints"} can hold`,
  });
}
