/*
 * Products of rows by group, in float32. Table (written by codegen/c/grouped-product.ts):
 *
 *   units, groups, batches, lines, columns, reduced, columns of a block,
 *   views of order (place), offsets (group), lhs, rhs and the result
 *
 * References to views as in contraction.h. The views of lhs (row, batch, line, k), rhs (group or row, batch, column, k) and result
 * (row or group, batch, line, column) have four walks each. The rows of group g are order[offsets[g]] .. order[offsets[g + 1] - 1].
 */
#ifndef WEFT_GROUPED_H
#define WEFT_GROUPED_H

#include "weft.h"

/*
 * result[row, b, l, c] = sum over k of lhs[row, b, l, k] * rhs[group of the row, b, c, k]. How many blocks of rows there are is known only when the
 * offsets are: a unit stands for an equal share of them.
 */
void weft_grouped_contraction(const weft_arguments *arguments, const int64_t *table, int64_t begin, int64_t end, void *workspace);

/*
 * result[group, b, l, c] = sum over the rows of the group and over k of lhs[row, b, l, k] * rhs[row, b, c, k]. Units: groups x batches x blocks of lines x
 * blocks of columns.
 */
void weft_grouped_sum(const weft_arguments *arguments, const int64_t *table, int64_t begin, int64_t end, void *workspace);

#define WEFT_GROUPED_LINES 128

#endif
