#include <math.h>

#include "attention_table.h"
#include "exponential.h"

/* Floats of the workspace's areas: packed keys and values with the sums of their cotangents, and what belongs to a block of queries. */
#define KEY_FLOATS (448 * 1024)
#define MOST_KEYS 1024
#define SCORE_FLOATS (WEFT_ATTENTION_QUERIES * MOST_KEYS)
#define QUERY_FLOATS (WEFT_ATTENTION_QUERIES * WEFT_ATTENTION_WIDTH)
#define LEFT_FLOATS (WEFT_CHUNK_ROWS * (WEFT_ATTENTION_WIDTH + 2 * WEFT_LANES))
#define SPARE_FLOATS (WEFT_TILE_ROWS * WEFT_TILE_VECTORS * WEFT_LANES)

_Static_assert((KEY_FLOATS + 2 * SCORE_FLOATS + 3 * QUERY_FLOATS + LEFT_FLOATS + SPARE_FLOATS) * 4 <= WEFT_WORKSPACE_BYTES,
               "a thread's workspace holds all areas");

/* A product with the part that runs it. */
typedef struct {
  weft_product of;
  weft_part part;
} step;

typedef struct {
  /* scores = q k^T, slopes = cotangent v^T, dv = scores^T cotangent, dk = slopes^T q, dq = slopes k. */
  step scores, slopes, dv, dk, dq;
  int64_t score_pair[2];
  float *scores_at, *slopes_at, *dv_at, *dk_at, *dq_at, *spare;
  int64_t keys, score_step, width, value_width;
} backward;

static float *take(float **area, int64_t count) {
  float *start = *area;
  *area += count;
  return start;
}

static void set_up(const weft_attention_job *job, float *workspace, backward *state) {
  state->width = weft_padded(job->width);
  state->value_width = weft_padded(job->value_width);
  const int64_t per_key = 3 * state->width + 2 * state->value_width;
  const int64_t fit = KEY_FLOATS / weft_larger(1, per_key) / WEFT_LANES * WEFT_LANES;
  state->keys = weft_smaller(weft_larger(job->keys, 1), weft_smaller(fit, MOST_KEYS));
  state->score_step = weft_padded(state->keys);
  float *area = workspace;
  state->scores.part.right = take(&area, state->score_step * state->width);
  state->slopes.part.right = take(&area, state->score_step * state->value_width);
  state->dq.part.right = take(&area, state->score_step * state->width);
  state->dk_at = take(&area, state->score_step * state->width);
  state->dv_at = take(&area, state->score_step * state->value_width);
  state->dk.part.right = take(&area, QUERY_FLOATS);
  state->dv.part.right = take(&area, QUERY_FLOATS);
  state->dq_at = take(&area, QUERY_FLOATS);
  state->scores_at = take(&area, SCORE_FLOATS);
  state->slopes_at = take(&area, SCORE_FLOATS);
  float *left = take(&area, LEFT_FLOATS);
  state->spare = take(&area, SPARE_FLOATS);
  step *const steps[] = {&state->scores, &state->slopes, &state->dv, &state->dk, &state->dq};
  for (int i = 0; i < 5; i++) {
    weft_part *part = &steps[i]->part;
    *part = (weft_part){.of = &steps[i]->of, .right = part->right, .left = left, .column = -1};
    part->left_step = weft_larger(state->width, state->value_width) + WEFT_LANES;
  }
}

/* Points the products at one query head and the keys from `key` on. */
static void set_head(const weft_attention_job *job, int64_t batch, int64_t head, int64_t key, int64_t keys, backward *state) {
  const float *q = weft_attention_head(&job->q, batch, head);
  const float *k = weft_attention_head(&job->k, batch, head / job->group) + weft_walk_offset(&job->k.line, key);
  const float *v = weft_attention_head(&job->v, batch, head / job->group) + weft_walk_offset(&job->v.line, key);
  const float *cotangent = weft_attention_head(&job->cotangent, batch, head);
  const weft_walk by_query = weft_apart(state->score_pair, state->score_step);
  state->scores.of.lhs = weft_plain_operand(q, job->q.line, job->q.channel);
  state->scores.of.rhs = weft_plain_operand(k, job->k.line, job->k.channel);
  state->scores.part.length = job->width;
  state->slopes.of.lhs = weft_plain_operand(cotangent, job->cotangent.line, job->cotangent.channel);
  state->slopes.of.rhs = weft_plain_operand(v, job->v.line, job->v.channel);
  state->slopes.part.length = job->value_width;
  /* Transposed: rows are keys, which stand side by side. */
  state->dv.of.lhs = weft_plain_operand(state->scores_at, weft_near(), by_query);
  state->dk.of.lhs = weft_plain_operand(state->slopes_at, weft_near(), by_query);
  state->dq.of.lhs = weft_plain_operand(state->slopes_at, by_query, weft_near());
  state->dq.of.rhs = weft_plain_operand(k, job->k.channel, job->k.line);
  state->dq.part.length = keys;
}

/* Row sum of output * cotangent of one query. */
static float output_slope(const weft_attention_job *job, int64_t batch, int64_t head, int64_t query) {
  const float *output = weft_attention_head(&job->output, batch, head) + weft_walk_offset(&job->output.line, query);
  const float *cotangent = weft_attention_head(&job->cotangent, batch, head) + weft_walk_offset(&job->cotangent.line, query);
  const int64_t output_stride = weft_walk_stride(&job->output.channel);
  const int64_t cotangent_stride = weft_walk_stride(&job->cotangent.channel);
  float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
  for (int64_t c = 0; c < job->value_width; c++) sum += output[c * output_stride] * cotangent[c * cotangent_stride];
  return sum;
}

