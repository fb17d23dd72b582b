// units: 64
// integers: 96 0 96 0 0 0 96
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
    const int32_t count = (int32_t)length;
    const int64_t o1 = n[1] + c0 * n[2];
    const int64_t o2 = n[3] + c0 * n[4];
    const int64_t o3 = n[5] + c0 * n[6];
#pragma omp simd
    for (int32_t i = 0; i < count; i++) {
      const float v0 = b0[o1 + i];
      const float v1 = b1[o2 + i];
      const float v2 = v0 + v1;
      const float v4 = v2 * 0.7071067690849304f;
      const float v5 = weft_erf(v4);
      const float v7 = v5 + 1.0f;
      const float v9 = v2 * 0.5f;
      const float v10 = v9 * v7;
      b2[o3 + i] = v10;
    }
    c0++;
  }
}
