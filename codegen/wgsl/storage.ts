/**
 * How elements stand in memory in WGSL, and how they become values of scalar programs and back. Elements narrower than a word share
 * words: they are read from whole words and written with atomic operations on their own bits, so that threads may write neighbours.
 */
import type { Dtype } from "../../src/graph/dtype.js";

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

/** The value of element `index` (an i32 expression) of the array `name`. */
export function loaded(dtype: Dtype, name: string, index: string, written: boolean): string {
  const perWord = elementsPerWord(dtype);
  if (perWord === 1) return `${name}[${index}]`;
  const place = `(${index}) >> ${perWord === 4 ? 2 : 1}u`;
  const word = written ? `atomicLoad(&${name}[${place}])` : `${name}[${place}]`;
  const bits = `(${word} >> ${shiftOf(perWord, index)})`;
  switch (dtype) {
    case "bool":
      return `((${bits} & 0xffu) != 0u)`;
    case "f16":
      return `weft_from_f16(${bits} & 0xffffu)`;
    default:
      return `weft_from_bf16(${bits} & 0xffffu)`;
  }
}

/** Statements that make element `index` (a name or a literal) hold `value`. */
export function stored(dtype: Dtype, name: string, index: string, value: string): readonly string[] {
  const perWord = elementsPerWord(dtype);
  if (perWord === 1) return [`${name}[${index}] = ${value};`];
  const word = `&${name}[${index} >> ${perWord === 4 ? 2 : 1}u]`;
  const shift = shiftOf(perWord, index);
  const bits =
    dtype === "bool"
      ? `select(0u, 1u, ${value})`
      : dtype === "f16"
        ? `weft_to_f16(${value})`
        : `weft_to_bf16(${value})`;
  return [
    `atomicAnd(${word}, ~(${perWord === 4 ? "0xffu" : "0xffffu"} << ${shift}));`,
    `atomicOr(${word}, ${bits} << ${shift});`,
  ];
}

const shiftOf = (perWord: 2 | 4, index: string): string =>
  perWord === 4 ? `(u32((${index}) & 3) * 8u)` : `(u32((${index}) & 1) * 16u)`;
