#include "contraction.h"

#include "operand.h"

/* Longest sum over k that is kept in registers; a longer one is cut into passes that meet in memory. */
#define PASS_LENGTH 640
/* Floats of the workspace's areas. */
#define RIGHT_FLOATS (WEFT_UNIT_COLUMNS * PASS_LENGTH)
#define LEFT_FLOATS (WEFT_CHUNK_ROWS * (PASS_LENGTH + 2 * WEFT_LANES * (WEFT_PRODUCTS + 1)))
#define LINE_FLOATS (WEFT_TILE_VECTORS * WEFT_LANES * (PASS_LENGTH + WEFT_LANES))
#define SPARE_FLOATS (WEFT_TILE_ROWS * WEFT_TILE_VECTORS * WEFT_LANES)
#define SUM_FLOATS (320 * 1024)
/* Fewer rows than this do not pay for packing the right operand. */
#define FEW_ROWS 16

_Static_assert((RIGHT_FLOATS + LEFT_FLOATS + LINE_FLOATS + SPARE_FLOATS + SUM_FLOATS) * 4 <= WEFT_WORKSPACE_BYTES,
               "a thread's workspace holds all areas");
_Static_assert(WEFT_UNIT_ROWS * WEFT_UNIT_COLUMNS <= SUM_FLOATS, "the sums of a unit can wait between passes");

typedef struct {
  const weft_arguments *arguments;
  int64_t batches, rows, columns, unit_rows, unit_columns, products, total;
  weft_product product[WEFT_PRODUCTS];
  weft_epilogue epilogue;
  float *out;
  weft_walk out_batch, out_rows, out_columns;
  /* Passes over k, each of at most `length`. */
  int64_t passes, length;
  int few_rows;
  /* Tiles write straight to the result. */
  int direct;
  float *right, *left, *lines, *spare, *sums;
} job;

static void read_operand(const weft_arguments *arguments, const int64_t *table, int64_t reference,
                         const weft_contraction_hooks *hooks, weft_operand *into) {
  into->filled = reference < 0 ? hooks->fills + (-1 - reference) : NULL;
  into->base = NULL;
  if (reference < 0) return;
  const int64_t *at = table + reference;
  into->base = (const float *)arguments->buffers[at[0]] + at[1];
  weft_read_walk(weft_read_walk(weft_read_walk(at + 2, &into->batch), &into->lines), &into->along);
}

static void read_job(const weft_arguments *arguments, const int64_t *table, const weft_contraction_hooks *hooks, float *workspace,
                     job *into) {
  into->arguments = arguments;
  into->batches = table[0];
  into->rows = table[1];
  into->columns = table[2];
  into->unit_rows = table[3];
  into->unit_columns = table[4];
  into->products = table[5];
  into->epilogue = NULL;
  into->out = NULL;
  if (table[6]) {
    const int64_t *at = table + table[6];
    into->out = (float *)arguments->buffers[at[0]] + at[1];
    weft_read_walk(weft_read_walk(weft_read_walk(at + 2, &into->out_batch), &into->out_rows), &into->out_columns);
  } else {
    into->epilogue = hooks->epilogue;
  }
  into->total = 0;
  for (int64_t p = 0; p < into->products; p++) {
    weft_product *one = into->product + p;
    one->length = table[8 + 3 * p];
    read_operand(arguments, table, table[9 + 3 * p], hooks, &one->lhs);
    read_operand(arguments, table, table[10 + 3 * p], hooks, &one->rhs);
    into->total += one->length;
  }
  const int64_t width = weft_round_up(weft_smaller(into->unit_columns, into->columns), WEFT_LANES);
  const int64_t longest = weft_smaller(PASS_LENGTH, RIGHT_FLOATS / width) & ~(int64_t)15;
  into->passes = weft_larger(1, (into->total + longest - 1) / longest);
  into->length = weft_larger(16, weft_round_up((into->total + into->passes - 1) / into->passes, 16));
  into->few_rows = into->rows <= FEW_ROWS;
  into->direct = into->passes == 1 && !into->epilogue && weft_walk_is_single(&into->out_columns) &&
                 weft_walk_is_contiguous(&into->out_columns);
  into->right = workspace;
  into->left = into->right + RIGHT_FLOATS;
  into->lines = into->left + LEFT_FLOATS;
  into->spare = into->lines + LINE_FLOATS;
  into->sums = into->spare + SPARE_FLOATS;
}

/* The parts that pass `index` sums: products one after another, cut where a pass ends. */
static int64_t parts_of(const job *work, int64_t index, int64_t width, weft_part *into) {
  int64_t count = 0, at = 0, left_at = 0;
  const int64_t begin = index * work->length, end = weft_smaller(work->total, begin + work->length);
  for (int64_t p = 0; p < work->products; p++) {
    const weft_product *of = work->product + p;
    const int64_t from = weft_larger(begin, at), to = weft_smaller(end, at + of->length);
    if (from < to) {
      /* Rows not a power of two apart: they should not fall on one set of the cache. */
      const int64_t left_step = weft_round_up(to - from, WEFT_LANES) + WEFT_LANES;
      into[count++] = (weft_part){.of = of,
                                  .first = from - at,
                                  .length = to - from,
                                  .right = work->right + (from - begin) * width,
                                  .left = work->left + left_at * WEFT_CHUNK_ROWS,
                                  .left_step = left_step,
                                  .lines = work->lines,
                                  .column = -1};
      left_at += left_step;
    }
    at += of->length;
  }
  return count;
}

