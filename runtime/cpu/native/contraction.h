/*
 * out[b, m, n] = sum over products p and over k of lhs_p[b, m, k] * rhs_p[b, k, n], in float32.
 *
 * Described by a table of integers (written by codegen/c/contraction.ts), so that one compiled driver serves all shapes:
 *
 *   batches, rows, columns, unit rows, unit columns, products, the store's view or 0, 0
 *   for each product: k, the lhs's view or fill, the rhs's view or fill
 *
 * with at most WEFT_UNIT_ROWS rows and WEFT_UNIT_COLUMNS columns to a unit, and WEFT_PRODUCTS products.
 *
 * A reference to a view is its position in the table; -1 - i means the i-th fill of the hooks. A view is
 *   buffer, offset, then three walks: batch, lines (rows or columns), reduced (the store: batch, rows, columns)
 * and a walk its number of dimensions and for each, outermost first, extent and stride in elements. Extents of 1 are left out.
 */
#ifndef WEFT_CONTRACTION_H
#define WEFT_CONTRACTION_H

#include "weft.h"

/*
 * Writes a stretch of an operand that is computed as it is packed: lines line..line+lines of batch element `batch`, k first..first+count.
 * Element (l, k) goes to out[l * step + k] when `along` of its hook is WEFT_ALONG_K, to out[k * step + l] when it is WEFT_ALONG_LINES.
 */
typedef void (*weft_fill)(const weft_arguments *arguments, int64_t batch, int64_t line, int64_t lines, int64_t first, int64_t count,
                          float *out, int64_t step);

enum { WEFT_ALONG_K = 0, WEFT_ALONG_LINES = 1 };

typedef struct {
  weft_fill fill;
  int along;
  /* Whether the values depend on `batch`: if not, they are packed once for neighbouring elements of the batch. */
  int batched;
} weft_filled;

/* Takes finished sums: out of `sums`, element (r, c) at sums[r * step + c], for rows row..row+rows and columns column..column+columns. */
typedef void (*weft_epilogue)(const weft_arguments *arguments, int64_t batch, int64_t row, int64_t rows, int64_t column,
                              int64_t columns, const float *sums, int64_t step);

typedef struct {
  const weft_filled *fills;
  /* Used when the table has no store. */
  weft_epilogue epilogue;
} weft_contraction_hooks;

#define WEFT_UNIT_ROWS 128
#define WEFT_UNIT_COLUMNS 384
#define WEFT_PRODUCTS 16

/* Units begin..end, of (column blocks) x (batch elements) x (row blocks), row blocks fastest. `hooks` may be NULL. */
void weft_contraction(const weft_arguments *arguments, const int64_t *table, const weft_contraction_hooks *hooks, int64_t begin,
                      int64_t end, void *workspace);

#endif