/* Scores become probabilities, products of cotangents and values become slopes of the scores. */
static void finish_rows(const weft_attention_job *job, int64_t batch, int64_t head, int64_t query, int64_t queries, int64_t key,
                        int64_t keys, backward *state) {
  const float *log_sums = weft_attention_head(&job->log_sum, batch, head);
  const int64_t width = weft_padded(keys);
  const float scale = job->scale;
  for (int64_t i = 0; i < queries; i++) {
    float *score = state->scores_at + i * state->score_step, *slope = state->slopes_at + i * state->score_step;
    weft_mask_scores(job, batch, head, query + i, key, keys, width, score);
    const float log_sum = log_sums[weft_walk_offset(&job->log_sum.line, query + i)];
    const float mean = output_slope(job, batch, head, query + i);
#pragma omp simd
    for (int64_t j = 0; j < width; j++) {
      const float probability = weft_exp_below(score[j] - log_sum);
      score[j] = probability;
      slope[j] = probability * (slope[j] - mean) * scale;
    }
  }
}

static void run_queries(const weft_attention_job *job, int64_t batch, int64_t head, int64_t query, int64_t queries, int64_t key,
                        int64_t keys, backward *state) {
  weft_block block;
  weft_set_block(&block, query, queries, 0, keys);
  weft_multiply(&state->scores.part, &block, state->scores_at, state->score_step, 0, state->spare);
  weft_multiply(&state->slopes.part, &block, state->slopes_at, state->score_step, 0, state->spare);
  finish_rows(job, batch, head, query, queries, key, keys, state);

  const float *q = weft_attention_head(&job->q, batch, head) + weft_walk_offset(&job->q.line, query);
  const float *cotangent = weft_attention_head(&job->cotangent, batch, head) + weft_walk_offset(&job->cotangent.line, query);
  state->dv.of.rhs = weft_plain_operand(cotangent, job->cotangent.channel, job->cotangent.line);
  state->dk.of.rhs = weft_plain_operand(q, job->q.channel, job->q.line);
  state->dv.part.length = state->dk.part.length = queries;
  /* Blocks of queries can start at one address and differ in length. */
  state->dv.part.column = state->dk.part.column = -1;
  weft_set_block(&block, 0, keys, 0, job->value_width);
  weft_multiply(&state->dv.part, &block, state->dv_at, state->value_width, 1, state->spare);
  weft_set_block(&block, 0, keys, 0, job->width);
  weft_multiply(&state->dk.part, &block, state->dk_at, state->width, 1, state->spare);
  weft_set_block(&block, 0, queries, 0, job->width);
  weft_multiply(&state->dq.part, &block, state->dq_at, state->width, 0, state->spare);
  weft_store_lines(weft_attention_head(&job->dq, batch, head), &job->dq, query, queries, job->width, state->dq_at, state->width, NULL,
                   key > 0);
}

/* Queries that had nothing to attend to change nothing. */
static void clear_queries(const weft_attention_job *job, int64_t batch, int64_t head) {
  float *dq = weft_attention_head(&job->dq, batch, head);
  const int64_t stride = weft_walk_stride(&job->dq.channel);
  for (int64_t query = 0; query < job->queries; query++) {
    float *to = dq + weft_walk_offset(&job->dq.line, query);
    for (int64_t c = 0; c < job->width; c++) to[c * stride] = 0.0f;
  }
}

/* One key head: the cotangents of its keys and values sum over the query heads of its group. */
static void run_head(const weft_attention_job *job, int64_t batch, int64_t key_head, backward *state) {
  if (job->keys == 0)
    for (int64_t i = 0; i < job->group; i++) clear_queries(job, batch, key_head * job->group + i);
  for (int64_t key = 0; key < job->keys; key += state->keys) {
    const int64_t keys = weft_smaller(state->keys, job->keys - key);
    memset(state->dk_at, 0, (size_t)(keys * state->width) * sizeof(float));
    memset(state->dv_at, 0, (size_t)(keys * state->value_width) * sizeof(float));
    state->scores.part.column = state->slopes.part.column = state->dq.part.column = -1;
    for (int64_t head = key_head * job->group; head < (key_head + 1) * job->group; head++) {
      set_head(job, batch, head, key, keys, state);
      for (int64_t query = 0; query < job->queries; query += job->block_queries)
        run_queries(job, batch, head, query, weft_smaller(job->block_queries, job->queries - query), key, keys, state);
    }
    weft_store_lines(weft_attention_head(&job->dk, batch, key_head), &job->dk, key, keys, job->width, state->dk_at, state->width, NULL, 0);
    weft_store_lines(weft_attention_head(&job->dv, batch, key_head), &job->dv, key, keys, job->value_width, state->dv_at,
                     state->value_width, NULL, 0);
  }
}

void weft_attention_backward(const weft_arguments *arguments, const int64_t *table, int64_t begin, int64_t end, void *workspace) {
  weft_attention_job job;
  backward state;
  weft_read_attention(arguments, table, 1, &job);
  set_up(&job, workspace, &state);
  const int64_t key_heads = job.heads / job.group;
  for (int64_t u = begin; u < end; u++) run_head(&job, u / key_heads, u % key_heads, &state);
}
