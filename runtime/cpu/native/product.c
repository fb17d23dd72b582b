#include "product.h"

/*
 * Rows and vectors are constants wherever this is inlined, so the accumulators live in registers. The sum over k is one chain per
 * element: its order depends on nothing but k.
 */
static inline __attribute__((always_inline)) void tile(const int rows, const int vectors, const weft_stretch *stretches, int64_t count,
                                                       float *const *c, int accumulate) {
  weft_vector sum[WEFT_TILE_ROWS][WEFT_TILE_VECTORS];
  if (accumulate) {
    WEFT_UNROLLED
    for (int r = 0; r < rows; r++)
      WEFT_UNROLLED
      for (int v = 0; v < vectors; v++) sum[r][v] = weft_get(c[r] + v * WEFT_LANES);
  } else {
    WEFT_UNROLLED
    for (int r = 0; r < rows; r++)
      WEFT_UNROLLED
      for (int v = 0; v < vectors; v++) sum[r][v] = (weft_vector){0};
  }
  for (int64_t s = 0; s < count; s++) {
    const weft_stretch *stretch = stretches + s;
    const float *right = stretch->right;
    const int64_t right_step = stretch->right_step;
    const int64_t length = stretch->length;
    if (!stretch->by_columns) {
      const float *left[WEFT_TILE_ROWS];
      WEFT_UNROLLED
      for (int r = 0; r < rows; r++) left[r] = stretch->rows[r];
      WEFT_UNROLLED_BY_4
      for (int64_t k = 0; k < length; k++) {
        weft_vector across[WEFT_TILE_VECTORS];
        WEFT_UNROLLED
        for (int v = 0; v < vectors; v++) across[v] = weft_get(right + v * WEFT_LANES);
        right += right_step;
        WEFT_UNROLLED
        for (int r = 0; r < rows; r++)
          WEFT_UNROLLED
          for (int v = 0; v < vectors; v++) sum[r][v] += left[r][k] * across[v];
      }
    } else {
      const float *left = stretch->rows[0];
      const int64_t step = stretch->step;
      WEFT_UNROLLED_BY_4
      for (int64_t k = 0; k < length; k++) {
        weft_vector across[WEFT_TILE_VECTORS];
        WEFT_UNROLLED
        for (int v = 0; v < vectors; v++) across[v] = weft_get(right + v * WEFT_LANES);
        right += right_step;
        WEFT_UNROLLED
        for (int r = 0; r < rows; r++)
          WEFT_UNROLLED
          for (int v = 0; v < vectors; v++) sum[r][v] += left[r] * across[v];
        left += step;
      }
    }
  }
  WEFT_UNROLLED
  for (int r = 0; r < rows; r++)
    WEFT_UNROLLED
    for (int v = 0; v < vectors; v++) weft_put(c[r] + v * WEFT_LANES, sum[r][v]);
}

#define TILE(ROWS, VECTORS)                                                                                                    \
  static void tile_##ROWS##_##VECTORS(const weft_stretch *stretches, int64_t count, float *const *c, int accumulate) {         \
    tile(ROWS, VECTORS, stretches, count, c, accumulate);                                                                      \
  }

#if WEFT_TILE_VECTORS == 3
#define TILES(ROWS) TILE(ROWS, 1) TILE(ROWS, 2) TILE(ROWS, 3)
#define NAMES(ROWS) {tile_##ROWS##_1, tile_##ROWS##_2, tile_##ROWS##_3}
#else
#define TILES(ROWS) TILE(ROWS, 1) TILE(ROWS, 2)
#define NAMES(ROWS) {tile_##ROWS##_1, tile_##ROWS##_2}
#endif

TILES(1)
TILES(2)
TILES(4)
#if WEFT_TILE_ROWS == 8
TILES(8)
#elif WEFT_TILE_ROWS == 6
TILES(6)
#endif

static const struct {
  int64_t rows;
  weft_tile tiles[WEFT_TILE_VECTORS];
} heights[] = {
    {1, NAMES(1)},
    {2, NAMES(2)},
    {4, NAMES(4)},
#if WEFT_TILE_ROWS == 8
    {8, NAMES(8)},
#elif WEFT_TILE_ROWS == 6
    {6, NAMES(6)},
#endif
};

weft_tile weft_tile_for(int64_t rows, int64_t vectors, int64_t *height) {
  int64_t index = 0;
  while (heights[index].rows < rows) index++;
  *height = heights[index].rows;
  return heights[index].tiles[vectors - 1];
}
