#include "scatter.h"

#include "pack.h"

typedef struct {
  char *base;
  weft_walk batch, line, rest;
} view;

static view read_view(const weft_arguments *arguments, const int64_t *at, int has_rest) {
  view into;
  into.base = (char *)arguments->buffers[at[0]] + at[1] * 4;
  at = weft_read_walk(weft_read_walk(at + 2, &into.batch), &into.line);
  into.rest = (weft_walk){0, NULL};
  if (has_rest) weft_read_walk(at, &into.rest);
  return into;
}

/* to[...] = 0 or += from[...] for elements first..first+count of the rest. */
static void run_line(float *to, const weft_walk *to_rest, const float *from, const weft_walk *from_rest, int64_t first, int64_t count) {
  if (weft_walk_is_single(to_rest) && weft_walk_is_single(from_rest)) {
    const int64_t step = weft_walk_stride(to_rest), from_step = weft_walk_stride(from_rest);
    to += first * step;
    from += first * from_step;
    if (step == 1 && from_step == 1) {
#pragma omp simd
      for (int64_t r = 0; r < count; r++) to[r] += from[r];
    } else {
      for (int64_t r = 0; r < count; r++) to[r * step] += from[r * from_step];
    }
    return;
  }
  for (int64_t r = first; r < first + count; r++) to[weft_walk_offset(to_rest, r)] += from[weft_walk_offset(from_rest, r)];
}

void weft_scatter_add(const weft_arguments *arguments, const int64_t *table, int64_t begin, int64_t end) {
  const int64_t updates = table[1], size = table[2], rest = table[3], unit_rest = table[4];
  const view indices = read_view(arguments, table + table[5], 0);
  const view source = read_view(arguments, table + table[6], 1);
  const view target = read_view(arguments, table + table[7], 1);
  const int64_t blocks = (rest + unit_rest - 1) / unit_rest;
  for (int64_t u = begin; u < end; u++) {
    const int64_t batch = u / blocks, first = u % blocks * unit_rest;
    const int64_t count = weft_smaller(unit_rest, rest - first);
    const int32_t *index = (const int32_t *)indices.base + weft_walk_offset(&indices.batch, batch);
    const float *from = (const float *)source.base + weft_walk_offset(&source.batch, batch);
    float *to = (float *)target.base + weft_walk_offset(&target.batch, batch);
    for (int64_t s = 0; s < size; s++) {
      float *row = to + weft_walk_offset(&target.line, s);
      for (int64_t r = first; r < first + count; r++) row[weft_walk_offset(&target.rest, r)] = 0.0f;
    }
    for (int64_t i = 0; i < updates; i++) {
      const int64_t wanted = index[weft_walk_offset(&indices.line, i)];
      const int64_t at = wanted < 0 ? 0 : wanted >= size ? size - 1 : wanted;
      run_line(to + weft_walk_offset(&target.line, at), &target.rest, from + weft_walk_offset(&source.line, i), &source.rest, first,
               count);
    }
  }
}
