import { isFloat } from "../../src/graph/dtype.js";
import { bf16ToNumber, f16ToNumber, numberToBf16, numberToF16 } from "./half.js";
import { allocate, type StoredDtype, type Tensor } from "./tensor.js";

/** A conversion that would change a number. The message says which element and value; callers add the name of the tensor. */
export class ConversionError extends Error {
  override readonly name = "ConversionError";
}

/**
 * The same numbers in another dtype. Throws ConversionError when a number has no equal there, and for conversions between floats,
 * integers and booleans. NaN counts as kept.
 */
export function convertTensor(tensor: Tensor, dtype: StoredDtype): Tensor {
  if (tensor.dtype === dtype) return tensor;
  if (kindOf(tensor.dtype) !== kindOf(dtype)) {
    throw new ConversionError(`holds ${tensor.dtype}, which is not converted to ${dtype}`);
  }
  if (dtype === "f32") return { ...tensor, dtype };
  const data = roundInto(tensor, dtype);
  data.forEach((value, index) => {
    const before = tensor.data[index]!;
    if (value !== before && !(Number.isNaN(value) && Number.isNaN(before))) {
      throw new ConversionError(`element ${index} is ${before}, which ${dtype} cannot hold`);
    }
  });
  return { dtype, shape: tensor.shape, data };
}

/** The nearest numbers in a narrower float type, ties to even. */
export function roundTensor(tensor: Tensor, dtype: "f32" | "f16" | "bf16"): Tensor {
  if (!isFloat(tensor.dtype)) throw new ConversionError(`holds ${tensor.dtype}, which is not converted to ${dtype}`);
  return { dtype, shape: tensor.shape, data: roundInto(tensor, dtype) };
}

function kindOf(dtype: StoredDtype): "float" | "integer" | "bool" {
  switch (dtype) {
    case "f32":
    case "f16":
    case "bf16":
      return "float";
    case "i32":
    case "u32":
      return "integer";
    case "bool":
      return "bool";
  }
}

function roundInto(tensor: Tensor, dtype: StoredDtype): Tensor["data"] {
  const data = allocate(dtype, tensor.data.length);
  for (let index = 0; index < data.length; index++) {
    const value = tensor.data[index]!;
    data[index] =
      dtype === "f16" ? f16ToNumber(numberToF16(value)) : dtype === "bf16" ? bf16ToNumber(numberToBf16(value)) : value;
  }
  return data;
}
