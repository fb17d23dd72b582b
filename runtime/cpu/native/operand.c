#include "operand.h"

void weft_cut_panels(weft_block *block) {
  const int64_t vectors = (block->columns + WEFT_LANES - 1) / WEFT_LANES;
  block->width = vectors * WEFT_LANES;
  block->panels = (vectors + WEFT_TILE_VECTORS - 1) / WEFT_TILE_VECTORS;
  int64_t done = 0;
  for (int64_t p = 0; p < block->panels; p++) {
    const int64_t left = block->panels - p;
    const int64_t some = (vectors - done + left - 1) / left;
    block->panel[p] = (weft_panel){done * WEFT_LANES, some};
    done += some;
  }
}

/* ---- right ---- */

/* Rows of the operand (one k each) are contiguous over the columns. */
static inline int has_rows(const weft_operand *rhs) {
  return !rhs->filled && weft_walk_is_single(&rhs->along) && weft_walk_is_single(&rhs->lines) &&
         weft_walk_is_contiguous(&rhs->lines);
}

static inline int is_whole(const weft_panel *panel, const weft_block *block) {
  return panel->column + panel->vectors * WEFT_LANES <= block->columns;
}

static void pack_panel(const weft_arguments *arguments, const weft_part *part, const weft_block *block, const weft_panel *panel) {
  const weft_operand *rhs = &part->of->rhs;
  const int64_t step = panel->vectors * WEFT_LANES;
  const int64_t column = block->column + panel->column;
  const int64_t columns = weft_smaller(step, block->columns - panel->column);
  float *out = part->right + panel->column * part->length;
  if (rhs->filled && rhs->filled->along == WEFT_ALONG_LINES) {
    rhs->filled->fill(arguments, block->batch, column, columns, part->first, part->length, out, step);
  } else if (rhs->filled) {
    const int64_t line_step = weft_round_up(part->length, WEFT_LANES);
    const int64_t pairs[2] = {columns, line_step};
    const weft_walk lines = {1, pairs}, along = {0, NULL};
    rhs->filled->fill(arguments, block->batch, column, columns, part->first, part->length, part->lines, line_step);
    weft_transpose(out, step, part->lines, &lines, 0, columns, &along, 0, part->length);
  } else if (weft_walk_is_contiguous(&rhs->along) && !weft_walk_is_contiguous(&rhs->lines)) {
    weft_transpose(out, step, part->base, &rhs->lines, column, columns, &rhs->along, part->first, part->length);
  } else {
    weft_gather(out, step, part->base, &rhs->along, part->first, part->length, &rhs->lines, column, columns);
  }
  if (columns < step)
    for (int64_t k = 0; k < part->length; k++)
      for (int64_t c = columns; c < step; c++) out[k * step + c] = 0.0f;
}

/* All panels at once where rows are contiguous: memory is read in its order. */
static void pack_rows(const weft_part *part, const weft_block *block) {
  const int64_t stride = weft_walk_stride(&part->of->rhs.along);
  const float *from = part->base + part->first * stride + block->column;
  for (int64_t k = 0; k < part->length; k++, from += stride)
    for (int64_t p = 0; p < block->panels; p++) {
      const weft_panel *panel = block->panel + p;
      const int64_t step = panel->vectors * WEFT_LANES;
      float *out = part->right + panel->column * part->length + k * step;
      if (is_whole(panel, block))
        for (int64_t c = 0; c < step; c += WEFT_LANES) weft_put(out + c, weft_get(from + panel->column + c));
      else
        for (int64_t c = 0; c < step; c++) out[c] = panel->column + c < block->columns ? from[panel->column + c] : 0.0f;
    }
}

void weft_prepare_right(const weft_arguments *arguments, weft_part *part, const weft_block *block, int few_rows) {
  const weft_operand *rhs = &part->of->rhs;
  const float *base = rhs->filled ? NULL : rhs->base + weft_walk_offset(&rhs->batch, block->batch);
  const int64_t batch = rhs->filled && rhs->filled->batched ? block->batch : 0;
  if (part->column == block->column && part->base == base && part->batch == batch) return;
  part->column = block->column;
  part->base = base;
  part->batch = batch;
  const int rows = has_rows(rhs);
  if (rows && !few_rows) {
    pack_rows(part, block);
    return;
  }
  for (int64_t p = 0; p < block->panels; p++)
    if (!rows || !is_whole(block->panel + p, block)) pack_panel(arguments, part, block, block->panel + p);
}

