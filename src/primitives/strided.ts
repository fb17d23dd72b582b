import { elementCount, type Shape } from "../graph/shape.js";

/** Copies the strided view `offset + sum of strides[axis] * index[axis]` of `source` into a row-major tensor of `shape`. */
export function readStrided(
  source: Float64Array,
  offset: number,
  shape: Shape,
  strides: readonly number[],
): Float64Array {
  const result = new Float64Array(elementCount(shape));
  if (result.length === 0) return result;
  const rank = shape.length;
  if (rank === 0) {
    result[0] = source[offset]!;
    return result;
  }
  const inner = shape[rank - 1]!;
  const innerStride = strides[rank - 1]!;
  forEachOffset(shape.slice(0, -1), [strides.slice(0, -1)], (row, from) => {
    let read = offset + from[0]!;
    const write = row * inner;
    for (let index = 0; index < inner; index++, read += innerStride) result[write + index] = source[read]!;
  });
  return result;
}

/**
 * Visits the points of `shape` in row-major order with the running number of the point and, for every list of strides, the sum of
 * strides[axis] * index[axis]. The list of offsets is reused between calls.
 */
export function forEachOffset(
  shape: Shape,
  strides: readonly (readonly number[])[],
  visit: (point: number, offsets: readonly number[]) => void,
): void {
  const count = elementCount(shape);
  const rank = shape.length;
  const index = new Array<number>(rank).fill(0);
  const offsets = new Array<number>(strides.length).fill(0);
  for (let point = 0; point < count; point++) {
    visit(point, offsets);
    for (let axis = rank - 1; axis >= 0; axis--) {
      index[axis]!++;
      for (let view = 0; view < strides.length; view++) offsets[view]! += strides[view]![axis]!;
      if (index[axis]! < shape[axis]!) break;
      for (let view = 0; view < strides.length; view++) offsets[view]! -= strides[view]![axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
}
