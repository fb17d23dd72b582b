/** Laws of slice: it moves towards what it is cut from, and ends as a slice of a stored or computed tensor. */

import type { ValueId } from "../../graph/node.js";
import { contiguousStrides, type Shape, sameShape } from "../../graph/shape.js";
import type { AttributesOf } from "../../primitives/names.js";
import { concat, pad, slice } from "../../primitives/operations.js";
import { readStrided } from "../../primitives/strided.js";
import type { SimplifyingBuilder } from "./builder.js";
import { differInUnits } from "./movement.js";
import { type AnyRule, rule } from "./rule.js";

type Cut = AttributesOf["slice"];

const sizesOf = ({ starts, limits, steps }: Cut): number[] =>
  starts.map((start, axis) => Math.ceil((limits[axis]! - start) / steps[axis]!));

/** A slice that spans more pieces of a concat than this stays, so that many overlapping ones do not copy its list each. */
const mostPieces = 16;

export const sliceRules: readonly AnyRule[] = [
  rule("slice", "x[:] = x", (b, [x], cut) => (sameShape(sizesOf(cut), b.shape(x)) ? x : undefined)),
  rule("slice", "constant[a:b] = constant", (b, [x], cut) => {
    const value = b.splat(x);
    return value === undefined ? undefined : b.constant(b.type(x).dtype, sizesOf(cut), value);
  }),
  rule("slice", "table[a:b] = table", (b, [x], cut) => {
    const table = b.producer(x, "table");
    if (!table) return undefined;
    const { dtype, shape, values } = table.attributes;
    const strides = contiguousStrides(shape);
    const offset = cut.starts.reduce((sum, start, axis) => sum + start * strides[axis]!, 0);
    const steps = strides.map((stride, axis) => stride * cut.steps[axis]!);
    const sizes = sizesOf(cut);
    return b.add("table", [], {
      dtype,
      shape: sizes,
      values: [...readStrided(Float64Array.from(values), offset, sizes, steps)],
    });
  }),
  rule("slice", "a limit is one past the last element", (b, [x], { starts, limits, steps }) => {
    const sizes = sizesOf({ starts, limits, steps });
    const single = steps.map((step, axis) => (sizes[axis]! <= 1 ? 1 : step));
    const last = limits.map((limit, axis) =>
      sizes[axis]! === 0 ? limit : starts[axis]! + (sizes[axis]! - 1) * steps[axis]! + 1,
    );
    if (sameShape(last, limits) && sameShape(single, steps)) return undefined;
    return b.add("slice", [x], { starts, limits: last, steps: single });
  }),
  rule("slice", "x[a:b][c:d] = x[a+c:a+d]", (b, [x], cut) => {
    const inner = b.producer(x, "slice");
    if (!inner) return undefined;
    const sizes = sizesOf(cut);
    const steps = cut.steps.map((step, axis) => step * inner.attributes.steps[axis]!);
    const starts = cut.starts.map(
      (start, axis) => inner.attributes.starts[axis]! + start * inner.attributes.steps[axis]!,
    );
    const limits = starts.map((start, axis) =>
      sizes[axis] === 0 ? start : start + (sizes[axis]! - 1) * steps[axis]! + 1,
    );
    return b.add("slice", [inner.inputs[0]!], { starts, limits, steps });
  }),
  rule("slice", "broadcast(x)[a:b] = broadcast(x[a:b])", (b, [x], cut) => {
    const inner = b.producer(x, "broadcast");
    if (!inner) return undefined;
    const { axes } = inner.attributes;
    const pick = (numbers: readonly number[]): number[] => axes.map((axis) => numbers[axis]!);
    const source = slice(b, inner.inputs[0]!, pick(cut.starts), pick(cut.limits), pick(cut.steps));
    return b.add("broadcast", [source], { shape: sizesOf(cut), axes });
  }),
  rule("slice", "a slice of a reshape that adds unit axes", (b, [x], cut) => {
    const inner = b.producer(x, "reshape");
    if (!inner) return undefined;
    const source = inner.inputs[0]!;
    const [from, to] = [b.shape(source), b.shape(x)];
    if (!differInUnits(from, to) || sizesOf(cut).includes(0)) return undefined;
    const ordinary = [...to.keys()].filter((axis) => to[axis] !== 1);
    let next = 0;
    const places = from.map((size) => (size === 1 ? undefined : ordinary[next++]!));
    const pick = (numbers: readonly number[], unit: number): number[] =>
      places.map((axis) => (axis === undefined ? unit : numbers[axis]!));
    const part = b.add("slice", [source], {
      starts: pick(cut.starts, 0),
      limits: pick(cut.limits, 1),
      steps: pick(cut.steps, 1),
    });
    return b.add("reshape", [part], { shape: sizesOf(cut) });
  }),
  rule("slice", "pad(x)[a:b] = pad(x[c:d])", (b, [x], cut) => {
    const inner = b.producer(x, "pad");
    if (!inner || cut.steps.some((step) => step !== 1) || inner.attributes.interior.some((size) => size > 0))
      return undefined;
    return sliceOfPad(b, inner.inputs[0]!, inner.attributes.low, cut);
  }),
  rule("slice", "concat(x, y)[a:b] = x[a:b]", (b, [x], cut) => {
    const inner = b.producer(x, "concat");
    if (!inner) return undefined;
    const { axis } = inner.attributes;
    const [start, limit] = [cut.starts[axis]!, cut.limits[axis]!];
    if (limit === start) return undefined;
    const ends = b.concatEnds(inner);
    const [first, last] = [pieceAt(ends, start), pieceAt(ends, limit - 1)];
    const offset = (piece: number): number => (piece === 0 ? 0 : ends[piece - 1]!);
    if (first !== last) {
      const aligned = offset(first) === start && ends[last] === limit && cut.steps[axis] === 1;
      if (!aligned || last - first >= mostPieces) return undefined;
    }
    const parts = inner.inputs.slice(first, last + 1).map((piece, index) => {
      const from = offset(first + index);
      const size = b.shape(piece)[axis]!;
      const starts = cut.starts.with(axis, Math.max(start - from, 0));
      return slice(b, piece, starts, cut.limits.with(axis, Math.min(limit - from, size)), cut.steps);
    });
    return concat(b, parts, axis);
  }),
];

/** The first piece that ends after `position`. */
function pieceAt(ends: readonly number[], position: number): number {
  let [low, high] = [0, ends.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ends[middle]! > position) high = middle;
    else low = middle + 1;
  }
  return low;
}

function sliceOfPad(b: SimplifyingBuilder, source: ValueId, low: readonly number[], cut: Cut): ValueId {
  const shape: Shape = b.shape(source);
  const within = (position: number, axis: number): number => Math.min(Math.max(position - low[axis]!, 0), shape[axis]!);
  const starts = cut.starts.map(within);
  const limits = cut.limits.map(within);
  if (limits.some((limit, axis) => limit <= starts[axis]!)) return b.constant(b.type(source).dtype, sizesOf(cut), 0);
  const part = slice(b, source, starts, limits, cut.steps);
  const before = starts.map((start, axis) => start + low[axis]! - cut.starts[axis]!);
  const after = limits.map((limit, axis) => cut.limits[axis]! - (limit + low[axis]!));
  return pad(b, part, before, after);
}
