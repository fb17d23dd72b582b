/*
 * target[b, index, r] = sum of updates[b, i, r] over the i whose index it is, in the order of i; indices are clamped. Table (written by
 * codegen/c/scatter-add.ts):
 *
 *   batches, updates, size, rest, elements of rest in a unit, views of indices (batch, update), source (batch, update, rest),
 *   target (batch, index, rest)
 *
 * References to views as in contraction.h.
 */
#ifndef WEFT_SCATTER_H
#define WEFT_SCATTER_H

#include "weft.h"

/* Units: batch elements x blocks of the rest, the last fastest. */
void weft_scatter_add(const weft_arguments *arguments, const int64_t *table, int64_t begin, int64_t end);

#endif
