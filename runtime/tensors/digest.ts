/**
 * A 64-bit digest of bytes as 16 hexadecimal digits. It tells torn, truncated and exchanged files from whole ones; it is no defence
 * against somebody who means to deceive.
 */
export function digest(bytes: Uint8Array): string {
  const whole = bytes.length & ~3;
  const aligned = bytes.byteOffset % 4 === 0 ? bytes.subarray(0, whole) : bytes.slice(0, whole);
  const words = new Uint32Array(aligned.buffer, aligned.byteOffset, whole / 4);
  // Two multiply-and-rotate lanes; the second sees the first, so that together they hold 64 bits of state.
  let low = 0x9e3779b9 ^ bytes.length;
  let high = 0x85ebca6b;
  for (let index = 0; index < words.length; index++) {
    low = Math.imul(low ^ words[index]!, 0x2c1b3c6d);
    low = (low << 15) | (low >>> 17);
    high = (Math.imul(high ^ low, 0x297a2d39) + index) | 0;
    high = (high << 13) | (high >>> 19);
  }
  for (let index = whole; index < bytes.length; index++) {
    low = Math.imul(low ^ bytes[index]!, 0x2c1b3c6d);
    high = Math.imul(high ^ low, 0x297a2d39);
  }
  return hexadecimal(scramble(low ^ scramble(high))) + hexadecimal(scramble(high ^ scramble(low)));
}

/** Digest of a text's UTF-8 bytes. */
export function digestText(text: string): string {
  return digest(new TextEncoder().encode(text));
}

function scramble(word: number): number {
  let mixed = Math.imul(word ^ (word >>> 16), 0x7feb352d);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x846ca68b | 0);
  return mixed ^ (mixed >>> 16);
}

function hexadecimal(word: number): string {
  return (word >>> 0).toString(16).padStart(8, "0");
}
