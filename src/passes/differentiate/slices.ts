import type { GraphBuilder } from "../../graph/builder.js";
import type { ValueId } from "../../graph/node.js";
import { type Shape, sameShape, type TensorType } from "../../graph/shape.js";
import { constant, pad, reshape, scale } from "../../primitives/operations.js";

/** The cotangent of `value[starts:limits:steps]`. */
export interface SliceCotangent {
  readonly starts: readonly number[];
  readonly limits: readonly number[];
  readonly steps: readonly number[];
  readonly cotangent: ValueId;
}

/** Deeper nests of concatenations than this are not worth telling apart from overlaps. */
const deepestNest = 32;

/**
 * The cotangent of a tensor from the cotangents of its slices. Slices that are disjoint along an axis become one concat along it, gaps filled with
 * zeros, so that every element is written once however many slices there are; slices of slices nest. Slices that interleave
 * (`x[0::2]`, `x[1::2]`) are joined along an axis of their own. Only what truly overlaps is a sum, of tensors as large as the overlap.
 */
export function collectSlices(builder: GraphBuilder, type: TensorType, slices: readonly SliceCotangent[]): ValueId {
  const filled = slices.filter((slice) => slice.limits.every((limit, axis) => limit > slice.starts[axis]!));
  if (filled.length === 0) return constant(builder, 0, type.shape, type.dtype);
  const distinct = addEqualSlices(builder, filled);
  const interleaved = splitInterleavedAxes(builder, type.shape, distinct);
  const dense = interleaved.slices.filter((slice) => slice.steps.every((step) => step === 1));
  const sparse = interleaved.slices.filter((slice) => slice.steps.some((step) => step !== 1));

  const parts = sparse.map((slice) => padToRegion(builder, slice, wholeRegion(interleaved.shape)));
  if (dense.length > 0) {
    const assembler = { builder, dtype: type.dtype };
    parts.push(assemble(assembler, wholeRegion(interleaved.shape), dense, 0));
  }
  return reshape(builder, sumOf(builder, parts), type.shape);
}

/** The sum of one or more values of one type; a value that occurs several times is scaled. */
export function sumOf(builder: GraphBuilder, values: readonly ValueId[]): ValueId {
  const counts = new Map<ValueId, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts]
    .map(([value, count]) => scale(builder, value, count))
    .reduce((sum, value) => builder.add("add", [sum, value], {}));
}

function addEqualSlices(builder: GraphBuilder, slices: readonly SliceCotangent[]): SliceCotangent[] {
  const distinct = new Map<string, SliceCotangent>();
  for (const slice of slices) {
    const key = `${slice.starts}|${slice.limits}|${slice.steps}`;
    const known = distinct.get(key);
    const cotangent = known ? builder.add("add", [known.cotangent, slice.cotangent], {}) : slice.cotangent;
    distinct.set(key, { ...slice, cotangent });
  }
  return [...distinct.values()];
}

/** Where every slice takes each s-th element of an axis, from end to end, the axis is seen as [size / s, s], and the slices as dense. */
function splitInterleavedAxes(
  builder: GraphBuilder,
  shape: Shape,
  slices: readonly SliceCotangent[],
): { shape: Shape; slices: readonly SliceCotangent[] } {
  const strides = shape.map((size, axis) => {
    const step = slices[0]!.steps[axis]!;
    const whole = slices.every(
      (slice) =>
        slice.steps[axis] === step &&
        slice.starts[axis]! < step &&
        slice.limits[axis]! > size - step + slice.starts[axis]!,
    );
    return step > 1 && size % step === 0 && whole ? step : 1;
  });
  if (strides.every((stride) => stride === 1)) return { shape, slices };

  const expand = (one: (axis: number) => number, inner: (axis: number) => number): number[] =>
    shape.flatMap((_, axis) => (strides[axis]! > 1 ? [one(axis), inner(axis)] : [one(axis)]));
  const count = (axis: number): number => shape[axis]! / strides[axis]!;
  return {
    shape: expand(count, (axis) => strides[axis]!),
    slices: slices.map((slice) => {
      const { starts, limits, steps } = slice;
      const sizes = builder.shape(slice.cotangent);
      return {
        starts: expand(
          (axis) => (strides[axis]! > 1 ? 0 : starts[axis]!),
          (axis) => starts[axis]!,
        ),
        limits: expand(
          (axis) => (strides[axis]! > 1 ? count(axis) : limits[axis]!),
          (axis) => starts[axis]! + 1,
        ),
        steps: expand(
          (axis) => (strides[axis]! > 1 ? 1 : steps[axis]!),
          () => 1,
        ),
        cotangent: reshape(
          builder,
          slice.cotangent,
          expand(
            (axis) => sizes[axis]!,
            () => 1,
          ),
        ),
      };
    }),
  };
}

