/* Register tiles: the one place where floating-point products are summed. */
#ifndef WEFT_PRODUCT_H
#define WEFT_PRODUCT_H

#include "vector.h"

/*
 * One stretch of a sum over k. The left operand is either rows that are contiguous in k (row r is at rows[r]), or `by_columns`
 * columns that are contiguous in the rows (element (r, k) is at rows[0][k * step + r]). The right operand's row k
 * starts at right + k * right_step.
 */
typedef struct {
  const float *rows[WEFT_TILE_ROWS];
  int64_t by_columns, step;
  const float *right;
  int64_t right_step;
  int64_t length;
} weft_stretch;

/*
 * c[r][0 .. vectors * lanes) (+)= sum over the stretches, in order, and over k, in order. Row r of the result is at c[r]; rows may be
 * the same one twice (then the same numbers are written twice).
 */
typedef void (*weft_tile)(const weft_stretch *stretches, int64_t count, float *const *c, int accumulate);

/* The tile for at most `rows` rows (1..WEFT_TILE_ROWS) of `vectors` vectors (1..WEFT_TILE_VECTORS); `*height` gets the rows it computes. */
weft_tile weft_tile_for(int64_t rows, int64_t vectors, int64_t *height);

#endif
