import type { Dtype } from "./dtype.js";

/** Sizes of a tensor's axes, outermost first; row-major everywhere. `[]` is a scalar. */
export type Shape = readonly number[];

export interface TensorType {
  readonly dtype: Dtype;
  readonly shape: Shape;
}

/** Number of elements; 1 for a scalar. */
export function elementCount(shape: Shape): number {
  let count = 1;
  for (const size of shape) count *= size;
  return count;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

/** Row-major strides in elements. */
export function contiguousStrides(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis]!;
  }
  return strides;
}

export function formatShape(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}
