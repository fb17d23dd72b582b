/**
 * Philox-4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011) and the draws of primitive
 * `random`: key (seed, key), counter (element / 4, row, step, 0); element i takes word i % 4, a normal takes the pair of its word.
 */
import type { Dialect } from "./dialect.js";
import type { Local, PortableFunction } from "./functions.js";
import { log, sinOfTurn } from "./maths.js";

/** Upper half of the 64-bit product, from 16-bit halves, for dialects without 64-bit integers. */
const multiplyHigh: PortableFunction = {
  name: "weft_multiply_high",
  parameters: [
    ["a", "u32"],
    ["b", "u32"],
  ],
  result: "u32",
  calls: [],
  body: (dialect) =>
    dialect.multiplyHigh
      ? { locals: [], value: dialect.multiplyHigh("a", "b") }
      : {
          locals: [
            ["a_low", "u32", "a & 0xffffu"],
            ["a_high", "u32", "a >> 16u"],
            ["b_low", "u32", "b & 0xffffu"],
            ["b_high", "u32", "b >> 16u"],
            ["middle", "u32", "a_high * b_low + ((a_low * b_low) >> 16u)"],
            ["carried", "u32", "a_low * b_high + (middle & 0xffffu)"],
          ],
          value: "a_high * b_high + (middle >> 16u) + (carried >> 16u)",
        },
};

function rounds(dialect: Dialect): Local[] {
  const locals: Local[] = [];
  let counter = ["block", "row", "step", dialect.literal(0, "u32")];
  for (let round = 0; round < 10; round++) {
    const [c0, c1, c2, c3] = counter as [string, string, string, string];
    const key0 = (0x9e3779b9 * round) >>> 0;
    const key1 = Number((0xbb67ae85n * BigInt(round)) & 0xffffffffn);
    locals.push(
      [`a${round}`, "u32", `weft_multiply_high(3449720151u, ${c2}) ^ ${c1} ^ (seed + ${key0}u)`],
      [`b${round}`, "u32", `3449720151u * ${c2}`],
      [`c${round}`, "u32", `weft_multiply_high(3528531795u, ${c0}) ^ ${c3} ^ (key + ${key1}u)`],
      [`d${round}`, "u32", `3528531795u * ${c0}`],
    );
    counter = [`a${round}`, `b${round}`, `c${round}`, `d${round}`];
  }
  return locals;
}

/** Word `word` (0..3) of the counter (block, row, step, 0) under the key (seed, key). */
export const philoxWord: PortableFunction = {
  name: "weft_philox_word",
  parameters: [
    ["key", "u32"],
    ["seed", "u32"],
    ["step", "u32"],
    ["row", "u32"],
    ["block", "u32"],
    ["word", "u32"],
  ],
  result: "u32",
  calls: [multiplyHigh],
  body: (dialect) => ({
    locals: [
      ...rounds(dialect),
      ["even", "u32", dialect.select("(word & 2u) == 0u", "a9", "c9")],
      ["odd", "u32", dialect.select("(word & 2u) == 0u", "b9", "d9")],
    ],
    value: dialect.select("(word & 1u) == 0u", "even", "odd"),
  }),
};

const drawParameters = [
  ["key", "u32"],
  ["seed", "u32"],
  ["step", "u32"],
  ["row", "u32"],
  ["element", "u32"],
] as const;

const asUnit = (word: string, dialect: Dialect) => `${dialect.convert(word, "u32", "f32")} * 5.960464477539063e-08f`;

/** Uniform in [0, 1): the upper 24 bits of the element's word. Exact. */
export const uniform: PortableFunction = {
  name: "weft_uniform",
  parameters: drawParameters,
  result: "f32",
  calls: [philoxWord],
  body: (dialect) => ({
    locals: [["bits", "u32", "weft_philox_word(key, seed, step, row, element >> 2u, element & 3u) >> 8u"]],
    value: asUnit("bits", dialect),
  }),
};

/** Standard normal (Box and Muller 1958): the radius from the pair's first word, the angle from its second; cosine at even elements. */
export const normal: PortableFunction = {
  name: "weft_normal",
  parameters: drawParameters,
  result: "f32",
  calls: [philoxWord, log, sinOfTurn],
  body: (dialect) => ({
    locals: [
      ["radius_bits", "u32", "(weft_philox_word(key, seed, step, row, element >> 2u, element & 2u) >> 8u) + 1u"],
      ["angle_bits", "u32", "weft_philox_word(key, seed, step, row, element >> 2u, (element & 2u) + 1u) >> 8u"],
      ["radius_unit", "f32", asUnit("radius_bits", dialect)],
      ["angle_unit", "f32", asUnit("angle_bits", dialect)],
      ["radius", "f32", `${dialect.builtin.sqrt}(-2.0f * weft_log(radius_unit))`],
      ["advance", "i32", dialect.select("(element & 1u) == 0u", "1", "0")],
    ],
    value: "radius * weft_sin_turn(angle_unit, advance)",
  }),
};
