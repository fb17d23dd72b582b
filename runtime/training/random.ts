import { philox } from "../../src/primitives/philox.js";

/** FNV-1a of a text's UTF-8 bytes, 32 bits: turns names and paths into keys (http://www.isthe.com/chongo/tech/comp/fnv/). */
export function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** One unsigned 32-bit word, a pure function of its arguments. */
export function word(seed: number, key: number, first: number, second = 0): number {
  return philox([first, second, 0, 1], [seed, key])[0];
}

/** The numbers 0 .. length - 1 in an order drawn from `seed`, `key` and `epoch` (Fisher and Yates). */
export function permutation(length: number, seed: number, key: number, epoch: number): Uint32Array {
  const order = Uint32Array.from({ length }, (_, index) => index);
  let words: readonly number[] = [];
  for (let last = length - 1; last > 0; last--) {
    const draw = length - 1 - last;
    if (draw % 4 === 0) words = philox([draw / 4, epoch, 0, 2], [seed, key]);
    // The word as a fraction of 2^32; the bias is below length / 2^32.
    const chosen = Math.floor((words[draw % 4]! / 2 ** 32) * (last + 1));
    const moved = order[last]!;
    order[last] = order[chosen]!;
    order[chosen] = moved;
  }
  return order;
}
