#include "grouped.h"

#include "operand.h"

#define LINES WEFT_GROUPED_LINES
/* Longest sum over k that is kept in registers; longer ones are cut into passes that meet in memory. */
#define PASS_LENGTH 640
#define TILES_OF_LINES ((LINES + WEFT_TILE_ROWS - 1) / WEFT_TILE_ROWS)
/* Floats of the workspace's areas. */
#define RIGHT_FLOATS (WEFT_UNIT_COLUMNS * PASS_LENGTH)
#define LEFT_FLOATS (TILES_OF_LINES * WEFT_TILE_ROWS * PASS_LENGTH)
#define SUM_FLOATS (LINES * (WEFT_UNIT_COLUMNS + WEFT_LANES))
#define SPARE_FLOATS (WEFT_TILE_ROWS * WEFT_TILE_VECTORS * WEFT_LANES)

_Static_assert((RIGHT_FLOATS + LEFT_FLOATS + SUM_FLOATS + SPARE_FLOATS) * 4 <= WEFT_WORKSPACE_BYTES,
               "a thread's workspace holds all areas");

typedef struct {
  float *base;
  weft_walk first, batch, lines, last;
} view;

typedef struct {
  const int32_t *base;
  weft_walk walk;
} integers;

typedef struct {
  int64_t units, groups, batches, lines, columns, reduced, block_columns;
  integers order, offsets;
  view lhs, rhs, out;
  float *right, *left, *sums, *spare;
  weft_block block;
} job;

static const weft_walk still = {0, NULL};

static view read_view(const weft_arguments *arguments, const int64_t *at) {
  view into;
  into.base = (float *)arguments->buffers[at[0]] + at[1];
  const int64_t *after = weft_read_walk(weft_read_walk(at + 2, &into.first), &into.batch);
  weft_read_walk(weft_read_walk(after, &into.lines), &into.last);
  return into;
}

static integers read_integers(const weft_arguments *arguments, const int64_t *at) {
  integers into;
  into.base = (const int32_t *)arguments->buffers[at[0]] + at[1];
  weft_read_walk(at + 2, &into.walk);
  return into;
}

static void read_job(const weft_arguments *arguments, const int64_t *table, float *workspace, job *into) {
  into->units = table[0];
  into->groups = table[1];
  into->batches = table[2];
  into->lines = table[3];
  into->columns = table[4];
  into->reduced = table[5];
  into->block_columns = table[6];
  into->order = read_integers(arguments, table + table[7]);
  into->offsets = read_integers(arguments, table + table[8]);
  into->lhs = read_view(arguments, table + table[9]);
  into->rhs = read_view(arguments, table + table[10]);
  into->out = read_view(arguments, table + table[11]);
  into->right = workspace;
  into->left = into->right + RIGHT_FLOATS;
  into->sums = into->left + LEFT_FLOATS;
  into->spare = into->sums + SUM_FLOATS;
}

static inline int64_t integer_at(const integers *of, int64_t index) { return of->base[weft_walk_offset(&of->walk, index)]; }

/* Where a view is at its first two coordinates. */
static inline float *part_of(const view *of, int64_t first, int64_t batch) {
  return of->base + weft_walk_offset(&of->first, first) + weft_walk_offset(&of->batch, batch);
}

static void start_block(job *work, int64_t column_block) {
  weft_block *block = &work->block;
  block->column = column_block * work->block_columns;
  block->columns = weft_smaller(work->block_columns, work->columns - block->column);
  weft_cut_panels(block);
}

/* sums[l][c] (+)= the products of `lines` lines, by rows (rows[l], contiguous in k) or, where `rows` is NULL, by the tiles in work->left. */
static void multiply(const job *work, const float *const *rows, int64_t lines, int64_t length, int accumulate) {
  const weft_block *block = &work->block;
  for (int64_t l = 0; l < lines; l += WEFT_TILE_ROWS) {
    const int64_t some = weft_smaller(WEFT_TILE_ROWS, lines - l);
    weft_stretch stretch = {.by_columns = !rows, .step = WEFT_TILE_ROWS, .length = length};
    stretch.rows[0] = work->left + l * length;
    for (int64_t r = 0; r < WEFT_TILE_ROWS && rows; r++) stretch.rows[r] = rows[l + weft_smaller(r, some - 1)];
    for (int64_t p = 0; p < block->panels; p++) {
      const weft_panel *panel = block->panel + p;
      stretch.right = work->right + panel->column * length;
      stretch.right_step = panel->vectors * WEFT_LANES;
      float *to[WEFT_TILE_ROWS];
      for (int64_t r = 0; r < WEFT_TILE_ROWS; r++)
        to[r] = r < some ? work->sums + (l + r) * block->width + panel->column : work->spare + r * WEFT_TILE_VECTORS * WEFT_LANES;
      int64_t height;
      weft_tile_for(some, panel->vectors, &height)(&stretch, 1, to, accumulate);
    }
  }
}

