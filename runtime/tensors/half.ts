/** Conversions between 32-bit floats and the two 16-bit formats (IEEE 754 binary16; bfloat16, the upper half of binary32). */

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** Value of an IEEE 754 binary16 pattern. Exact. */
export function f16ToNumber(pattern: number): number {
  const sign = pattern & 0x8000 ? -1 : 1;
  const exponent = (pattern >> 10) & 0x1f;
  const fraction = pattern & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** Nearest binary16 pattern of a 32-bit float, ties to even; values above 65504 + 16 become infinite. */
export function numberToF16(value: number): number {
  float[0] = value;
  const pattern = bits[0]!;
  const sign = (pattern >>> 16) & 0x8000;
  const magnitude = Math.abs(float[0]!);
  if (Number.isNaN(magnitude)) return sign | 0x7e00;
  if (magnitude >= 65520) return sign | 0x7c00;
  // Below 2^-14 patterns count multiples of 2^-24; above, ulps of the exponent. Both divisions are by powers of two, hence exact.
  if (magnitude < 2 ** -14) return sign | roundHalfEven(magnitude * 2 ** 24);
  const exponent = ((pattern >>> 23) & 0xff) - 127;
  return sign | (((exponent + 14) << 10) + roundHalfEven(magnitude * 2 ** (10 - exponent)));
}

/** Value of a bfloat16 pattern. Exact. */
export function bf16ToNumber(pattern: number): number {
  bits[0] = pattern << 16;
  return float[0]!;
}

/** Nearest bfloat16 pattern of a 32-bit float, ties to even. */
export function numberToBf16(value: number): number {
  float[0] = value;
  const pattern = bits[0]!;
  if (Number.isNaN(value)) return (pattern >>> 16) | 0x40;
  return ((pattern + 0x7fff + ((pattern >>> 16) & 1)) >>> 16) & 0xffff;
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
