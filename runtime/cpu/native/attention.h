/*
 * Attention and its backward pass, in blocks of queries and keys (FlashAttention-2, Dao 2023, sections 2.2 and 3.1): probabilities are
 * never stored, the backward pass computes them again from the log-sums.
 *
 * Described by a table of integers (written by codegen/c/attention.ts):
 *
 *   batches, heads, group, queries, keys, width, value width, queries of a block,
 *   views of q, k, v, mask (0: none), output, log-sum, and for the backward pass cotangent, dq, dk, dv
 *
 * A view's reference is its position in the table; a view is buffer, offset, and walks as in contraction.h along batch, head, line
 * (query or key) and channel; the mask's last two are query and key, the log-sum has no channel. The scale is arguments->floats[0].
 */
#ifndef WEFT_ATTENTION_H
#define WEFT_ATTENTION_H

#include "weft.h"

/* Widths may not be larger. */
#define WEFT_ATTENTION_WIDTH 1024
/* Nor blocks of queries. */
#define WEFT_ATTENTION_QUERIES 64

/* Units: batch elements x heads x blocks of queries, the last fastest. */
void weft_attention(const weft_arguments *arguments, const int64_t *table, int64_t begin, int64_t end, void *workspace);
/* Units: batch elements x key heads. */
void weft_attention_backward(const weft_arguments *arguments, const int64_t *table, int64_t begin, int64_t end, void *workspace);

#endif