/* Finished sums of one line to the block's columns of the result. */
static void store_line(const job *work, int64_t line, float *to) {
  const weft_block *block = &work->block;
  const weft_walk *along = &work->out.last;
  const float *from = work->sums + line * block->width;
  if (weft_walk_is_single(along) && weft_walk_is_contiguous(along)) {
    memcpy(to + block->column, from, (size_t)block->columns * sizeof(float));
    return;
  }
  for (int64_t c = 0; c < block->columns; c++) to[weft_walk_offset(along, block->column + c)] = from[c];
}

static void fill_zero(float *out, int64_t step, int64_t length, int64_t from) {
  if (from == step) return;
  for (int64_t k = 0; k < length; k++)
    for (int64_t c = from; c < step; c++) out[k * step + c] = 0.0f;
}

/* ---- rows with the weights of their group ---- */

/* Panels of [k][columns of the panel] of one group's weights. */
static void pack_weights(const job *work, const float *base, int64_t first, int64_t length) {
  const weft_block *block = &work->block;
  const view *rhs = &work->rhs;
  for (int64_t p = 0; p < block->panels; p++) {
    const weft_panel *panel = block->panel + p;
    const int64_t step = panel->vectors * WEFT_LANES;
    const int64_t column = block->column + panel->column;
    const int64_t columns = weft_smaller(step, block->columns - panel->column);
    float *out = work->right + panel->column * length;
    if (weft_walk_is_contiguous(&rhs->last) && !weft_walk_is_contiguous(&rhs->lines))
      weft_transpose(out, step, base, &rhs->lines, column, columns, &rhs->last, first, length);
    else
      weft_gather(out, step, base, &rhs->last, first, length, &rhs->lines, column, columns);
    fill_zero(out, step, length, columns);
  }
}

/* Up to LINES lines of one group and batch element, from line `line` on; the group's rows stand from `start` on in the order. */
typedef struct {
  int64_t group, batch, start, line, lines;
  /* Whether work->right holds these very weights already. */
  int packed;
} share;

static void run_share(job *work, const share *of) {
  const int in_place = weft_walk_is_single(&work->lhs.last) && weft_walk_is_contiguous(&work->lhs.last);
  const float *from[LINES], *rows[LINES];
  float *to[LINES];
  for (int64_t l = 0; l < of->lines; l++) {
    const int64_t row = integer_at(&work->order, of->start + (of->line + l) / work->lines);
    const int64_t line = (of->line + l) % work->lines;
    from[l] = part_of(&work->lhs, row, of->batch) + weft_walk_offset(&work->lhs.lines, line);
    to[l] = part_of(&work->out, row, of->batch) + weft_walk_offset(&work->out.lines, line);
  }
  const float *weights = part_of(&work->rhs, of->group, of->batch);
  for (int64_t first = 0; first == 0 || first < work->reduced; first += PASS_LENGTH) {
    const int64_t length = weft_smaller(PASS_LENGTH, work->reduced - first);
    if (!of->packed || work->reduced > PASS_LENGTH) pack_weights(work, weights, first, length);
    for (int64_t l = 0; l < of->lines; l++) {
      float *copy = work->left + l * length;
      rows[l] = in_place ? from[l] + first : copy;
      if (!in_place) weft_gather(copy, length, from[l], &still, 0, 1, &work->lhs.last, first, length);
    }
    multiply(work, rows, of->lines, length, first > 0);
  }
  for (int64_t l = 0; l < of->lines; l++) store_line(work, l, to[l]);
}

static int64_t blocks_of(const job *work, int64_t group) {
  const int64_t members = integer_at(&work->offsets, group + 1) - integer_at(&work->offsets, group);
  return (members * work->lines + LINES - 1) / LINES;
}

