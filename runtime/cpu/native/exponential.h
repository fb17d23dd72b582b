/* e^x for the softmax of attention, where x is never above 0. The series is that of codegen/scalar/maths.ts. */
#ifndef WEFT_EXPONENTIAL_H
#define WEFT_EXPONENTIAL_H

#include <math.h>
#include <stdint.h>

/* Below 1.1 ulp for -87 <= x <= 0, and 0 below -87; NaN stays. Branch-free, for simd loops. */
static inline __attribute__((always_inline)) float weft_exp_below(float x) {
  const float bounded = x < -87.0f ? -87.0f : x;
  const float whole = floorf(bounded * 1.4426950216293335f + 0.5f);
  /* ln 2 in two parts; the first has 9 bits, so its product with `whole` is exact. */
  const float rest = (bounded - whole * 0.693359375f) - whole * (-0.00021219444170128554f);
  float series = 0.0013821304310113192f;
  series = series * rest + 0.00836866907775402f;
  series = series * rest + 0.04166825860738754f;
  series = series * rest + 0.1666652113199234f;
  series = series * rest + 0.4999999403953552f;
  series = 1.0f + (rest + (rest * rest) * series);
  union {
    int32_t bits;
    float value;
  } power = {.bits = ((int32_t)whole + 127) << 23};
  return x < -87.0f ? 0.0f : series * power.value;
}

#endif
