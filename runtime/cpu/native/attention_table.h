/* What both directions of attention share: the table, the areas of the workspace, and rows of scores. */
#ifndef WEFT_ATTENTION_TABLE_H
#define WEFT_ATTENTION_TABLE_H

#include "attention.h"
#include "multiply.h"

typedef struct {
  char *base;
  weft_walk batch, head, line, channel;
} weft_attention_view;

typedef struct {
  int64_t batches, heads, group, queries, keys, width, value_width, block_queries;
  float scale;
  weft_attention_view q, k, v, mask, output, log_sum, cotangent, dq, dk, dv;
} weft_attention_job;

void weft_read_attention(const weft_arguments *arguments, const int64_t *table, int backward, weft_attention_job *into);

/* Where a head of a view of floats starts. */
float *weft_attention_head(const weft_attention_view *view, int64_t batch, int64_t head);

/*
 * Turns raw products of query `query` with keys key..key+keys into scores: times scale, and -infinity where the mask forbids and in the
 * columns up to `width` that pad the row. Returns the largest.
 */
float weft_mask_scores(const weft_attention_job *job, int64_t batch, int64_t head, int64_t query, int64_t key, int64_t keys,
                       int64_t width, float *row);

/* Whole vectors. */
static inline int64_t weft_padded(int64_t count) { return weft_round_up(count, WEFT_LANES); }

/* A block with its columns cut into panels. */
void weft_set_block(weft_block *block, int64_t row, int64_t rows, int64_t column, int64_t columns);

/* view[line + l][c] = (or +=) factor[l] * from[l * step + c], or from itself where `factor` is NULL. */
void weft_store_lines(float *head, const weft_attention_view *view, int64_t line, int64_t lines, int64_t channels, const float *from,
                      int64_t step, const float *factor, int add);

#endif
