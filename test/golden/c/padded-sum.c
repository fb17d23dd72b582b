// units: 25
// integers: 100000 -5000 1 -5000 1 90000 0 1 0 1
// read buffer 0
// read buffer 1
// write buffer 2
void KERNEL(const weft_arguments *arguments, int64_t begin, int64_t end, void *workspace) {
  const int64_t *const n = arguments->integers;
  const float *const b0 = arguments->buffers[0];
  const float *const b1 = arguments->buffers[1];
  float *const b2 = arguments->buffers[2];
  const int64_t length = n[0];
  int64_t rest = begin;
  int64_t c0 = rest;
  for (int64_t unit = begin; unit < end; unit++) {
    const int64_t start = c0 * 4096;
    const int32_t count = (int32_t)weft_least(length - start, 4096);
    const int64_t o1 = n[1] + start * n[2];
    const int32_t t2 = (int32_t)(n[3] + start * n[4]);
    const uint32_t z3 = (uint32_t)n[5];
    const int64_t o4 = n[6] + start * n[7];
    const int64_t o5 = n[8] + start * n[9];
#pragma omp simd
    for (int32_t i = 0; i < count; i++) {
      const float v0 = ((((uint32_t)(t2 + i) < z3)) ? b0[o1 + i] : 0.0f);
      const float v1 = b1[o4 + i];
      const float v2 = v0 + v1;
      b2[o5 + i] = v2;
    }
    c0++;
  }
}
