/** Element types of tensors. f64 exists only in the reference interpreter. Booleans are stored as one byte. */
export type Dtype = "f32" | "f16" | "bf16" | "f64" | "i32" | "u32" | "bool";

export const bytesPerElement: Readonly<Record<Dtype, number>> = {
  f32: 4,
  f16: 2,
  bf16: 2,
  f64: 8,
  i32: 4,
  u32: 4,
  bool: 1,
};

/** Whether a word of text names a dtype. */
export const isDtype = (name: string): name is Dtype => Object.hasOwn(bytesPerElement, name);

export const isFloat = (dtype: Dtype): boolean =>
  dtype === "f32" || dtype === "f16" || dtype === "bf16" || dtype === "f64";

export const isInteger = (dtype: Dtype): boolean => dtype === "i32" || dtype === "u32";
