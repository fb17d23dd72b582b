/** What stands before the kernels of every C translation unit. */
import { cDialect } from "../scalar/dialect.js";
import { printFunctions } from "../scalar/functions.js";
import { portableFunctions } from "../scalar/portable.js";

/** Bit casts, narrow floats and integer division: what the portable functions and the printer take for granted. */
const foundations = `#define WEFT_INLINE static inline __attribute__((always_inline))

WEFT_INLINE uint32_t weft_bits(float x) { union { float f; uint32_t u; } bits = { .f = x }; return bits.u; }
WEFT_INLINE float weft_from_bits(uint32_t x) { union { uint32_t u; float f; } bits = { .u = x }; return bits.f; }

WEFT_INLINE float weft_from_bf16(uint16_t x) { return weft_from_bits((uint32_t)x << 16); }
WEFT_INLINE uint16_t weft_to_bf16(float x) {
  const uint32_t bits = weft_bits(x);
  const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  return (uint16_t)((bits & 0x7fffffffu) > 0x7f800000u ? ((bits >> 16) | 0x40u) : rounded);
}
WEFT_INLINE float weft_round_bf16(float x) { return weft_from_bf16(weft_to_bf16(x)); }
WEFT_INLINE float weft_round_f16(float x) { return (float)(_Float16)x; }

/* Any float as the nearest integer towards zero; what is not a number becomes 0. */
WEFT_INLINE int32_t weft_to_i32(float x) {
  const float low = x < -2147483648.0f ? -2147483648.0f : x;
  const float bounded = low > 2147483520.0f ? 2147483520.0f : low;
  const int32_t whole = (int32_t)(x == x ? bounded : 0.0f);
  return x >= 2147483648.0f ? INT32_MAX : whole;
}
WEFT_INLINE uint32_t weft_to_u32(float x) {
  const float low = x > 0.0f ? x : 0.0f;
  const uint32_t whole = (uint32_t)(low > 4294967040.0f ? 4294967040.0f : low);
  return x >= 4294967296.0f ? UINT32_MAX : whole;
}

/* Division by zero gives zero instead of a trap; the quotient is taken in 64 bits, where -2^31 / -1 fits. */
WEFT_INLINE int32_t weft_divide_i32(int32_t a, int32_t b) {
  const int64_t divisor = b == 0 ? 1 : b;
  const int64_t quotient = a / divisor;
  const int64_t floored = quotient - ((a % divisor != 0) & ((a < 0) != (divisor < 0)));
  return b == 0 ? 0 : (int32_t)floored;
}
WEFT_INLINE int32_t weft_remainder_i32(int32_t a, int32_t b) { return b == 0 ? 0 : (int32_t)(a - (int64_t)weft_divide_i32(a, b) * b); }
WEFT_INLINE uint32_t weft_divide_u32(uint32_t a, uint32_t b) { return b == 0u ? 0u : a / b; }
WEFT_INLINE uint32_t weft_remainder_u32(uint32_t a, uint32_t b) { return b == 0u ? 0u : a % b; }
WEFT_INLINE int32_t weft_power_i32(int32_t base, int32_t exponent) {
  int64_t result = exponent < 0 ? (base == 1 ? 1 : base == -1 ? ((exponent & 1) ? -1 : 1) : 0) : 1;
  int64_t square = base;
  for (int32_t rest = exponent; rest > 0; rest >>= 1) {
    if (rest & 1) result = (int32_t)(result * square);
    square = (int32_t)(square * square);
  }
  return (int32_t)result;
}
WEFT_INLINE int64_t weft_least(int64_t a, int64_t b) { return a < b ? a : b; }`;

/** Text before the kernels: the runtime's header, the foundations, and all portable functions (unused ones cost nothing). */
export const cPrelude = [
  '#include <math.h>\n#include <stdint.h>\n#include "contraction.h"\n#include "weft.h"',
  foundations,
  printFunctions(portableFunctions, cDialect),
  `#pragma omp declare reduction(weft_maximum : float : omp_out = weft_maximum(omp_out, omp_in)) initializer(omp_priv = -INFINITY)
#pragma omp declare reduction(weft_minimum : float : omp_out = weft_minimum(omp_out, omp_in)) initializer(omp_priv = INFINITY)`,
].join("\n\n");
