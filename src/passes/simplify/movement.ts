/** Laws of movement: reshape, transpose, broadcast, slice, pad, concat. */

import type { ValueId } from "../../graph/node.js";
import { contiguousStrides, elementCount, type Shape, sameShape } from "../../graph/shape.js";
import { broadcast, reshape, transpose } from "../../primitives/operations.js";
import { readStrided } from "../../primitives/strided.js";
import { type AnyRule, rule } from "./rule.js";

export const withoutUnits = (shape: Shape): number[] => shape.filter((size) => size !== 1);

const ordinaryAxes = (shape: Shape): number[] => [...shape.keys()].filter((axis) => shape[axis] !== 1);

/** Whether two shapes differ only in axes of size 1. */
export const differInUnits = (a: Shape, b: Shape): boolean => sameShape(withoutUnits(a), withoutUnits(b));

export const movementRules: readonly AnyRule[] = [
  // ---- reshape
  rule("reshape", "reshape to its own shape = x", (b, [x], { shape }) =>
    sameShape(b.shape(x), shape) ? x : undefined,
  ),
  rule("reshape", "reshape(constant) = constant", (b, [x], { shape }) => {
    const value = b.splat(x);
    return value === undefined ? undefined : b.constant(b.type(x).dtype, shape, value);
  }),
  rule("reshape", "reshape(table) = table", (b, [x], { shape }) => {
    const table = b.producer(x, "table");
    return table && b.add("table", [], { dtype: table.attributes.dtype, shape, values: table.attributes.values });
  }),
  rule("reshape", "reshape(reshape(x)) = reshape(x)", (b, [x], { shape }) => {
    const inner = b.producer(x, "reshape");
    return inner && b.add("reshape", [inner.inputs[0]!], { shape });
  }),
  rule("reshape", "reshape(broadcast(number)) = broadcast(number)", (b, [x], { shape }) => {
    const inner = b.producer(x, "broadcast");
    if (!inner || b.shape(inner.inputs[0]!).length > 0) return undefined;
    return b.add("broadcast", [inner.inputs[0]!], { shape, axes: [] });
  }),
  rule("reshape", "a broadcast with unit axes added or dropped is a broadcast", (b, [x], { shape }) => {
    const inner = b.producer(x, "broadcast");
    if (!inner || !differInUnits(inner.attributes.shape, shape)) return undefined;
    if (b.shape(inner.inputs[0]!).includes(1)) return undefined;
    const [before, after] = [ordinaryAxes(inner.attributes.shape), ordinaryAxes(shape)];
    const axes = inner.attributes.axes.map((axis) => after[before.indexOf(axis)]!);
    return b.add("broadcast", [inner.inputs[0]!], { shape, axes });
  }),

  // ---- transpose
  rule("transpose", "transpose(constant) = constant", (b, [x], { permutation }) => {
    const value = b.splat(x);
    if (value === undefined) return undefined;
    const { dtype, shape } = b.type(x);
    return b.constant(
      dtype,
      permutation.map((axis) => shape[axis]!),
      value,
    );
  }),
  rule("transpose", "transpose(table) = table", (b, [x], { permutation }) => {
    const table = b.producer(x, "table");
    if (!table) return undefined;
    const strides = contiguousStrides(table.attributes.shape);
    const shape = permutation.map((axis) => table.attributes.shape[axis]!);
    const data = Float64Array.from(table.attributes.values);
    const values = [
      ...readStrided(
        data,
        0,
        shape,
        permutation.map((axis) => strides[axis]!),
      ),
    ];
    return b.add("table", [], { dtype: table.attributes.dtype, shape, values });
  }),
  rule("transpose", "transpose(transpose(x)) = transpose(x)", (b, [x], { permutation }) => {
    const inner = b.producer(x, "transpose");
    if (!inner) return undefined;
    const composed = permutation.map((axis) => inner.attributes.permutation[axis]!);
    return b.add("transpose", [inner.inputs[0]!], { permutation: composed });
  }),
  rule("transpose", "moving only unit axes is a reshape", (b, [x], { permutation }) => {
    const shape = b.shape(x);
    const moved = permutation.filter((axis) => shape[axis] !== 1);
    if (!moved.every((axis, index) => index === 0 || axis > moved[index - 1]!)) return undefined;
    return b.add("reshape", [x], { shape: permutation.map((axis) => shape[axis]!) });
  }),
  rule("transpose", "transpose(broadcast(x)) = broadcast(transpose(x))", (b, [x], { permutation }) => {
    const inner = b.producer(x, "broadcast");
    if (!inner) return undefined;
    const { shape, axes } = inner.attributes;
    // Where each axis of the smaller tensor ends up, and in which order.
    const places = axes.map((axis) => permutation.indexOf(axis));
    const order = [...places.keys()].sort((first, second) => places[first]! - places[second]!);
    const source = transpose(b, inner.inputs[0]!, order);
    return broadcast(
      b,
      source,
      permutation.map((axis) => shape[axis]!),
      order.map((place) => places[place]!),
    );
  }),
  rule("transpose", "transpose(x . y) = x . y with other labels", (b, [x], { permutation }) => {
    const product = b.producer(x, "contraction");
    if (!product || !b.usedOnce(x)) return undefined;
    const { lhs, rhs, out } = product.attributes;
    return b.add("contraction", product.inputs, { lhs, rhs, out: permutation.map((axis) => out[axis]!) });
  }),

  // ---- broadcast
  rule("broadcast", "broadcast(constant) = constant", (b, [x], { shape }) => {
    const value = b.splat(x);
    return value === undefined ? undefined : b.constant(b.type(x).dtype, shape, value);
  }),
  rule("broadcast", "broadcast along unit axes = reshape(x)", (b, [x], { shape }) =>
    elementCount(shape) === elementCount(b.shape(x)) ? b.add("reshape", [x], { shape }) : undefined,
  ),
  rule("broadcast", "broadcast(broadcast(x)) = broadcast(x)", (b, [x], { shape, axes }) => {
    const inner = b.producer(x, "broadcast");
    if (!inner) return undefined;
    return b.add("broadcast", [inner.inputs[0]!], { shape, axes: inner.attributes.axes.map((axis) => axes[axis]!) });
  }),
  rule("broadcast", "what is broadcast has no unit axes", (b, [x], { shape, axes }) => {
    const from = b.shape(x);
    if (!from.includes(1)) return undefined;
    const kept = axes.filter((_, place) => from[place] !== 1);
    return b.add("broadcast", [reshape(b, x, withoutUnits(from))], { shape, axes: kept });
  }),

  // ---- pad
  rule("pad", "pad by nothing = x", (_, [x], { low, high, interior }) =>
    [low, high, interior].every((sizes) => sizes.every((size) => size === 0)) ? x : undefined,
  ),
  rule("pad", "pad(0) = 0", (b, [x], { low, high, interior }) => {
    if (b.splat(x) !== 0) return undefined;
    const { dtype, shape } = b.type(x);
    const padded = shape.map((size, axis) => low[axis]! + size + Math.max(size - 1, 0) * interior[axis]! + high[axis]!);
    return b.constant(dtype, padded, 0);
  }),
  rule("pad", "pad(pad(x)) = pad(x)", (b, [x], { low, high, interior }) => {
    const inner = b.producer(x, "pad");
    if (!inner || [interior, inner.attributes.interior].some((sizes) => sizes.some((size) => size > 0)))
      return undefined;
    return b.add("pad", [inner.inputs[0]!], {
      low: low.map((size, axis) => size + inner.attributes.low[axis]!),
      high: high.map((size, axis) => size + inner.attributes.high[axis]!),
      interior,
    });
  }),

  // ---- concat
  rule("concat", "concat(x) = x", (_, inputs) => (inputs.length === 1 ? inputs[0] : undefined)),
  rule("concat", "concat(x, nothing) = x", (b, inputs, { axis }) => {
    const filled = inputs.filter((input) => b.shape(input)[axis]! > 0);
    return filled.length < inputs.length && filled.length > 0 ? b.add("concat", filled, { axis }) : undefined;
  }),
  rule("concat", "concat(concat(x, y), z) = concat(x, y, z)", (b, inputs, { axis }) => {
    const isNested = (input: ValueId): boolean => {
      const inner = b.producer(input, "concat");
      return inner?.attributes.axis === axis && inner.inputs.length <= shortConcat && b.usedOnce(input);
    };
    if (!inputs.some(isNested)) return undefined;
    const flat = inputs.flatMap((input) => (isNested(input) ? b.producer(input, "concat")!.inputs : [input]));
    return b.add("concat", flat, { axis });
  }),
  rule("concat", "concat(c, c) = c", (b, inputs, { axis }) => {
    const parts: ValueId[] = [];
    for (const input of inputs) {
      const last = parts.at(-1);
      const value = b.splat(input);
      if (last === undefined || value === undefined || b.splat(last) !== value) parts.push(input);
      else {
        const { dtype, shape } = b.type(input);
        parts[parts.length - 1] = b.constant(dtype, shape.with(axis, shape[axis]! + b.shape(last)[axis]!), value);
      }
    }
    return parts.length < inputs.length ? b.add("concat", parts, { axis }) : undefined;
  }),
  rule("concat", "concat(x[a:b], x[b:c]) = x[a:c]", (b, inputs, { axis }) => {
    const parts: ValueId[] = [];
    for (const input of inputs) {
      const [last, next] = [parts.at(-1), b.producer(input, "slice")];
      const previous = last === undefined ? undefined : b.producer(last, "slice");
      const adjacent =
        previous &&
        next &&
        previous.inputs[0] === next.inputs[0] &&
        previous.attributes.steps[axis] === 1 &&
        sameShape(previous.attributes.steps, next.attributes.steps) &&
        sameShape(previous.attributes.starts.with(axis, previous.attributes.limits[axis]!), next.attributes.starts) &&
        sameShape(previous.attributes.limits.with(axis, next.attributes.limits[axis]!), next.attributes.limits);
      if (!adjacent) parts.push(input);
      else {
        const { starts, steps } = previous.attributes;
        const joined = { starts, limits: next.attributes.limits, steps };
        parts[parts.length - 1] = b.add("slice", [next.inputs[0]!], joined);
      }
    }
    return parts.length < inputs.length ? b.add("concat", parts, { axis }) : undefined;
  }),
];

/** A nested concat longer than this stays, so that a chain of them is not copied at every link. */
const shortConcat = 32;
