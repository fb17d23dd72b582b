// units: 40
// integers: 5000 128 0 1 5000 0 1
// read buffer 0
// write buffer 1
void KERNEL(const weft_arguments *arguments, int64_t begin, int64_t end, void *workspace) {
  const int64_t *const n = arguments->integers;
  const float *const b0 = arguments->buffers[0];
  float *const b1 = arguments->buffers[1];
  int64_t rest = begin;
  int64_t c0 = rest;
  for (int64_t unit = begin; unit < end; unit++) {
    const int64_t start = c0 * 128;
    const int32_t count = (int32_t)weft_least(n[0] - start, 128);
    const int64_t length1 = n[1];
    float part1[128];
    double total1[128];
#pragma omp simd
    for (int32_t i = 0; i < count; i++) {
      part1[i] = 0.0f;
      total1[i] = 0.0;
    }
    int32_t pending0 = 0;
    for (int64_t r1 = 0; r1 < length1; r1++) {
      const int64_t o2 = n[2] + start * n[3] + r1 * n[4];
#pragma omp simd
      for (int32_t i = 0; i < count; i++) {
        const float v0 = b0[o2 + i];
        part1[i] = part1[i] + v0;
      }
      if (++pending0 == 128) {
#pragma omp simd
        for (int32_t i = 0; i < count; i++) {
          total1[i] += part1[i];
          part1[i] = 0.0f;
        }
        pending0 = 0;
      }
    }
#pragma omp simd
    for (int32_t i = 0; i < count; i++) {
      part1[i] = (float)(total1[i] + part1[i]);
    }
    const int64_t o4 = n[5] + start * n[6];
#pragma omp simd
    for (int32_t i = 0; i < count; i++) {
      b1[o4 + i] = part1[i];
    }
    c0++;
  }
}
