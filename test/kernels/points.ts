/** Points of an iteration space, row-major, and affine functions of their coordinates. */
import type { Access } from "../../src/kernels/record.js";

export function pointCount(extents: readonly number[]): number {
  return extents.reduce((count, extent) => count * extent, 1);
}

/** offset + sum of strides[d] * coordinate d, for every point. */
export function affine(extents: readonly number[], offset: number, strides: readonly number[]): Float64Array {
  if (strides.length !== extents.length) {
    throw new Error(`${strides.length} strides for ${extents.length} dimensions`);
  }
  const values = new Float64Array(pointCount(extents));
  const coordinates = extents.map(() => 0);
  let value = offset;
  for (let point = 0; point < values.length; point++) {
    values[point] = value;
    for (let dimension = extents.length - 1; dimension >= 0; dimension--) {
      value += strides[dimension]!;
      if (++coordinates[dimension]! < extents[dimension]!) break;
      value -= strides[dimension]! * extents[dimension]!;
      coordinates[dimension] = 0;
    }
  }
  return values;
}

/** 1 where all bounds of the access hold. */
export function inside(extents: readonly number[], access: Access): Uint8Array {
  const holds = new Uint8Array(pointCount(extents)).fill(1);
  for (const bound of access.bounds ?? []) {
    affine(extents, bound.offset, bound.strides).forEach((value, point) => {
      if (value < 0 || value >= bound.size) holds[point] = 0;
    });
  }
  return holds;
}
