/** The functions that stand before a kernel in WGSL: those it calls, and those that these call. */
import { wgslDialect } from "../scalar/dialect.js";
import { type PortableFunction, printFunction } from "../scalar/functions.js";
import { portableFunctions } from "../scalar/portable.js";

/** Bit casts, narrow floats and integer division: what the portable functions and the printer take for granted. */
const foundations: Readonly<Record<string, string>> = {
  weft_bits: "fn weft_bits(x: f32) -> u32 { return bitcast<u32>(x); }",
  weft_from_bits: "fn weft_from_bits(x: u32) -> f32 { return bitcast<f32>(x); }",
  weft_from_bf16: "fn weft_from_bf16(x: u32) -> f32 { return bitcast<f32>(x << 16u); }",
  weft_to_bf16: `fn weft_to_bf16(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  let rounded = (bits + 0x7fffu + ((bits >> 16u) & 1u)) >> 16u;
  return select(rounded, (bits >> 16u) | 0x40u, (bits & 0x7fffffffu) > 0x7f800000u);
}`,
  weft_round_bf16: "fn weft_round_bf16(x: f32) -> f32 { return weft_from_bf16(weft_to_bf16(x)); }",
  // In integers, since denormal numbers may count as zero in f32 arithmetic.
  weft_from_f16: `fn weft_from_f16(x: u32) -> f32 {
  let magnitude = x & 0x7fffu;
  let normal = (magnitude << 13u) + 0x38000000u;
  let tiny = bitcast<u32>(f32(magnitude) * 5.9604644775390625e-8f);
  let special = (magnitude << 13u) | 0x7f800000u;
  let bits = select(select(normal, special, magnitude >= 0x7c00u), tiny, magnitude < 0x400u);
  return bitcast<f32>(bits | ((x & 0x8000u) << 16u));
}`,
  // To nearest even, by the bits that are cut off.
  weft_to_f16: `fn weft_to_f16(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  let magnitude = bits & 0x7fffffffu;
  let exponent = magnitude >> 23u;
  let shift = select(13u, min(126u - min(exponent, 126u), 25u), exponent < 113u);
  let significand = select(magnitude - 0x38000000u, (magnitude & 0x7fffffu) | 0x800000u, exponent < 113u);
  let kept = significand >> shift;
  let cut = significand & ((1u << shift) - 1u);
  let half = 1u << (shift - 1u);
  let up = (cut > half) | ((cut == half) & ((kept & 1u) == 1u));
  let finite = min(kept + select(0u, 1u, up), 0x7c00u);
  let bounded = select(finite, 0x7c00u, magnitude >= 0x47800000u);
  return select(bounded, 0x7e00u, magnitude > 0x7f800000u) | ((bits >> 16u) & 0x8000u);
}`,
  weft_round_f16: "fn weft_round_f16(x: f32) -> f32 { return weft_from_f16(weft_to_f16(x)); }",
  // Any float as the nearest integer towards zero; what is not a number becomes 0.
  weft_to_i32: `fn weft_to_i32(x: f32) -> i32 {
  let whole = select(i32(clamp(x, -2147483648.0f, 2147483520.0f)), 2147483647, x >= 2147483648.0f);
  return select(whole, 0, (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u);
}`,
  weft_to_u32: `fn weft_to_u32(x: f32) -> u32 {
  let whole = select(u32(clamp(x, 0.0f, 4294967040.0f)), 4294967295u, x >= 4294967296.0f);
  return select(whole, 0u, (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u);
}`,
  weft_divide_i32: `fn weft_divide_i32(a: i32, b: i32) -> i32 {
  let quotient = a / b;
  let rest = a - quotient * b;
  let floored = quotient - select(0, 1, (rest != 0) & ((rest < 0) != (b < 0)));
  return select(floored, 0, b == 0);
}`,
  weft_remainder_i32:
    "fn weft_remainder_i32(a: i32, b: i32) -> i32 { return select(a - weft_divide_i32(a, b) * b, 0, b == 0); }",
  weft_divide_u32: "fn weft_divide_u32(a: u32, b: u32) -> u32 { return select(a / b, 0u, b == 0u); }",
  weft_remainder_u32: "fn weft_remainder_u32(a: u32, b: u32) -> u32 { return select(a % b, 0u, b == 0u); }",
  weft_power_i32: `fn weft_power_i32(base: i32, exponent: i32) -> i32 {
  let odd = (exponent & 1) == 1;
  var result = select(1, select(0, select(1, -1, odd), base == -1), exponent < 0);
  if (exponent < 0 && base == 1) { result = 1; }
  var square = base;
  for (var rest = exponent; rest > 0; rest = rest >> 1u) {
    if ((rest & 1) == 1) { result = result * square; }
    square = square * square;
  }
  return result;
}`,
};

/** Text of every function there is, by name. */
const texts = new Map(Object.entries(foundations));
const add = (one: PortableFunction): void => {
  for (const callee of one.calls) add(callee);
  texts.set(one.name, printFunction(one, wgslDialect));
};
portableFunctions.forEach(add);

/** The functions that a text calls, callees first. */
export function functionsFor(text: string): readonly string[] {
  const found = new Map<string, string>();
  const visit = (caller: string): void => {
    for (const [name] of caller.matchAll(/\bweft_[a-z0-9_]+(?=\()/g)) {
      const called = texts.get(name);
      if (called === undefined || called === caller || found.has(name)) continue;
      visit(called);
      found.set(name, called);
    }
  };
  visit(text);
  return [...found.values()];
}