void weft_grouped_contraction(const weft_arguments *arguments, const int64_t *table, int64_t begin, int64_t end, void *workspace) {
  job work;
  read_job(arguments, table, workspace, &work);
  int64_t per_column = 0;
  for (int64_t g = 0; g < work.groups; g++) per_column += blocks_of(&work, g) * work.batches;
  if (per_column == 0) return;
  const int64_t column_blocks = (work.columns + work.block_columns - 1) / work.block_columns;
  const int64_t shares = per_column * column_blocks;
  const int64_t last = shares * end / work.units;
  /* What work.right holds. */
  int64_t packed_column = -1, packed_group = -1, packed_batch = -1;
  int64_t column = -1, group = 0, before = 0;
  for (int64_t s = shares * begin / work.units; s < last; s++) {
    if (column != s / per_column) {
      column = s / per_column;
      group = 0;
      before = column * per_column;
      start_block(&work, column);
    }
    int64_t blocks = blocks_of(&work, group);
    for (; s >= before + blocks * work.batches; blocks = blocks_of(&work, ++group)) before += blocks * work.batches;
    const int64_t start = integer_at(&work.offsets, group), members = integer_at(&work.offsets, group + 1) - start;
    share one = {.group = group, .batch = (s - before) / blocks, .start = start, .line = (s - before) % blocks * LINES};
    one.lines = weft_smaller(LINES, members * work.lines - one.line);
    one.packed = packed_column == column && packed_group == group && packed_batch == one.batch;
    run_share(&work, &one);
    packed_column = column;
    packed_group = group;
    packed_batch = one.batch;
  }
}

/* ---- sums over the rows of a group ---- */

/* Rows first..first+length of the sum's k, counted over the group's rows and, within each, over the reduced axes. */
static void pack_rows(const job *work, int64_t start, int64_t batch, int64_t line, int64_t lines, int64_t first, int64_t length) {
  const weft_block *block = &work->block;
  for (int64_t k = 0; k < length; k++) {
    const int64_t row = integer_at(&work->order, start + (first + k) / work->reduced);
    const int64_t inner = (first + k) % work->reduced;
    const float *left = part_of(&work->lhs, row, batch) + weft_walk_offset(&work->lhs.last, inner);
    for (int64_t l = 0; l < lines; l += WEFT_TILE_ROWS) {
      const int64_t some = weft_smaller(WEFT_TILE_ROWS, lines - l);
      float *out = work->left + l * length + k * WEFT_TILE_ROWS;
      weft_gather(out, WEFT_TILE_ROWS, left, &still, 0, 1, &work->lhs.lines, line + l, some);
      for (int64_t r = some; r < WEFT_TILE_ROWS; r++) out[r] = 0.0f;
    }
    const float *right = part_of(&work->rhs, row, batch) + weft_walk_offset(&work->rhs.last, inner);
    for (int64_t p = 0; p < block->panels; p++) {
      const weft_panel *panel = block->panel + p;
      const int64_t step = panel->vectors * WEFT_LANES;
      const int64_t columns = weft_smaller(step, block->columns - panel->column);
      float *out = work->right + panel->column * length + k * step;
      weft_gather(out, step, right, &still, 0, 1, &work->rhs.lines, block->column + panel->column, columns);
      fill_zero(out, step, 1, columns);
    }
  }
}

void weft_grouped_sum(const weft_arguments *arguments, const int64_t *table, int64_t begin, int64_t end, void *workspace) {
  job work;
  read_job(arguments, table, workspace, &work);
  const int64_t line_blocks = (work.lines + LINES - 1) / LINES;
  const int64_t column_blocks = (work.columns + work.block_columns - 1) / work.block_columns;
  for (int64_t u = begin; u < end; u++) {
    start_block(&work, u % column_blocks);
    const int64_t line = u / column_blocks % line_blocks * LINES;
    const int64_t batch = u / column_blocks / line_blocks % work.batches;
    const int64_t group = u / column_blocks / line_blocks / work.batches;
    const int64_t lines = weft_smaller(LINES, work.lines - line);
    const int64_t start = integer_at(&work.offsets, group);
    const int64_t total = (integer_at(&work.offsets, group + 1) - start) * work.reduced;
    for (int64_t first = 0; first == 0 || first < total; first += PASS_LENGTH) {
      const int64_t length = weft_smaller(PASS_LENGTH, total - first);
      pack_rows(&work, start, batch, line, lines, first, length);
      multiply(&work, NULL, lines, length, first > 0);
    }
    float *to = part_of(&work.out, group, batch);
    for (int64_t l = 0; l < lines; l++) store_line(&work, l, to + weft_walk_offset(&work.out.lines, line + l));
  }
}
