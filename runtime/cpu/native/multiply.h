/* One product of a block into scratch memory: what attention is made of. */
#ifndef WEFT_MULTIPLY_H
#define WEFT_MULTIPLY_H

#include "operand.h"

/* Walks of one dimension: side by side, or `pair[1]` apart (the pair must stay where it is; its extent does not matter). */
static const int64_t weft_near_pair[2] = {1, 1};
static inline weft_walk weft_near(void) { return (weft_walk){1, weft_near_pair}; }
static inline weft_walk weft_apart(int64_t pair[2], int64_t stride) {
  pair[0] = 1;
  pair[1] = stride;
  return (weft_walk){1, pair};
}

static inline weft_operand weft_plain_operand(const float *base, weft_walk lines, weft_walk along) {
  return (weft_operand){.base = base, .batch = {0, NULL}, .lines = lines, .along = along, .filled = NULL};
}

/*
 * out[r * step + c] (+)= sum over k of lhs[block->row + r, k] * rhs[k, block->column + c] for the block's rows and columns rounded up to
 * whole vectors. The right operand stays packed in `part` for the next call with the same base and column. `spare` takes the rows a last
 * tile has too many: WEFT_TILE_ROWS * WEFT_TILE_VECTORS * WEFT_LANES floats.
 */
void weft_multiply(weft_part *part, const weft_block *block, float *out, int64_t step, int accumulate, float *spare);

#endif