/* The plain epilogue: finished sums of some columns of the block to a strided view. */
static void store_view(const job *work, const weft_block *block, int64_t row, int64_t rows, const float *sums, int64_t step,
                       int64_t column, int64_t columns) {
  float *base = work->out + weft_walk_offset(&work->out_batch, block->batch);
  const weft_walk *along = &work->out_columns;
  const int64_t stride = weft_walk_stride(along);
  const int64_t first = block->column + column;
  const int64_t extent = weft_walk_is_single(along) ? first + columns : along->pairs[2 * along->count - 2];
  for (int64_t c = 0; c < columns;) {
    const int64_t run = weft_smaller(columns - c, extent - (first + c) % extent);
    float *at = base + weft_walk_offset(along, first + c);
    for (int64_t r = 0; r < rows; r++) {
      float *to = at + weft_walk_offset(&work->out_rows, row + r);
      const float *from = sums + r * step + c;
      if (stride == 1)
        memcpy(to, from, (size_t)run * sizeof(float));
      else
        for (int64_t i = 0; i < run; i++) to[i * stride] = from[i];
    }
    c += run;
  }
}

/* One row of tiles: up to WEFT_TILE_ROWS rows by all of the block's columns, over one pass. */
static void run_rows(const job *work, const weft_block *block, const weft_part *parts, int64_t count, int64_t pass, int64_t chunk,
                     int64_t row, int64_t rows, float *sums) {
  weft_stretch stretches[WEFT_PRODUCTS + 1];
  int64_t height;
  weft_tile_for(rows, 1, &height);
  for (int64_t s = 0; s < count; s++) weft_point_left(parts + s, block->batch, chunk, row, rows, height, stretches + s);
  float *out[WEFT_TILE_ROWS];
  if (work->direct) {
    float *base = work->out + weft_walk_offset(&work->out_batch, block->batch) + block->column;
    for (int64_t r = 0; r < rows; r++) out[r] = base + weft_walk_offset(&work->out_rows, row + r);
  }
  for (int64_t p = 0; p < block->panels; p++) {
    const weft_panel *panel = block->panel + p;
    const int whole = work->direct && panel->column + panel->vectors * WEFT_LANES <= block->columns;
    float *c[WEFT_TILE_ROWS];
    for (int64_t r = 0; r < height; r++)
      c[r] = r >= rows ? work->spare + r * WEFT_TILE_VECTORS * WEFT_LANES
             : whole   ? out[r] + panel->column
                       : sums + r * block->width + panel->column;
    for (int64_t s = 0; s < count; s++) weft_point_right(parts + s, block, panel, work->few_rows, stretches + s);
    weft_tile_for(rows, panel->vectors, &height)(stretches, count, c, pass > 0);
    if (work->direct && !whole)
      store_view(work, block, row, rows, sums + panel->column, block->width, panel->column, block->columns - panel->column);
  }
  if (pass < work->passes - 1 || work->direct) return;
  if (work->epilogue)
    work->epilogue(work->arguments, block->batch, row, rows, block->column, block->columns, sums, block->width);
  else
    store_view(work, block, row, rows, sums, block->width, 0, block->columns);
}

static void run_pass(const job *work, const weft_block *block, weft_part *parts, int64_t count, int64_t pass) {
  for (int64_t s = 0; s < count; s++) weft_prepare_right(work->arguments, parts + s, block, work->few_rows);
  for (int64_t chunk = 0; chunk < block->rows; chunk += WEFT_CHUNK_ROWS) {
    const int64_t some = weft_smaller(WEFT_CHUNK_ROWS, block->rows - chunk);
    const int64_t first = block->row + chunk;
    for (int64_t s = 0; s < count; s++) weft_prepare_left(work->arguments, parts + s, block->batch, first, some);
    for (int64_t r = 0; r < some; r += WEFT_TILE_ROWS) {
      float *sums = work->passes == 1 ? work->sums : work->sums + (chunk + r) * block->width;
      run_rows(work, block, parts, count, pass, first, first + r, weft_smaller(WEFT_TILE_ROWS, some - r), sums);
    }
  }
}

void weft_contraction(const weft_arguments *arguments, const int64_t *table, const weft_contraction_hooks *hooks, int64_t begin,
                      int64_t end, void *workspace) {
  job work;
  read_job(arguments, table, hooks, workspace, &work);
  const int64_t row_blocks = (work.rows + work.unit_rows - 1) / work.unit_rows;
  const int64_t per_column = row_blocks * work.batches;
  const int64_t width = weft_round_up(weft_smaller(work.unit_columns, work.columns), WEFT_LANES);
  /* Neighbouring units of one batch element and block of columns are one block, as tall as sums that wait between passes may be. */
  const int64_t tallest = work.passes == 1 ? work.rows : weft_larger(1, SUM_FLOATS / width / work.unit_rows);
  weft_part parts[WEFT_PRODUCTS + 1];
  int64_t count = work.passes == 1 ? parts_of(&work, 0, width, parts) : 0;
  weft_block block;
  block.column = -1;
  for (int64_t u = begin; u < end;) {
    const int64_t column = u / per_column * work.unit_columns;
    if (column != block.column) {
      block.column = column;
      block.columns = weft_smaller(work.unit_columns, work.columns - column);
      weft_cut_panels(&block);
    }
    const int64_t row_block = u % row_blocks;
    const int64_t some = weft_smaller(tallest, weft_smaller(end - u, row_blocks - row_block));
    block.batch = u % per_column / row_blocks;
    block.row = row_block * work.unit_rows;
    block.rows = weft_smaller(some * work.unit_rows, work.rows - block.row);
    for (int64_t pass = 0; pass < work.passes; pass++) {
      if (work.passes > 1) count = parts_of(&work, pass, width, parts);
      run_pass(&work, &block, parts, count, pass);
    }
    u += some;
  }
}
