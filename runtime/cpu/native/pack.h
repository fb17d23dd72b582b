/* Copies of strided operands into the orders that register tiles read. */
#ifndef WEFT_PACK_H
#define WEFT_PACK_H

#include "vector.h"

/* Offsets, in elements, along a joined index: `pairs` holds (extent, stride), outermost first. No pairs: one place, offset 0. */
typedef struct {
  int64_t count;
  const int64_t *pairs;
} weft_walk;

/* Reads a walk out of a table: the number of dimensions, then the pairs. Returns what stands after it. */
static inline const int64_t *weft_read_walk(const int64_t *at, weft_walk *walk) {
  walk->count = *at++;
  walk->pairs = at;
  return at + 2 * walk->count;
}

static inline int64_t weft_walk_offset(const weft_walk *walk, int64_t index) {
  int64_t offset = 0;
  for (int64_t d = walk->count - 1; d > 0; d--) {
    const int64_t extent = walk->pairs[2 * d];
    const int64_t outer = index / extent;
    offset += (index - outer * extent) * walk->pairs[2 * d + 1];
    index = outer;
  }
  return walk->count > 0 ? offset + index * walk->pairs[1] : offset;
}

/* Whether the joined index steps by one element: within runs of the innermost extent, or (`whole`) all the way. */
static inline int weft_walk_is_contiguous(const weft_walk *walk) {
  return walk->count == 0 || walk->pairs[2 * walk->count - 1] == 1;
}
static inline int weft_walk_is_single(const weft_walk *walk) { return walk->count <= 1; }
static inline int64_t weft_walk_stride(const weft_walk *walk) { return walk->count == 0 ? 1 : walk->pairs[2 * walk->count - 1]; }

/* out[l * step + i] = base[lines(line + l) + along(first + i)]; quick where `along` is contiguous. */
void weft_gather(float *out, int64_t step, const float *base, const weft_walk *lines, int64_t line, int64_t line_count,
                 const weft_walk *along, int64_t first, int64_t count);

/*
 * out[i * step + l] = base[lines(line + l) + along(first + i)]; quick where `along` is contiguous. Where a row of `step` has room after
 * the last line, up to a whole vector of it may be overwritten with finite copies.
 */
void weft_transpose(float *out, int64_t step, const float *base, const weft_walk *lines, int64_t line, int64_t line_count,
                    const weft_walk *along, int64_t first, int64_t count);

#endif
