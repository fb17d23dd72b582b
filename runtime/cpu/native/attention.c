#include <math.h>

#include "attention_table.h"
#include "exponential.h"

/* Floats of the workspace's areas. */
#define RIGHT_FLOATS (320 * 1024)
#define MOST_KEYS 2048
#define SCORE_FLOATS (WEFT_ATTENTION_QUERIES * MOST_KEYS)
#define OUTPUT_FLOATS (WEFT_ATTENTION_QUERIES * WEFT_ATTENTION_WIDTH)
#define LEFT_FLOATS (WEFT_CHUNK_ROWS * (MOST_KEYS + 2 * WEFT_LANES))
#define SPARE_FLOATS (WEFT_TILE_ROWS * WEFT_TILE_VECTORS * WEFT_LANES)

_Static_assert((RIGHT_FLOATS + SCORE_FLOATS + OUTPUT_FLOATS + LEFT_FLOATS + SPARE_FLOATS) * 4 <= WEFT_WORKSPACE_BYTES,
               "a thread's workspace holds all areas");

/* The keys that are attended to at once, and the head they are of: they stay packed from one block of queries to the next. */
typedef struct {
  weft_product scores, values;
  weft_part score_part, value_part;
  int64_t score_pair[2];
  float *scores_at, *output, *spare;
  int64_t keys, score_step, output_step;
} forward;

static void set_up(const weft_attention_job *job, float *workspace, forward *state) {
  const int64_t width = weft_padded(job->width), value_width = weft_padded(job->value_width);
  const int64_t fit = RIGHT_FLOATS / weft_larger(1, width + value_width) / WEFT_LANES * WEFT_LANES;
  state->keys = weft_smaller(weft_larger(job->keys, 1), weft_smaller(fit, MOST_KEYS));
  state->score_step = weft_padded(state->keys);
  state->output_step = value_width;
  float *left = workspace + RIGHT_FLOATS;
  state->scores_at = left + LEFT_FLOATS;
  state->output = state->scores_at + SCORE_FLOATS;
  state->spare = state->output + OUTPUT_FLOATS;
  state->score_part =
      (weft_part){.of = &state->scores, .right = workspace, .left = left, .left_step = width + WEFT_LANES, .column = -1};
  state->value_part =
      (weft_part){.of = &state->values, .right = workspace + state->score_step * width, .left = left, .column = -1};
}

/* Points the products at one head; keys and values that are still packed are found by their address. */
static void set_head(const weft_attention_job *job, int64_t batch, int64_t head, forward *state) {
  const float *q = weft_attention_head(&job->q, batch, head);
  const float *k = weft_attention_head(&job->k, batch, head / job->group);
  const float *v = weft_attention_head(&job->v, batch, head / job->group);
  state->scores.length = job->width;
  state->scores.lhs = weft_plain_operand(q, job->q.line, job->q.channel);
  state->scores.rhs = weft_plain_operand(k, job->k.line, job->k.channel);
  state->values.lhs = weft_plain_operand(state->scores_at, weft_apart(state->score_pair, state->score_step), weft_near());
  state->values.rhs = weft_plain_operand(v, job->v.channel, job->v.line);
  state->score_part.length = job->width;
}

/* Scores become probabilities relative to `largest`; returns their sum. */
static float exponentials(float *row, int64_t width, float largest) {
  float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
  for (int64_t j = 0; j < width; j++) {
    const float value = weft_exp_below(row[j] - largest);
    row[j] = value;
    sum += value;
  }
  return sum;
}

static void run_queries(const weft_attention_job *job, int64_t batch, int64_t head, int64_t query, int64_t queries, forward *state) {
  float largest[WEFT_ATTENTION_QUERIES], sum[WEFT_ATTENTION_QUERIES];
  weft_block scores, values;
  for (int64_t i = 0; i < queries; i++) {
    largest[i] = -INFINITY;
    sum[i] = 0.0f;
  }
  const float *v = weft_attention_head(&job->v, batch, head / job->group);
  if (job->keys == 0) memset(state->output, 0, OUTPUT_FLOATS * sizeof(float));
  for (int64_t key = 0; key < job->keys; key += state->keys) {
    const int64_t keys = weft_smaller(state->keys, job->keys - key);
    weft_set_block(&scores, query, queries, key, keys);
    weft_multiply(&state->score_part, &scores, state->scores_at, state->score_step, 0, state->spare);
    for (int64_t i = 0; i < queries; i++) {
      float *row = state->scores_at + i * state->score_step;
      const float most = weft_mask_scores(job, batch, head, query + i, key, keys, scores.width, row);
      /* Nothing to attend to yet: any finite shift makes zeros of the scores. */
      const float next = most > largest[i] ? most : largest[i];
      const float shift = next == -INFINITY ? 0.0f : next;
      const float before = largest[i] == -INFINITY ? 0.0f : weft_exp_below(largest[i] - shift);
      sum[i] = sum[i] * before + exponentials(row, scores.width, shift);
      largest[i] = next;
      if (key > 0 && before != 1.0f)
        for (int64_t c = 0; c < state->output_step; c++) state->output[i * state->output_step + c] *= before;
    }
    /* Values that are repeated along the keys start at one address in all blocks; the last one is packed for fewer keys. */
    if (state->value_part.length != keys) state->value_part.column = -1;
    state->value_part.length = keys;
    state->values.rhs.base = v + weft_walk_offset(&job->v.line, key);
    weft_set_block(&values, 0, queries, 0, job->value_width);
    weft_multiply(&state->value_part, &values, state->output, state->output_step, key > 0, state->spare);
  }
  float *log_sum = weft_attention_head(&job->log_sum, batch, head);
  for (int64_t i = 0; i < queries; i++) {
    log_sum[weft_walk_offset(&job->log_sum.line, query + i)] = sum[i] == 0.0f ? 0.0f : largest[i] + logf(sum[i]);
    sum[i] = sum[i] == 0.0f ? 0.0f : 1.0f / sum[i];
  }
  weft_store_lines(weft_attention_head(&job->output, batch, head), &job->output, query, queries, job->value_width, state->output,
                   state->output_step, sum, 0);
}

void weft_attention(const weft_arguments *arguments, const int64_t *table, int64_t begin, int64_t end, void *workspace) {
  weft_attention_job job;
  forward state;
  weft_read_attention(arguments, table, 0, &job);
  set_up(&job, workspace, &state);
  const int64_t blocks = (job.queries + job.block_queries - 1) / job.block_queries;
  int64_t last = -1;
  for (int64_t u = begin; u < end; u++) {
    const int64_t whole = u / blocks, query = u % blocks * job.block_queries;
    if (whole != last) set_head(&job, whole / job.heads, whole % job.heads, &state);
    last = whole;
    run_queries(&job, whole / job.heads, whole % job.heads, query, weft_smaller(job.block_queries, job.queries - query), &state);
  }
}
