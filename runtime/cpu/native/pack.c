#include "pack.h"

static void copy_run(float *restrict out, const float *restrict from, int64_t count, int64_t stride) {
  int64_t i = 0;
  if (stride == 1) {
    for (; i + WEFT_LANES <= count; i += WEFT_LANES) weft_put(out + i, weft_get(from + i));
    if (WEFT_LANES > 8 && i + 8 <= count) {
      memcpy(out + i, from + i, 8 * sizeof(float));
      i += 8;
    }
    if (i + 4 <= count) {
      memcpy(out + i, from + i, 4 * sizeof(float));
      i += 4;
    }
    for (; i < count; i++) out[i] = from[i];
  } else {
    for (; i < count; i++) out[i] = from[i * stride];
  }
}

void weft_gather(float *out, int64_t step, const float *base, const weft_walk *lines, int64_t line, int64_t line_count,
                 const weft_walk *along, int64_t first, int64_t count) {
  const int64_t stride = weft_walk_stride(along);
  const int64_t extent = weft_walk_is_single(along) ? first + count : along->pairs[2 * along->count - 2];
  for (int64_t i = 0; i < count;) {
    const int64_t run = weft_smaller(count - i, extent - (first + i) % extent);
    const float *from = base + weft_walk_offset(along, first + i);
    for (int64_t l = 0; l < line_count; l++)
      copy_run(out + l * step + i, from + weft_walk_offset(lines, line + l), run, stride);
    i += run;
  }
}

/* Rows become columns by log2(lanes) rounds of interleaving the first half with the second. */
static inline __attribute__((always_inline)) void transpose_square(weft_vector square[WEFT_LANES]) {
  WEFT_UNROLLED
  for (int round = 1; round < WEFT_LANES; round *= 2) {
    weft_vector next[WEFT_LANES];
    WEFT_UNROLLED
    for (int i = 0; i < WEFT_LANES / 2; i++) {
      next[2 * i] = WEFT_TAKE_TURNS(square[i], square[i + WEFT_LANES / 2], WEFT_LOW);
      next[2 * i + 1] = WEFT_TAKE_TURNS(square[i], square[i + WEFT_LANES / 2], WEFT_HIGH);
    }
    WEFT_UNROLLED
    for (int i = 0; i < WEFT_LANES; i++) square[i] = next[i];
  }
}

static void store_square(float *out, int64_t step, const weft_vector square[WEFT_LANES], int64_t count) {
  for (int64_t i = 0; i < count; i++) weft_put(out + i * step, square[i]);
}

static inline void transpose_block(float *out, int64_t step, const float *const from[WEFT_LANES], int64_t at) {
  weft_vector square[WEFT_LANES];
  WEFT_UNROLLED
  for (int l = 0; l < WEFT_LANES; l++) square[l] = weft_get(from[l] + at);
  transpose_square(square);
  WEFT_UNROLLED
  for (int i = 0; i < WEFT_LANES; i++) weft_put(out + i * step, square[i]);
}

/* Fewer than WEFT_LANES elements of each line: no load may reach past them. */
static void transpose_narrow(float *out, int64_t step, const float *const from[WEFT_LANES], int64_t count) {
  float part[WEFT_LANES][WEFT_LANES];
  const int64_t quads = count & ~(int64_t)3;
  for (int l = 0; l < WEFT_LANES; l++) {
    for (int64_t i = 0; i < quads; i += 4) memcpy(part[l] + i, from[l] + i, 16);
    for (int64_t i = quads; i < count; i++) part[l][i] = from[l][i];
    for (int64_t i = count; i < WEFT_LANES; i++) part[l][i] = 0.0f;
  }
  weft_vector square[WEFT_LANES];
  WEFT_UNROLLED
  for (int l = 0; l < WEFT_LANES; l++) square[l] = weft_get(part[l]);
  transpose_square(square);
  store_square(out, step, square, count);
}

/* One contiguous run of WEFT_LANES lines. */
static void transpose_run(float *out, int64_t step, const float *const from[WEFT_LANES], int64_t count) {
  if (count < WEFT_LANES) {
    transpose_narrow(out, step, from, count);
    return;
  }
  for (int64_t i = 0; i + WEFT_LANES <= count; i += WEFT_LANES) transpose_block(out + i * step, step, from, i);
  /* The last block overlaps the one before it: the same numbers again. */
  if (count % WEFT_LANES) transpose_block(out + (count - WEFT_LANES) * step, step, from, count - WEFT_LANES);
}

void weft_transpose(float *out, int64_t step, const float *base, const weft_walk *lines, int64_t line, int64_t line_count,
                    const weft_walk *along, int64_t first, int64_t count) {
  const int64_t stride = weft_walk_stride(along);
  const int64_t extent = weft_walk_is_single(along) ? first + count : along->pairs[2 * along->count - 2];
  for (int64_t l = 0; l < line_count; l += WEFT_LANES) {
    const int64_t some = weft_smaller(WEFT_LANES, line_count - l);
    int64_t offsets[WEFT_LANES];
    for (int64_t j = 0; j < some; j++) offsets[j] = weft_walk_offset(lines, line + l + j);
    for (int64_t i = 0; i < count;) {
      const int64_t run = weft_smaller(count - i, extent - (first + i) % extent);
      const float *at = base + weft_walk_offset(along, first + i);
      if (stride == 1 && l + WEFT_LANES <= step) {
        const float *from[WEFT_LANES];
        for (int64_t j = 0; j < WEFT_LANES; j++) from[j] = at + offsets[j < some ? j : 0];
        transpose_run(out + i * step + l, step, from, run);
      } else {
        for (int64_t j = 0; j < run; j++)
          for (int64_t m = 0; m < some; m++) out[(i + j) * step + l + m] = at[offsets[m] + j * stride];
      }
      i += run;
    }
  }
}