void weft_point_right(const weft_part *part, const weft_block *block, const weft_panel *panel, int few_rows, weft_stretch *stretch) {
  const weft_operand *rhs = &part->of->rhs;
  if (few_rows && has_rows(rhs) && is_whole(panel, block)) {
    stretch->right_step = weft_walk_stride(&rhs->along);
    stretch->right = part->base + part->first * stretch->right_step + block->column + panel->column;
  } else {
    stretch->right_step = panel->vectors * WEFT_LANES;
    stretch->right = part->right + panel->column * part->length;
  }
}

/* ---- left ---- */

enum { ROWS, GROUPS, PACKED, FILLED_ROWS, FILLED_COLUMNS };

static inline int left_mode(const weft_operand *lhs) {
  if (lhs->filled) return lhs->filled->along == WEFT_ALONG_K ? FILLED_ROWS : FILLED_COLUMNS;
  if (!weft_walk_is_single(&lhs->along)) return PACKED;
  if (weft_walk_is_contiguous(&lhs->along)) return ROWS;
  return lhs->lines.count == 1 && weft_walk_is_contiguous(&lhs->lines) ? GROUPS : PACKED;
}

/* Rows that are contiguous in memory, in groups as tall as a tile: [group][k][row]. */
static void pack_groups(const weft_part *part, const float *base, int64_t row, int64_t rows) {
  const int64_t stride = weft_walk_stride(&part->of->lhs.along);
  const int64_t whole = rows / WEFT_TILE_ROWS, rest = rows % WEFT_TILE_ROWS;
  const int64_t size = part->length * WEFT_TILE_ROWS;
  const float *from = base + part->first * stride + row;
  float *out = part->left;
  for (int64_t k = 0; k < part->length; k++) {
    for (int64_t g = 0; g < whole; g++) memcpy(out + g * size, from + g * WEFT_TILE_ROWS, WEFT_TILE_ROWS * sizeof(float));
    for (int64_t r = 0; r < WEFT_TILE_ROWS && rest; r++)
      out[whole * size + r] = r < rest ? from[whole * WEFT_TILE_ROWS + r] : 0.0f;
    from += stride;
    out += WEFT_TILE_ROWS;
  }
}

void weft_prepare_left(const weft_arguments *arguments, const weft_part *part, int64_t batch, int64_t row, int64_t rows) {
  const weft_operand *lhs = &part->of->lhs;
  const float *base = lhs->filled ? NULL : lhs->base + weft_walk_offset(&lhs->batch, batch);
  switch (left_mode(lhs)) {
    case ROWS:
      break;
    case GROUPS:
      pack_groups(part, base, row, rows);
      break;
    case PACKED:
      if (weft_walk_is_contiguous(&lhs->along) || !weft_walk_is_contiguous(&lhs->lines))
        weft_gather(part->left, part->left_step, base, &lhs->lines, row, rows, &lhs->along, part->first, part->length);
      else
        weft_transpose(part->left, part->left_step, base, &lhs->along, part->first, part->length, &lhs->lines, row, rows);
      break;
    case FILLED_ROWS:
      lhs->filled->fill(arguments, batch, row, rows, part->first, part->length, part->left, part->left_step);
      break;
    case FILLED_COLUMNS:
      lhs->filled->fill(arguments, batch, row, rows, part->first, part->length, part->left, WEFT_CHUNK_ROWS);
      break;
  }
}

void weft_point_left(const weft_part *part, int64_t batch, int64_t chunk, int64_t row, int64_t rows, int64_t height,
                     weft_stretch *stretch) {
  const weft_operand *lhs = &part->of->lhs;
  stretch->length = part->length;
  stretch->by_columns = 0;
  stretch->step = 0;
  switch (left_mode(lhs)) {
    case ROWS: {
      const float *base = lhs->base + weft_walk_offset(&lhs->batch, batch) + part->first;
      for (int64_t r = 0; r < height; r++)
        stretch->rows[r] = r < rows ? base + weft_walk_offset(&lhs->lines, row + r) : stretch->rows[r - 1];
      break;
    }
    case GROUPS:
      stretch->by_columns = 1;
      stretch->step = WEFT_TILE_ROWS;
      stretch->rows[0] = part->left + (row - chunk) * part->length;
      break;
    case FILLED_COLUMNS:
      stretch->by_columns = 1;
      stretch->step = WEFT_CHUNK_ROWS;
      stretch->rows[0] = part->left + (row - chunk);
      break;
    default:
      for (int64_t r = 0; r < height; r++)
        stretch->rows[r] = part->left + (row - chunk + weft_smaller(r, rows - 1)) * part->left_step;
      break;
  }
}
