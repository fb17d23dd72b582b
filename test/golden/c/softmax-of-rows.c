// units: 32
// integers: 208 200 0 200 0 200
// read buffer 0
// write buffer 1
void KERNEL(const weft_arguments *arguments, int64_t begin, int64_t end, void *workspace) {
  const int64_t *const n = arguments->integers;
  const float *const b0 = arguments->buffers[0];
  float *const b1 = arguments->buffers[1];
  float *const w0 = (float *)workspace + 0 * n[0];
  int64_t rest = begin;
  int64_t c0 = rest;
  for (int64_t unit = begin; unit < end; unit++) {
    const int64_t length1 = n[1];
    float total1 = -INFINITY;
    int64_t point0 = 0;
    const int32_t count0 = (int32_t)length1;
    const int64_t o2 = n[2] + c0 * n[3];
#pragma omp simd reduction(weft_maximum : total1)
    for (int32_t i = 0; i < count0; i++) {
      const float v0 = b0[o2 + i];
      total1 = weft_maximum(total1, v0);
    }
    point0 += count0;
    double total4 = 0.0;
    int64_t point1 = 0;
    const int32_t count1 = (int32_t)length1;
    const int64_t o5 = n[2] + c0 * n[3];
    float part4 = 0.0f;
#pragma omp simd reduction(+ : part4)
    for (int32_t i = 0; i < count1; i++) {
      const float v0 = b0[o5 + i];
      const float v2 = v0 - total1;
      const float v3 = weft_exp(v2);
      w0[point1 + i] = v3;
      part4 = part4 + v3;
    }
    total4 += part4;
    point1 += count1;
    const float result4 = (float)total4;
    int64_t point2 = 0;
    const int32_t count2 = (int32_t)length1;
    const int64_t o8 = n[4] + c0 * n[5];
#pragma omp simd
    for (int32_t i = 0; i < count2; i++) {
      const float v5 = w0[point2 + i] / result4;
      b1[o8 + i] = v5;
    }
    point2 += count2;
    c0++;
  }
}
