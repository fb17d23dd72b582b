/* One vector of floats, as wide as the machine's registers, through GCC's vector extensions. */
#ifndef WEFT_VECTOR_H
#define WEFT_VECTOR_H

#include <stdint.h>
#include <string.h>

/*
 * WEFT_LANES floats to a register; tiles of WEFT_TILE_ROWS rows by up to WEFT_TILE_VECTORS vectors, chosen so that accumulators, one row of
 * the right operand and a broadcast fit the register file, and so that two FMA pipes of latency four stay full.
 */
#if defined(__AVX512F__)
#define WEFT_LANES 16
#define WEFT_TILE_ROWS 8
#define WEFT_TILE_VECTORS 3
#define WEFT_VECTOR_NAME "AVX-512"
#elif defined(__AVX2__)
#define WEFT_LANES 8
#define WEFT_TILE_ROWS 6
#define WEFT_TILE_VECTORS 2
#define WEFT_VECTOR_NAME "AVX2"
#elif defined(__ARM_NEON)
#define WEFT_LANES 4
#define WEFT_TILE_ROWS 8
#define WEFT_TILE_VECTORS 3
#define WEFT_VECTOR_NAME "NEON"
#else
#define WEFT_LANES 4
#define WEFT_TILE_ROWS 4
#define WEFT_TILE_VECTORS 2
#define WEFT_VECTOR_NAME "128-bit vectors"
#endif

/* Before a loop with a constant count (all of it), or before the loop over k. */
#if defined(__clang__)
#define WEFT_UNROLLED _Pragma("clang loop unroll(full)")
#define WEFT_UNROLLED_BY_4 _Pragma("clang loop unroll_count(4)")
#else
#define WEFT_UNROLLED _Pragma("GCC unroll 16")
#define WEFT_UNROLLED_BY_4 _Pragma("GCC unroll 4")
#endif

typedef float weft_vector __attribute__((vector_size(WEFT_LANES * 4)));
typedef int32_t weft_lanes __attribute__((vector_size(WEFT_LANES * 4)));
/* The same where memory need not be aligned to the vector. */
typedef float weft_unaligned __attribute__((vector_size(WEFT_LANES * 4), aligned(4), may_alias));

static inline weft_vector weft_get(const float *from) { return *(const weft_unaligned *)from; }
static inline void weft_put(float *to, weft_vector value) { *(weft_unaligned *)to = value; }

/* The first, or the second, halves of two vectors with their elements taking turns. */
#if WEFT_LANES == 16
#define WEFT_LOW 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define WEFT_HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif WEFT_LANES == 8
#define WEFT_LOW 0, 8, 1, 9, 2, 10, 3, 11
#define WEFT_HIGH 4, 12, 5, 13, 6, 14, 7, 15
#else
#define WEFT_LOW 0, 4, 1, 5
#define WEFT_HIGH 2, 6, 3, 7
#endif
#if defined(__clang__)
#define WEFT_TAKE_TURNS(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define WEFT_TAKE_TURNS(a, b, ...) __builtin_shuffle(a, b, (weft_lanes){__VA_ARGS__})
#endif

static inline int64_t weft_smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t weft_larger(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int64_t weft_round_up(int64_t a, int64_t multiple) { return (a + multiple - 1) / multiple * multiple; }

#endif
