/** How elements stand in memory in C, and how they become values of scalar programs and back. */
import type { Dtype } from "../../src/graph/dtype.js";

/** C type of one stored element. */
export function storageType(dtype: Dtype): string {
  switch (dtype) {
    case "f32":
      return "float";
    case "f16":
      return "_Float16";
    case "bf16":
      return "uint16_t";
    case "i32":
      return "int32_t";
    case "u32":
      return "uint32_t";
    case "bool":
      return "uint8_t";
    case "f64":
      throw new RangeError("f64 exists only in the reference interpreter");
  }
}

/** The value of a stored element (an expression that names it in memory). */
export function loaded(dtype: Dtype, element: string): string {
  switch (dtype) {
    case "f16":
      return `(float)${element}`;
    case "bf16":
      return `weft_from_bf16(${element})`;
    case "bool":
      return `(int32_t)${element}`;
    case "f32":
    case "i32":
    case "u32":
    case "f64":
      return element;
  }
}

/** What is assigned to a stored element so that it holds `value`. */
export function stored(dtype: Dtype, value: string): string {
  switch (dtype) {
    case "f16":
      return `(_Float16)${value}`;
    case "bf16":
      return `weft_to_bf16(${value})`;
    case "bool":
      return `(uint8_t)${value}`;
    case "f32":
    case "i32":
    case "u32":
    case "f64":
      return value;
  }
}
