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

typedef float weft_vector __attribute__((vector_size(WEFT_LANES * 4)));
typedef int32_t weft_lanes __attribute__((vector_size(WEFT_LANES * 4)));
/* The same where memory need not be aligned to the vector. */
typedef float weft_unaligned __attribute__((vector_size(WEFT_LANES * 4), aligned(4), may_alias));

static inline weft_vector weft_get(const float *from) { return *(const weft_unaligned *)from; }
static inline void weft_put(float *to, weft_vector value) { *(weft_unaligned *)to = value; }

static inline int64_t weft_smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t weft_larger(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int64_t weft_round_up(int64_t a, int64_t multiple) { return (a + multiple - 1) / multiple * multiple; }

#endif
