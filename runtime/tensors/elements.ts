import type { TensorData } from "../device.js";
import { ConversionError } from "./convert.js";
import { bf16ToNumber, f16ToNumber, numberToBf16, numberToF16 } from "./half.js";
import { bytesOf, type StoredDtype, type Tensor } from "./tensor.js";

/** Element types of safetensors files that are read. */
export type FileDtype = "F64" | "F32" | "F16" | "BF16" | "I64" | "I32" | "I16" | "I8" | "U32" | "U8" | "BOOL";

export const bytesPerFileElement: Readonly<Record<FileDtype, number>> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U32: 4,
  U8: 1,
  BOOL: 1,
};

export function isFileDtype(text: string): text is FileDtype {
  return Object.hasOwn(bytesPerFileElement, text);
}

/** How a tensor is written. */
export function fileDtypeOf(dtype: StoredDtype): FileDtype {
  switch (dtype) {
    case "f32":
      return "F32";
    case "f16":
      return "F16";
    case "bf16":
      return "BF16";
    case "i32":
      return "I32";
    case "u32":
      return "U32";
    case "bool":
      return "BOOL";
  }
}

interface Elements {
  readonly dtype: StoredDtype;
  readonly data: TensorData;
}

/**
 * Numbers from little-endian bytes, in the dtype of ours that is nearest. Throws ConversionError for numbers it cannot hold: 64-bit
 * floats that f32 would round, 64-bit integers outside i32, booleans that are neither 0 nor 1. The arrays are fresh.
 */
export function decodeElements(dtype: FileDtype, bytes: Uint8Array): Elements {
  // Not `bytes.slice()`: of a Node Buffer that is a view, and its buffer a whole pool.
  const copy = new Uint8Array(bytes).buffer;
  switch (dtype) {
    case "F32":
      return { dtype: "f32", data: new Float32Array(copy) };
    case "F16":
      return { dtype: "f16", data: Float32Array.from(new Uint16Array(copy), f16ToNumber) };
    case "BF16":
      return { dtype: "bf16", data: Float32Array.from(new Uint16Array(copy), bf16ToNumber) };
    case "F64":
      return { dtype: "f32", data: narrowFloats(new Float64Array(copy)) };
    case "I64":
      return { dtype: "i32", data: narrowIntegers(new BigInt64Array(copy)) };
    case "I32":
      return { dtype: "i32", data: new Int32Array(copy) };
    case "I16":
      return { dtype: "i32", data: Int32Array.from(new Int16Array(copy)) };
    case "I8":
      return { dtype: "i32", data: Int32Array.from(new Int8Array(copy)) };
    case "U32":
      return { dtype: "u32", data: new Uint32Array(copy) };
    case "U8":
      return { dtype: "u32", data: Uint32Array.from(new Uint8Array(copy)) };
    case "BOOL":
      return { dtype: "bool", data: checkBooleans(new Uint8Array(copy)) };
  }
}

/** Writes a tensor's numbers as little-endian bytes at `offset`. Throws ConversionError as `decodeElements` does. */
export function encodeElements(tensor: Tensor, bytes: Uint8Array, offset: number): void {
  switch (tensor.dtype) {
    case "f32":
    case "i32":
    case "u32":
      bytes.set(bytesOf(tensor.data), offset);
      return;
    case "bool":
      bytes.set(checkBooleans(tensor.data as Uint8Array), offset);
      return;
    case "f16":
      bytes.set(encodeHalves(tensor, numberToF16, f16ToNumber), offset);
      return;
    case "bf16":
      bytes.set(encodeHalves(tensor, numberToBf16, bf16ToNumber), offset);
      return;
  }
}

function encodeHalves(
  tensor: Tensor,
  encode: (value: number) => number,
  decode: (pattern: number) => number,
): Uint8Array {
  const patterns = new Uint16Array(tensor.data.length);
  tensor.data.forEach((value, index) => {
    const pattern = encode(value);
    if (!Object.is(decode(pattern), value)) {
      throw new ConversionError(`element ${index} is ${value}, which ${tensor.dtype} cannot hold`);
    }
    patterns[index] = pattern;
  });
  return new Uint8Array(patterns.buffer);
}

function narrowFloats(values: Float64Array): Float32Array {
  const narrow = new Float32Array(values);
  values.forEach((value, index) => {
    if (!Object.is(narrow[index], value))
      throw new ConversionError(`element ${index} is ${value}, which f32 cannot hold`);
  });
  return narrow;
}

function narrowIntegers(values: BigInt64Array): Int32Array {
  const narrow = new Int32Array(values.length);
  values.forEach((value, index) => {
    if (BigInt.asIntN(32, value) !== value)
      throw new ConversionError(`element ${index} is ${value}, which i32 cannot hold`);
    narrow[index] = Number(value);
  });
  return narrow;
}

function checkBooleans(values: Uint8Array): Uint8Array {
  const wrong = values.findIndex((value) => value > 1);
  if (wrong >= 0)
    throw new ConversionError(`element ${wrong} is ${values[wrong]}, which is neither false (0) nor true (1)`);
  return values;
}