/** A box of the tensor. */
interface Region {
  readonly lows: readonly number[];
  readonly highs: readonly number[];
}

const wholeRegion = (shape: Shape): Region => ({ lows: shape.map(() => 0), highs: shape });

const regionOf = (slice: SliceCotangent): Region => ({ lows: slice.starts, highs: slice.limits });

const sameRegion = (a: Region, b: Region): boolean => sameShape(a.lows, b.lows) && sameShape(a.highs, b.highs);

interface Assembler {
  readonly builder: GraphBuilder;
  readonly dtype: TensorType["dtype"];
}

/** The cotangent of `region` from dense slices inside it. */
function assemble(assembler: Assembler, region: Region, slices: readonly SliceCotangent[], depth: number): ValueId {
  const { builder } = assembler;
  const whole = slices.filter((slice) => sameRegion(regionOf(slice), region));
  if (whole.length > 0) {
    const others = slices.filter((slice) => !sameRegion(regionOf(slice), region));
    const parts = whole.map((slice) => slice.cotangent);
    if (others.length > 0) parts.push(assemble(assembler, region, others, depth));
    return sumOf(builder, parts);
  }
  if (slices.length === 1) return padToRegion(builder, slices[0]!, region);

  for (let axis = 0; depth < deepestNest && axis < region.lows.length; axis++) {
    const groups = disjointGroups(slices, axis);
    if (groups.length > 1) return joinGroups(assembler, region, groups, axis, depth);
  }
  const bounds = boundsOf(slices);
  const overlapping = sumOf(
    builder,
    slices.map((slice) => padToRegion(builder, slice, bounds)),
  );
  const steps = region.lows.map(() => 1);
  return padToRegion(builder, { starts: bounds.lows, limits: bounds.highs, steps, cotangent: overlapping }, region);
}

interface Group {
  readonly start: number;
  readonly limit: number;
  readonly slices: readonly SliceCotangent[];
}

/** Groups of slices whose intervals on `axis` do not meet, in order. */
function disjointGroups(slices: readonly SliceCotangent[], axis: number): Group[] {
  const ordered = [...slices].sort((a, b) => a.starts[axis]! - b.starts[axis]!);
  const groups: { start: number; limit: number; slices: SliceCotangent[] }[] = [];
  for (const slice of ordered) {
    const last = groups.at(-1);
    if (last && slice.starts[axis]! < last.limit) {
      last.slices.push(slice);
      last.limit = Math.max(last.limit, slice.limits[axis]!);
    } else {
      groups.push({ start: slice.starts[axis]!, limit: slice.limits[axis]!, slices: [slice] });
    }
  }
  return groups;
}

function joinGroups(
  assembler: Assembler,
  region: Region,
  groups: readonly Group[],
  axis: number,
  depth: number,
): ValueId {
  const { builder, dtype } = assembler;
  const parts: ValueId[] = [];
  let position = region.lows[axis]!;
  const fillUpTo = (limit: number): void => {
    if (limit === position) return;
    const shape = region.highs.map((high, other) => (other === axis ? limit - position : high - region.lows[other]!));
    parts.push(constant(builder, 0, shape, dtype));
  };
  for (const group of groups) {
    fillUpTo(group.start);
    const lows = region.lows.with(axis, group.start);
    const highs = region.highs.with(axis, group.limit);
    parts.push(assemble(assembler, { lows, highs }, group.slices, depth + 1));
    position = group.limit;
  }
  fillUpTo(region.highs[axis]!);
  return builder.add("concat", parts, { axis });
}

function boundsOf(slices: readonly SliceCotangent[]): Region {
  const axes = slices[0]!.starts.map((_, axis) => axis);
  return {
    lows: axes.map((axis) =>
      slices.reduce((low, slice) => Math.min(low, slice.starts[axis]!), Number.POSITIVE_INFINITY),
    ),
    highs: axes.map((axis) => slices.reduce((high, slice) => Math.max(high, slice.limits[axis]!), 0)),
  };
}

/** The slice's cotangent with zeros around (and, for steps, between) its elements. */
function padToRegion(builder: GraphBuilder, slice: SliceCotangent, region: Region): ValueId {
  const { starts, steps, cotangent } = slice;
  const sizes = builder.shape(cotangent);
  const low = starts.map((start, axis) => start - region.lows[axis]!);
  const interior = steps.map((step, axis) => (sizes[axis] === 1 ? 0 : step - 1));
  const high = starts.map((start, axis) => region.highs[axis]! - (start + (sizes[axis]! - 1) * steps[axis]! + 1));
  return pad(builder, cotangent, low, high, interior);
}
