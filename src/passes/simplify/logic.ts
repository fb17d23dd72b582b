/** Laws of conditions and conversions. */
import { type Dtype, isFloat } from "../../graph/dtype.js";
import type { ValueId } from "../../graph/node.js";
import { constantLike } from "../../primitives/operations.js";
import type { SimplifyingBuilder } from "./builder.js";
import { type AnyRule, rule, rules } from "./rule.js";

/** What each dtype holds exactly besides itself. */
const widerThan: Readonly<Record<Dtype, readonly Dtype[]>> = {
  bool: ["i32", "u32", "f16", "bf16", "f32", "f64"],
  f16: ["f32", "f64"],
  bf16: ["f32", "f64"],
  f32: ["f64"],
  f64: [],
  i32: ["f64"],
  u32: ["f64"],
};

const truth = (b: SimplifyingBuilder, like: ValueId, value: boolean): ValueId =>
  b.constant("bool", b.shape(like), value ? 1 : 0);

/** Lowest and highest element, where they are plain to see. */
function boundsOf(b: SimplifyingBuilder, value: ValueId): readonly [number, number] | undefined {
  const splat = b.splat(value);
  if (splat !== undefined) return [splat, splat];
  const indices = b.producer(value, "iota");
  return indices && [0, indices.attributes.shape[indices.attributes.axis]! - 1];
}

