// units: 64
// integers: 15626 1000003 0 15626 0 15626 1 0 1
// read buffer 0
// write private scratch: 256 bytes at 0
void KERNEL(const weft_arguments *arguments, int64_t begin, int64_t end, void *workspace) {
  const int64_t *const n = arguments->integers;
  const float *const b0 = arguments->buffers[0];
  float *const b1 = arguments->buffers[1];
  int64_t rest = begin;
  int64_t c0 = rest;
  for (int64_t unit = begin; unit < end; unit++) {
    const int64_t length1 = weft_least(n[0], n[1] - (n[2] + c0 * n[3]));
    double total2 = 0.0;
    for (int64_t start = 0; start < length1; start += 2048) {
      const int32_t count0 = (int32_t)weft_least(length1 - start, 2048);
      const int64_t o2 = n[4] + c0 * n[5] + start * n[6];
      float part2 = 0.0f;
#pragma omp simd reduction(+ : part2)
      for (int32_t i = 0; i < count0; i++) {
        const float v0 = b0[o2 + i];
        const float v1 = v0 * v0;
        part2 = part2 + v1;
      }
      total2 += part2;
    }
    const float result2 = (float)total2;
    const int64_t o4 = n[7] + c0 * n[8];
    b1[o4] = result2;
    c0++;
  }
}

// units: 1
// integers: 64 0 0
// read private scratch: 256 bytes at 0
// write buffer 1
void KERNEL(const weft_arguments *arguments, int64_t begin, int64_t end, void *workspace) {
  const int64_t *const n = arguments->integers;
  const float *const b0 = arguments->buffers[0];
  float *const b1 = arguments->buffers[1];
  for (int64_t unit = begin; unit < end; unit++) {
    const int64_t length0 = n[0];
    double total1 = 0.0;
    const int32_t count0 = (int32_t)length0;
    const int64_t o2 = n[1];
    float part1 = 0.0f;
#pragma omp simd reduction(+ : part1)
    for (int32_t i = 0; i < count0; i++) {
      const float v0 = b0[o2 + i];
      part1 = part1 + v0;
    }
    total1 += part1;
    const float result1 = (float)total1;
    const float h3_2 = weft_rsqrt(result1);
    const int64_t o4 = n[2];
    b1[o4] = h3_2;
  }
}
