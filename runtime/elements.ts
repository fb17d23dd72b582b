/** Numbers between the host's arrays and the bytes of a segment. */
import { bytesPerElement, type Dtype } from "../src/graph/dtype.js";
import { elementCount, formatShape, type Shape } from "../src/graph/shape.js";
import type { TensorData } from "./device.js";
import { bf16ToNumber, f16ToNumber, numberToBf16, numberToF16 } from "./tensors/half.js";
import { allocate, bytesOf, holds, type StoredDtype } from "./tensors/tensor.js";

export function storedDtype(dtype: Dtype): StoredDtype {
  if (dtype === "f64") throw new Error("f64 exists only in the reference interpreter and cannot be stored");
  return dtype;
}

/** Bytes of a tensor in a segment. */
export const tensorBytes = (dtype: Dtype, shape: Shape): number => bytesPerElement[dtype] * elementCount(shape);

/** The bytes that hold an array's numbers in a segment: a copy. Throws an Error in the caller's terms when the array does not fit. */
export function encoded(what: string, dtype: Dtype, shape: Shape, data: TensorData): Uint8Array {
  const stored = storedDtype(dtype);
  if (!holds(stored, data) || data.length !== elementCount(shape)) {
    const type = `${dtype}${formatShape(shape)}`;
    throw new Error(`${what} is ${type}, but was given ${data.length} numbers in a ${data.constructor.name}`);
  }
  if (stored !== "f16" && stored !== "bf16") return bytesOf(data).slice();
  const narrow = stored === "f16" ? numberToF16 : numberToBf16;
  return new Uint8Array(Uint16Array.from(data, narrow).buffer);
}

/** The bytes that hold a constant's numbers in a segment. */
export function encodedNumbers(dtype: Dtype, values: readonly number[]): Uint8Array {
  const data = allocate(storedDtype(dtype), values.length);
  data.set(values);
  return encoded("A constant", dtype, [values.length], data);
}

/** The numbers that bytes of a segment hold: a copy. */
export function decoded(dtype: Dtype, bytes: Uint8Array): TensorData {
  const stored = storedDtype(dtype);
  if (stored === "f16" || stored === "bf16") {
    const widen = stored === "f16" ? f16ToNumber : bf16ToNumber;
    return Float32Array.from(new Uint16Array(bytes.slice().buffer), widen);
  }
  const data = allocate(stored, bytes.length / bytesPerElement[dtype]);
  bytesOf(data).set(bytes);
  return data;
}
