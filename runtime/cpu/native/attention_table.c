#include "attention_table.h"

#include <math.h>

static void read_view(const weft_arguments *arguments, const int64_t *table, int64_t reference, int64_t bytes, int has_channel,
                      weft_attention_view *into) {
  into->base = NULL;
  into->channel = (weft_walk){0, NULL};
  if (reference == 0) return;
  const int64_t *at = table + reference;
  into->base = (char *)arguments->buffers[at[0]] + at[1] * bytes;
  at = weft_read_walk(weft_read_walk(weft_read_walk(at + 2, &into->batch), &into->head), &into->line);
  if (has_channel) weft_read_walk(at, &into->channel);
}

void weft_read_attention(const weft_arguments *arguments, const int64_t *table, int backward, weft_attention_job *into) {
  into->batches = table[0];
  into->heads = table[1];
  into->group = table[2];
  into->queries = table[3];
  into->keys = table[4];
  into->width = table[5];
  into->value_width = table[6];
  into->block_queries = table[7];
  into->scale = arguments->floats[0];
  read_view(arguments, table, table[8], 4, 1, &into->q);
  read_view(arguments, table, table[9], 4, 1, &into->k);
  read_view(arguments, table, table[10], 4, 1, &into->v);
  read_view(arguments, table, table[11], 1, 1, &into->mask);
  read_view(arguments, table, table[12], 4, 1, &into->output);
  read_view(arguments, table, table[13], 4, 0, &into->log_sum);
  if (!backward) return;
  read_view(arguments, table, table[14], 4, 1, &into->cotangent);
  read_view(arguments, table, table[15], 4, 1, &into->dq);
  read_view(arguments, table, table[16], 4, 1, &into->dk);
  read_view(arguments, table, table[17], 4, 1, &into->dv);
}

float *weft_attention_head(const weft_attention_view *view, int64_t batch, int64_t head) {
  return (float *)view->base + weft_walk_offset(&view->batch, batch) + weft_walk_offset(&view->head, head);
}

float weft_mask_scores(const weft_attention_job *job, int64_t batch, int64_t head, int64_t query, int64_t key, int64_t keys,
                       int64_t width, float *row) {
  const float scale = job->scale;
  if (job->mask.base) {
    const weft_attention_view *mask = &job->mask;
    const uint8_t *allowed = (const uint8_t *)mask->base + weft_walk_offset(&mask->batch, batch) +
                             weft_walk_offset(&mask->head, head) + weft_walk_offset(&mask->line, query) +
                             weft_walk_offset(&mask->channel, key);
    const int64_t stride = mask->channel.count ? mask->channel.pairs[1] : 0;
    if (stride == 1) {
#pragma omp simd
      for (int64_t j = 0; j < keys; j++) row[j] = allowed[j] ? row[j] * scale : -INFINITY;
    } else {
      for (int64_t j = 0; j < keys; j++) row[j] = allowed[j * stride] ? row[j] * scale : -INFINITY;
    }
  } else {
#pragma omp simd
    for (int64_t j = 0; j < keys; j++) row[j] *= scale;
  }
  for (int64_t j = keys; j < width; j++) row[j] = -INFINITY;
  float largest = -INFINITY;
#pragma omp simd reduction(max : largest)
  for (int64_t j = 0; j < width; j++) largest = row[j] > largest ? row[j] : largest;
  return largest;
}

void weft_set_block(weft_block *block, int64_t row, int64_t rows, int64_t column, int64_t columns) {
  block->batch = 0;
  block->row = row;
  block->rows = rows;
  block->column = column;
  block->columns = columns;
  weft_cut_panels(block);
}

void weft_store_lines(float *head, const weft_attention_view *view, int64_t line, int64_t lines, int64_t channels, const float *from,
                      int64_t step, const float *factor, int add) {
  const int64_t stride = weft_walk_stride(&view->channel);
  for (int64_t l = 0; l < lines; l++) {
    float *to = head + weft_walk_offset(&view->line, line + l);
    const float *source = from + l * step;
    const float times = factor ? factor[l] : 1.0f;
    if (add)
      for (int64_t c = 0; c < channels; c++) to[c * stride] += times * source[c];
    else
      for (int64_t c = 0; c < channels; c++) to[c * stride] = times * source[c];
  }
}
