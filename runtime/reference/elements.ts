import type { Dtype } from "../../src/graph/dtype.js";
import type { TensorData } from "../device.js";
import { bf16ToNumber, f16ToNumber, numberToBf16, numberToF16 } from "../tensors/half.js";
import { allocate, type StoredDtype } from "../tensors/tensor.js";

/** The dtype that memory can hold; f64 is the interpreter's own. */
export function storedDtype(dtype: Dtype): StoredDtype {
  if (dtype === "f64") throw new Error("f64 exists only inside the interpreter and cannot be stored");
  return dtype;
}

/** A row of elements in a segment's bytes, as that memory holds them. The byte offset is a multiple of the element's size. */
function elementsAt(bytes: Uint8Array, dtype: StoredDtype, offset: number, count: number) {
  const at = bytes.byteOffset + offset;
  switch (dtype) {
    case "f32":
      return new Float32Array(bytes.buffer, at, count);
    case "f16":
    case "bf16":
      return new Uint16Array(bytes.buffer, at, count);
    case "i32":
      return new Int32Array(bytes.buffer, at, count);
    case "u32":
      return new Uint32Array(bytes.buffer, at, count);
    case "bool":
      return new Uint8Array(bytes.buffer, at, count);
  }
}

/** Reads `count` elements at a byte offset. */
export function readElements(bytes: Uint8Array, dtype: Dtype, offset: number, count: number): Float64Array {
  const stored = storedDtype(dtype);
  const elements = elementsAt(bytes, stored, offset, count);
  if (stored === "f16") return Float64Array.from(elements, f16ToNumber);
  if (stored === "bf16") return Float64Array.from(elements, bf16ToNumber);
  return Float64Array.from(elements);
}

/** Writes elements at a byte offset, rounded to the dtype. */
export function writeElements(bytes: Uint8Array, dtype: Dtype, offset: number, values: ArrayLike<number>): void {
  const stored = storedDtype(dtype);
  const elements = elementsAt(bytes, stored, offset, values.length);
  for (let index = 0; index < values.length; index++) {
    const value = values[index]!;
    elements[index] = stored === "f16" ? numberToF16(value) : stored === "bf16" ? numberToBf16(value) : value;
  }
}

/** Numbers as the host holds them. */
export function hostData(dtype: Dtype, values: ArrayLike<number>): TensorData {
  const data = allocate(storedDtype(dtype), values.length);
  data.set(values);
  return data;
}