export const logicRules: readonly AnyRule[] = [
  rule("and", "x and true = x", (b, [x, y]) => (b.splat(y) === 1 ? x : undefined)),
  rule("and", "x and false = false", (b, [, y]) => (b.splat(y) === 0 ? y : undefined)),
  rule("or", "x or true = true", (b, [, y]) => (b.splat(y) === 1 ? y : undefined)),
  rule("or", "x or false = x", (b, [x, y]) => (b.splat(y) === 0 ? x : undefined)),
  ...rules(
    ["and", "or"],
    "x and x = x",
    () =>
      (_, [x, y]) =>
        x === y ? x : undefined,
  ),
  rule("not", "not not x = x", (b, [x]) => b.producer(x, "not")?.inputs[0]),

  ...rules(
    ["equal", "less_equal"],
    "i = i",
    () =>
      (b, [x, y]) =>
        x === y && !isFloat(b.type(x).dtype) ? truth(b, x, true) : undefined,
  ),
  rule("less", "not x < x", (b, [x, y]) => (x === y ? truth(b, x, false) : undefined)),
  rule("less", "an index is below its axis' size", (b, [x, y]) => {
    const [left, right] = [boundsOf(b, x), boundsOf(b, y)];
    if (!left || !right) return undefined;
    if (left[1] < right[0]) return truth(b, x, true);
    return left[0] >= right[1] ? truth(b, x, false) : undefined;
  }),
  rule("less_equal", "an index is at most its axis' last", (b, [x, y]) => {
    const [left, right] = [boundsOf(b, x), boundsOf(b, y)];
    if (!left || !right) return undefined;
    if (left[1] <= right[0]) return truth(b, x, true);
    return left[0] > right[1] ? truth(b, x, false) : undefined;
  }),

  rule("select", "true ? x : y = x", (b, [condition, x, y]) => {
    const value = b.splat(condition);
    return value === undefined ? undefined : value === 0 ? y : x;
  }),
  rule("select", "c ? x : x = x", (_, [, x, y]) => (x === y ? x : undefined)),
  rule("select", "not c ? x : y = c ? y : x", (b, [condition, x, y]) => {
    const opposite = b.producer(condition, "not");
    return opposite && b.add("select", [opposite.inputs[0]!, y, x], {});
  }),
  rule("select", "c ? true : false = c", (b, [condition, x, y]) => {
    if (b.type(x).dtype !== "bool") return undefined;
    if (b.splat(x) === 1 && b.splat(y) === 0) return condition;
    return b.splat(x) === 0 && b.splat(y) === 1 ? b.add("not", [condition], {}) : undefined;
  }),
  rule("select", "c ? (c ? x : y) : z = c ? x : z", (b, [condition, x, z]) => {
    const inner = b.producer(x, "select");
    return inner?.inputs[0] === condition ? b.add("select", [condition, inner.inputs[1]!, z], {}) : undefined;
  }),
  rule("select", "c ? x : (c ? y : z) = c ? x : z", (b, [condition, x, y]) => {
    const inner = b.producer(y, "select");
    return inner?.inputs[0] === condition ? b.add("select", [condition, x, inner.inputs[2]!], {}) : undefined;
  }),

  rule("cast", "x as its own type = x", (b, [x], { dtype }) => (b.type(x).dtype === dtype ? x : undefined)),
  rule("cast", "(x as wider) as t = x as t", (b, [x], { dtype }) => {
    const inner = b.producer(x, "cast");
    if (!inner) return undefined;
    const source = inner.inputs[0]!;
    return widerThan[b.type(source).dtype].includes(inner.attributes.dtype)
      ? b.add("cast", [source], { dtype })
      : undefined;
  }),

  rule("table", "a table of equal values is a constant", (b, _, { dtype, shape, values }) =>
    values.length > 0 && values.every((value) => value === values[0])
      ? b.constant(dtype, shape, values[0]!)
      : undefined,
  ),

  rule("attention", "a mask that hides nothing is no mask", (b, inputs, { scale, masked }) =>
    masked && b.splat(inputs[3]!) === 1
      ? b.addAll("attention", inputs.slice(0, 3), { scale, masked: false })
      : undefined,
  ),
  rule("attention_backward", "a mask that hides nothing is no mask", (b, inputs, { scale, masked }) => {
    if (!masked || b.splat(inputs[3]!) !== 1) return undefined;
    const others = inputs.filter((_, index) => index !== 3);
    return b.addAll("attention_backward", others, { scale, masked: false });
  }),
  rule("attention", "a mask equal for all heads has one head", (b, inputs, { scale, masked }) => {
    const mask = masked ? oneHead(b, inputs[3]!) : undefined;
    return mask && b.addAll("attention", inputs.toSpliced(3, 1, mask), { scale, masked });
  }),
  rule("attention_backward", "a mask equal for all heads has one head", (b, inputs, { scale, masked }) => {
    const mask = masked ? oneHead(b, inputs[3]!) : undefined;
    return mask && b.addAll("attention_backward", inputs.toSpliced(3, 1, mask), { scale, masked });
  }),
  rule("gather", "every row of a constant is the constant", (b, [table, indices], { batch }) => {
    const value = b.splat(table);
    if (value === undefined) return undefined;
    const rest = b.shape(table).slice(batch + 1);
    return b.constant(b.type(table).dtype, [...b.shape(indices), ...rest], value);
  }),
  rule("scatter_add", "sums of zeros are zero", (b, [updates, indices], { batch, size }) => {
    if (b.splat(updates) !== 0) return undefined;
    const shape = b.shape(updates);
    const rest = shape.slice(b.shape(indices).length);
    return b.constant(b.type(updates).dtype, [...shape.slice(0, batch), size, ...rest], 0);
  }),
  rule("stop_gradient", "a constant has no gradient to stop", (b, [x]) => {
    const value = b.splat(x);
    return value === undefined ? undefined : constantLike(b, value, x);
  }),
];

/** A mask [..., heads, n, m] that repeats over heads, as [..., 1, n, m]. */
function oneHead(b: SimplifyingBuilder, mask: ValueId): ValueId | undefined {
  const repeated = b.producer(mask, "broadcast");
  if (!repeated) return undefined;
  const { shape, axes } = repeated.attributes;
  const head = shape.length - 3;
  if (shape[head] === 1 || axes.includes(head)) return undefined;
  return b.add("broadcast", [repeated.inputs[0]!], { shape: shape.with(head, 1), axes });
}
