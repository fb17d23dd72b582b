/*
 * Times the contraction driver beside the machine's own rate of multiply-adds, measured in the same run and alternating with it, so that a
 * noisy neighbour slows both. Prints one line a shape: name, milliseconds, GFLOP/s, the ceiling, their ratio (medians).
 * Arguments: threads, repeats.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "contraction.h"
#include "vector.h"
#include "weft.h"

typedef struct {
  const char *name;
  int64_t batches, rows, columns, reduced;
  /* Strides: batch, line, k; then the output's batch, row and column. */
  int64_t lhs[3], rhs[3], out[3];
  int64_t unit_rows, unit_columns;
} shape;

static clockid_t timer;

static double now(void) {
  struct timespec time;
  clock_gettime(timer, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static int by_size(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static double median(double *values, int count) {
  qsort(values, (size_t)count, sizeof *values, by_size);
  return values[count / 2];
}

#define CHAINS 24
#define CEILING_ROUNDS 400000

/* As many independent chains of multiply-adds as registers allow: nothing but the pipes limits it. */
static void ceiling_kernel(const weft_arguments *arguments, int64_t begin, int64_t end, void *workspace) {
  (void)workspace;
  weft_vector sum[CHAINS], factor = weft_get(arguments->floats), addend = weft_get(arguments->floats + WEFT_LANES);
  for (int c = 0; c < CHAINS; c++) sum[c] = addend * (float)c;
  for (int64_t u = begin; u < end; u++)
    for (int i = 0; i < CEILING_ROUNDS; i++) {
#pragma GCC unroll 24
      for (int c = 0; c < CHAINS; c++) sum[c] = sum[c] * factor + addend;
    }
  weft_vector total = {0};
  for (int c = 0; c < CHAINS; c++) total += sum[c];
  weft_put((float *)arguments->buffers[0] + begin * WEFT_LANES, total);
}

static void contraction_kernel(const weft_arguments *arguments, int64_t begin, int64_t end, void *workspace) {
  weft_contraction(arguments, arguments->integers, NULL, begin, end, workspace);
}

static int64_t put_walk(int64_t *at, int64_t extent, int64_t stride) {
  if (extent == 1) {
    at[0] = 0;
    return 1;
  }
  at[0] = 1;
  at[1] = extent;
  at[2] = stride;
  return 3;
}

static int64_t put_view(int64_t *table, int64_t at, int64_t buffer, int64_t a, int64_t as, int64_t b, int64_t bs, int64_t c,
                        int64_t cs) {
  table[at++] = buffer;
  table[at++] = 0;
  at += put_walk(table + at, a, as);
  at += put_walk(table + at, b, bs);
  at += put_walk(table + at, c, cs);
  return at;
}

static double seconds(weft_pool *pool, const weft_program *program) {
  const double start = now();
  weft_run(pool, program);
  return now() - start;
}

int main(int argc, char **argv) {
  const int threads = argc > 1 ? atoi(argv[1]) : 1;
  const int repeats = argc > 2 ? atoi(argv[2]) : 11;
  /* One thread is timed by what it used: others may be running on the same core. */
  timer = threads == 1 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC;
  const shape shapes[] = {
      {"512x512 @ 512x512", 1, 512, 512, 512, {0, 512, 1}, {0, 1, 512}, {0, 512, 1}, 64, 256},
      {"1024x1024 @ 1024x1024", 1, 1024, 1024, 1024, {0, 1024, 1}, {0, 1, 1024}, {0, 1024, 1}, 64, 352},
      {"2048x2048 @ (2048x2048).T", 1, 2048, 2048, 2048, {0, 2048, 1}, {0, 2048, 1}, {0, 2048, 1}, 64, 384},
      {"2240x96 @ (384x96).T", 1, 2240, 384, 96, {0, 96, 1}, {0, 96, 1}, {0, 384, 1}, 64, 384},
      {"2240x96 @ 96x384", 1, 2240, 384, 96, {0, 96, 1}, {0, 1, 384}, {0, 384, 1}, 64, 384},
      {"2240x384 @ (96x384).T", 1, 2240, 96, 384, {0, 384, 1}, {0, 384, 1}, {0, 96, 1}, 64, 96},
      {"(2240x96).T @ 2240x384", 1, 96, 384, 2240, {0, 1, 96}, {0, 1, 384}, {0, 384, 1}, 96, 192},
      {"(2240x384).T @ 2240x96", 1, 384, 96, 2240, {0, 1, 384}, {0, 1, 96}, {0, 96, 1}, 192, 96},
      {"(4096x512).T @ 4096x512", 1, 512, 512, 4096, {0, 1, 512}, {0, 1, 512}, {0, 512, 1}, 64, 256},
      {"64 of 140x24 @ (140x24).T", 64, 140, 140, 24, {3360, 24, 1}, {3360, 24, 1}, {19600, 140, 1}, 140, 140},
      {"64 of 140x140 @ 140x24", 64, 140, 24, 140, {19600, 140, 1}, {3360, 1, 24}, {3360, 24, 1}, 140, 24},
      {"16 of 140x96 @ (8x96).T", 16, 140, 8, 96, {13440, 96, 1}, {768, 96, 1}, {1120, 8, 1}, 140, 8},
      {"16 of 140x8 @ (384x8).T", 16, 140, 384, 8, {1120, 8, 1}, {3072, 8, 1}, {53760, 384, 1}, 140, 384},
      {"16 of (140x384).T @ 140x8", 16, 384, 8, 140, {53760, 1, 384}, {1120, 1, 8}, {3072, 8, 1}, 384, 8},
      {"the same, turned", 16, 8, 384, 140, {1120, 1, 8}, {53760, 1, 384}, {3072, 1, 8}, 8, 384},
      {"16 of 140x96 @ (8x96).T, turned", 16, 8, 140, 96, {768, 96, 1}, {13440, 96, 1}, {1120, 1, 8}, 8, 140},
      {"2000 of 8x8 @ 8x8", 2000, 8, 8, 8, {64, 8, 1}, {64, 1, 8}, {64, 8, 1}, 8, 8},
      {"8 of 64x64 @ (1379x64).T", 8, 64, 1379, 64, {4096, 64, 1}, {88256, 64, 1}, {88256, 1379, 1}, 64, 384},
      {"64x1379 @ 1379x64", 1, 64, 64, 1379, {0, 1379, 1}, {0, 1, 64}, {0, 64, 1}, 64, 64},
      {"512x512 @ 512x1", 1, 512, 1, 512, {0, 512, 1}, {0, 1, 1}, {0, 1, 1}, 64, 1},
      {"the same, turned", 1, 1, 512, 512, {0, 1, 1}, {0, 512, 1}, {0, 1, 1}, 1, 256},
      {"1x512 @ 512x2048", 1, 1, 2048, 512, {0, 512, 1}, {0, 1, 2048}, {0, 2048, 1}, 1, 352},
  };
  weft_pool *pool = weft_pool_create(threads);
  float *lhs = weft_allocate(1 << 26), *rhs = weft_allocate(1 << 26), *out = weft_allocate(1 << 26);
  for (int64_t i = 0; i < 1 << 24; i++) {
    lhs[i] = (float)(i * 7919 % 1009) * 1e-3f - 0.5f;
    rhs[i] = (float)(i * 104729 % 2003) * 5e-4f - 0.5f;
  }
  float constants[2 * WEFT_LANES];
  for (int i = 0; i < 2 * WEFT_LANES; i++) constants[i] = i < WEFT_LANES ? 0.999f : 1e-3f;
  const int32_t segments[3] = {0, 1, 2}, accesses[3] = {WEFT_READ, WEFT_READ, WEFT_WRITE}, elements[3] = {1, 1, 1};
  const int32_t only[1] = {2};
  const int64_t offsets[3] = {0, 0, 0}, bytes[3] = {1 << 26, 1 << 26, 1 << 26};
  weft_program *ceiling = weft_program_create(3);
  weft_program_add(ceiling, (void *)ceiling_kernel, 1, only, offsets, bytes, accesses, elements, 0, NULL, 2 * WEFT_LANES, constants,
                   threads, 1e9);
  weft_program_bind(ceiling, 2, out, 1 << 26);
  const double ceiling_flops = 2.0 * WEFT_LANES * CHAINS * CEILING_ROUNDS * threads;
  printf("%s, %d threads\n", weft_vector_name(), threads);
  for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
    const shape *one = shapes + s;
    int64_t table[64] = {one->batches, one->rows, one->columns, one->unit_rows, one->unit_columns, 1, 0, 0, one->reduced};
    int64_t at = 11;
    table[9] = at;
    at = put_view(table, at, 0, one->batches, one->lhs[0], one->rows, one->lhs[1], one->reduced, one->lhs[2]);
    table[10] = at;
    at = put_view(table, at, 1, one->batches, one->rhs[0], one->columns, one->rhs[1], one->reduced, one->rhs[2]);
    table[6] = at;
    at = put_view(table, at, 2, one->batches, one->out[0], one->rows, one->out[1], one->columns, one->out[2]);
    const int64_t units = one->batches * ((one->rows + one->unit_rows - 1) / one->unit_rows) *
                          ((one->columns + one->unit_columns - 1) / one->unit_columns);
    const double flops = 2.0 * (double)(one->batches * one->rows * one->columns * one->reduced);
    weft_program *program = weft_program_create(3);
    const int32_t launches = (int32_t)(2e8 / flops) + 1;
    for (int32_t l = 0; l < launches; l++)
      weft_program_add(program, (void *)contraction_kernel, 3, segments, offsets, bytes, accesses, elements, 64, table, 0, NULL,
                       units, flops / 60);
    weft_program_bind(program, 0, lhs, 1 << 26);
    weft_program_bind(program, 1, rhs, 1 << 26);
    weft_program_bind(program, 2, out, 1 << 26);
    double times[64], ceilings[64], ratios[64];
    seconds(pool, program);
    for (int r = 0; r < repeats && r < 64; r++) {
      ceilings[r] = seconds(pool, ceiling);
      times[r] = seconds(pool, program) / launches;
      ratios[r] = flops / times[r] / (ceiling_flops / ceilings[r]);
    }
    const double rate = flops / median(times, repeats) * 1e-9, most = ceiling_flops / median(ceilings, repeats) * 1e-9;
    printf("%-32s %9.4f ms %8.1f of %8.1f GFLOP/s  ratio %.2f\n", one->name, median(times, repeats) * 1e3, rate, most,
           median(ratios, repeats));
    fflush(stdout);
    weft_program_destroy(program);
  }
  weft_program_destroy(ceiling);
  weft_pool_destroy(pool);
  return 0;
}
