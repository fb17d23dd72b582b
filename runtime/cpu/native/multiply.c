#include "multiply.h"

void weft_multiply(weft_part *part, const weft_block *block, float *out, int64_t step, int accumulate, float *spare) {
  weft_prepare_right(NULL, part, block, 0);
  for (int64_t chunk = 0; chunk < block->rows; chunk += WEFT_CHUNK_ROWS) {
    const int64_t some = weft_smaller(WEFT_CHUNK_ROWS, block->rows - chunk);
    const int64_t first = block->row + chunk;
    weft_prepare_left(NULL, part, 0, first, some);
    for (int64_t r = 0; r < some; r += WEFT_TILE_ROWS) {
      const int64_t rows = weft_smaller(WEFT_TILE_ROWS, some - r);
      int64_t height;
      weft_tile_for(rows, 1, &height);
      weft_stretch stretch;
      weft_point_left(part, 0, first, first + r, rows, height, &stretch);
      for (int64_t p = 0; p < block->panels; p++) {
        const weft_panel *panel = block->panel + p;
        float *c[WEFT_TILE_ROWS];
        for (int64_t i = 0; i < height; i++)
          c[i] = i < rows ? out + (chunk + r + i) * step + panel->column : spare + i * WEFT_TILE_VECTORS * WEFT_LANES;
        weft_point_right(part, block, panel, 0, &stretch);
        weft_tile_for(rows, panel->vectors, &height)(&stretch, 1, c, accumulate);
      }
    }
  }
}
