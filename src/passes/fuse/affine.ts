/** Affine functions of a kernel's coordinates: where in a tensor a point of the kernel looks. */
import { matchAxes } from "./strides.js";

/** offset + sum of strides[d] * coordinate d. */
export interface Affine {
  readonly offset: number;
  readonly strides: readonly number[];
}

/** The affine function must stay within 0 ..< size for a load to count. */
export interface Bound {
  readonly at: Affine;
  readonly size: number;
}

/** Asks for dimension number `place` of the space to be cut so that its inner part has `inner` points. */
export class SplitRequest {
  constructor(
    readonly place: number,
    readonly inner: number,
  ) {}
}

export const zero = (rank: number): Affine => ({ offset: 0, strides: new Array<number>(rank).fill(0) });

export const scaled = (a: Affine, factor: number): Affine => ({
  offset: a.offset * factor,
  strides: a.strides.map((stride) => stride * factor),
});

export const shifted = (a: Affine, by: number): Affine => (by === 0 ? a : { ...a, offset: a.offset + by });

export const sum = (a: Affine, b: Affine): Affine => ({
  offset: a.offset + b.offset,
  strides: a.strides.map((stride, place) => stride + b.strides[place]!),
});

/** Weighted sum of index functions, one for each axis. */
export function flatten(map: readonly Affine[], strides: readonly number[], rank: number): Affine {
  return map.reduce((total, at, axis) => sum(total, scaled(at, strides[axis]!)), zero(rank));
}

/** Smallest and largest value over a space that is not empty. */
export function rangeOf(a: Affine, extents: readonly number[]): readonly [number, number] {
  let [low, high] = [a.offset, a.offset];
  a.strides.forEach((stride, place) => {
    const reach = stride * Math.max(extents[place]! - 1, 0);
    if (reach < 0) low += reach;
    else high += reach;
  });
  return [low, high];
}

/**
 * Quotient and remainder by `divisor` as affine functions. Returns what has to be split first when that helps, and undefined when the
 * remainder is not affine.
 */
function divide(
  a: Affine,
  divisor: number,
  extents: readonly number[],
): readonly [Affine, Affine] | SplitRequest | undefined {
  const whole = Math.floor(a.offset / divisor);
  const quotient: Affine = {
    offset: whole,
    strides: a.strides.map((stride) => (stride % divisor === 0 ? stride / divisor : 0)),
  };
  const remainder: Affine = {
    offset: a.offset - whole * divisor,
    strides: a.strides.map((stride) => (stride % divisor === 0 ? 0 : stride)),
  };
  const [low, high] = rangeOf(remainder, extents);
  if (low >= 0 && high < divisor) return [quotient, remainder];
  for (const [place, stride] of remainder.strides.entries()) {
    if (stride <= 0 || stride >= divisor || divisor % stride !== 0) continue;
    const inner = divisor / stride;
    if (inner < extents[place]! && extents[place]! % inner === 0) return new SplitRequest(place, inner);
  }
  return undefined;
}

/**
 * Index functions into a tensor of shape `from` of what a reshape shows at `map` in shape `to`. Undefined where they are not affine;
 * a request where they are once a dimension is split.
 */
export function throughReshape(
  map: readonly Affine[],
  to: readonly number[],
  from: readonly number[],
  extents: readonly number[],
): readonly Affine[] | SplitRequest | undefined {
  const result = from.map(() => zero(extents.length));
  const groups = matchAxes(to, from);
  for (const group of groups ?? []) {
    let rest = zero(extents.length);
    let stride = 1;
    for (const axis of group.from.toReversed()) {
      rest = sum(rest, scaled(map[axis]!, stride));
      stride *= to[axis]!;
    }
    let below = group.to.reduce((count, axis) => count * from[axis]!, 1);
    for (const axis of group.to) {
      below /= from[axis]!;
      if (below === 1) {
        result[axis] = rest;
        break;
      }
      const parts = divide(rest, below, extents);
      if (!parts || parts instanceof SplitRequest) return parts;
      result[axis] = parts[0];
      rest = parts[1];
    }
  }
  return result;
}
