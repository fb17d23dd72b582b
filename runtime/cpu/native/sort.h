/*
 * order[b, i] = the place of the i-th smallest key of batch element b, equal keys in the order they stand. Table (written by
 * codegen/c/sort.ts):
 *
 *   batches, length, whether keys are i32 (else f32), buffer of scratch, views of keys (batch, place) and order (batch, place)
 *
 * References to views as in contraction.h. Scratch holds 4 * length words for each batch element.
 */
#ifndef WEFT_SORT_H
#define WEFT_SORT_H

#include "weft.h"

/* Units: batch elements. */
void weft_sort(const weft_arguments *arguments, const int64_t *table, int64_t begin, int64_t end);

#endif
