/**
 * How elements stand in memory in WGSL, and how they become values of scalar programs and back. Elements narrower than a word share
 * words: they are read from whole words and written with atomic operations on their own bits, so that threads may write neighbours.
 */
import type { Dtype } from "../../src/graph/dtype.js";
import { valueType } from "../scalar/dialect.js";

/** Elements that one 32-bit word holds. */
export function elementsPerWord(dtype: Dtype): 1 | 2 | 4 {
  switch (dtype) {
    case "f32":
    case "i32":
    case "u32":
      return 1;
    case "f16":
    case "bf16":
      return 2;
    case "bool":
      return 4;
    case "f64":
      throw new RangeError("f64 exists only in the reference interpreter");
  }
}

/** WGSL type of the elements of a binding's array. */
export function storageType(dtype: Dtype, written: boolean): string {
  if (elementsPerWord(dtype) > 1) return written ? "atomic<u32>" : "u32";
  return dtype;
}

/** The value of element `index` (an i32 expression) of the array `name`; narrow elements by the functions below. */
export const loaded = (dtype: Dtype, name: string, index: string): string =>
  elementsPerWord(dtype) === 1 ? `${name}[${index}]` : `load_${name}(${index})`;

/** A statement that makes element `index` (an i32 expression) hold `value`. */
export const stored = (dtype: Dtype, name: string, index: string, value: string): string =>
  elementsPerWord(dtype) === 1 ? `${name}[${index}] = ${value};` : `store_${name}(${index}, ${value});`;

/** The function that loads a narrow element of the array `name`. */
export function loadFunction(dtype: Dtype, name: string, written: boolean): string {
  const { word, shift, mask } = placeOf(dtype, name);
  const bits = `(${written ? `atomicLoad(&${word})` : word} >> ${shift}) & ${mask}`;
  const value = dtype === "bool" ? `(${bits}) != 0u` : `weft_from_${dtype}(${bits})`;
  return `fn load_${name}(i: i32) -> ${valueType(dtype)} { return ${value}; }`;
}

/** The function that stores a narrow element of the array `name`. */
export function storeFunction(dtype: Dtype, name: string): string {
  const { word, shift, mask } = placeOf(dtype, name);
  const bits = dtype === "bool" ? "select(0u, 1u, value)" : `weft_to_${dtype}(value)`;
  return [
    `fn store_${name}(i: i32, value: ${valueType(dtype)}) {`,
    `  atomicAnd(&${word}, ~(${mask} << ${shift}));`,
    `  atomicOr(&${word}, ${bits} << ${shift});`,
    "}",
  ].join("\n");
}

/** The word in which element i of a narrow array stands, its first bit there, and its bits when they are shifted down. */
function placeOf(dtype: Dtype, name: string): { readonly word: string; readonly shift: string; readonly mask: string } {
  return elementsPerWord(dtype) === 4
    ? { word: `${name}[i >> 2u]`, shift: "(u32(i & 3) * 8u)", mask: "0xffu" }
    : { word: `${name}[i >> 1u]`, shift: "(u32(i & 1) * 16u)", mask: "0xffffu" };
}
