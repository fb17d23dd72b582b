// units: 35
// integers: 300 5 200 0 1 200 0 300 1
// read buffer 0
// write buffer 1
void KERNEL(const weft_arguments *arguments, int64_t begin, int64_t end, void *workspace) {
  const int64_t *const n = arguments->integers;
  const float *const b0 = arguments->buffers[0];
  float *const b1 = arguments->buffers[1];
  const int64_t length = n[0];
  const int64_t e1 = n[1];
  int64_t rest = begin;
  int64_t c1 = rest % e1;
  rest /= e1;
  int64_t c0 = rest;
  for (int64_t unit = begin; unit < end; unit++) {
    const int64_t start = c1 * 64;
    const int32_t count = (int32_t)weft_least(length - start, 64);
    const int64_t row_end = weft_least(c0 * 32 + 32, n[2]);
    for (int64_t row = c0 * 32; row < row_end; row++) {
      const int64_t o1 = n[3] + row * n[4] + start * n[5];
      const int64_t s2 = (int64_t)n[5];
      const int64_t o3 = n[6] + row * n[7] + start * n[8];
#pragma omp simd
      for (int32_t i = 0; i < count; i++) {
        const float v0 = b0[o1 + (int64_t)i * s2];
        b1[o3 + i] = v0;
      }
    }
    if (++c1 == e1) {
      c1 = 0;
      c0++;
    }
  }
}
