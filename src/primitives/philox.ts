/**
 * Philox-4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3"
 * (SC 2011). Every draw in Weft is a pure function of a key and a counter, so the same numbers appear on every device and in
 * whatever order they are computed.
 */

export type PhiloxCounter = readonly [number, number, number, number];
export type PhiloxKey = readonly [number, number];

const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const WEYL_0 = 0x9e3779b9;
const WEYL_1 = 0xbb67ae85;

/** Upper 32 bits of the 64-bit product of two unsigned 32-bit numbers, from 16-bit halves. */
function highProduct(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const carried = aLow * bHigh + (middle % 65536);
  return (aHigh * bHigh + Math.floor(middle / 65536) + Math.floor(carried / 65536)) >>> 0;
}

/** Four unsigned 32-bit words for one counter under one key. */
export function philox(counter: PhiloxCounter, key: PhiloxKey): [number, number, number, number] {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  c0 >>>= 0;
  c1 >>>= 0;
  c2 >>>= 0;
  c3 >>>= 0;
  k0 >>>= 0;
  k1 >>>= 0;
  for (let round = 0; round < 10; round++) {
    const high0 = highProduct(MULTIPLIER_0, c0);
    const low0 = Math.imul(MULTIPLIER_0, c0) >>> 0;
    const high1 = highProduct(MULTIPLIER_1, c2);
    const low1 = Math.imul(MULTIPLIER_1, c2) >>> 0;
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0;
    k0 = (k0 + WEYL_0) >>> 0;
    k1 = (k1 + WEYL_1) >>> 0;
  }
  return [c0, c1, c2, c3];
}

const SCALE = 2 ** -24;

/** The word's upper 24 bits as a number in [0, 1). */
export const uniformFromWord = (word: number): number => (word >>> 8) * SCALE;

/** Two independent standard normals by the method of Box and Muller (1958); the radius word is shifted into (0, 1] so that its log is finite. */
export function normalsFromWords(radiusWord: number, angleWord: number): [number, number] {
  const radius = Math.sqrt(-2 * Math.log(((radiusWord >>> 8) + 1) * SCALE));
  const angle = 2 * Math.PI * uniformFromWord(angleWord);
  return [radius * Math.cos(angle), radius * Math.sin(angle)];
}

/** What identifies one stream of draws. All are taken as unsigned 32-bit words. */
export interface DrawKey {
  readonly seed: number;
  readonly key: number;
  readonly row: number;
  readonly step: number;
}

/** Writes draws for elements 0, 1, 2, ... of one stream into `into[offset ..< offset + count]`. */
export function drawInto(
  distribution: "uniform" | "normal",
  stream: DrawKey,
  into: { [index: number]: number },
  offset: number,
  count: number,
): void {
  for (let element = 0; element < count; element += 4) {
    const words = philox([element >>> 2, stream.row, stream.step, 0], [stream.seed, stream.key]);
    const draws =
      distribution === "uniform"
        ? words.map(uniformFromWord)
        : [...normalsFromWords(words[0], words[1]), ...normalsFromWords(words[2], words[3])];
    for (let word = 0; word < 4 && element + word < count; word++) into[offset + element + word] = draws[word]!;
  }
}
