import type { Dtype } from "../../src/graph/dtype.js";
import { elementCount, formatShape, type Shape } from "../../src/graph/shape.js";
import type { TensorData } from "../device.js";

/** Element types a tensor has on the host. f16 and bf16 are held as 32-bit floats that have a value of the narrower type. */
export type StoredDtype = Exclude<Dtype, "f64">;

/** A tensor on the host, row-major. */
export interface Tensor {
  readonly dtype: StoredDtype;
  readonly shape: Shape;
  readonly data: TensorData;
}

/** Zeros for `elements` numbers of a dtype. */
export function allocate(dtype: StoredDtype, elements: number): TensorData {
  switch (dtype) {
    case "f32":
    case "f16":
    case "bf16":
      return new Float32Array(elements);
    case "i32":
      return new Int32Array(elements);
    case "u32":
      return new Uint32Array(elements);
    case "bool":
      return new Uint8Array(elements);
  }
}

/** Whether an array is the kind that holds a dtype on the host. */
export function holds(dtype: StoredDtype, data: TensorData): boolean {
  switch (dtype) {
    case "f32":
    case "f16":
    case "bf16":
      return data instanceof Float32Array;
    case "i32":
      return data instanceof Int32Array;
    case "u32":
      return data instanceof Uint32Array;
    case "bool":
      return data instanceof Uint8Array;
  }
}

/** Makes a tensor; throws when the array's kind or length does not fit. */
export function tensor(dtype: StoredDtype, shape: Shape, data: TensorData): Tensor {
  if (!holds(dtype, data)) throw new TypeError(`A tensor of ${dtype} cannot be held by a ${data.constructor.name}`);
  if (data.length !== elementCount(shape)) {
    throw new RangeError(
      `A tensor of shape ${formatShape(shape)} has ${elementCount(shape)} numbers, but ${data.length} were given`,
    );
  }
  return { dtype, shape, data };
}

/** The bytes of an array, without a copy. */
export function bytesOf(data: TensorData): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
