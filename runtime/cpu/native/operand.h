/* The operands of a contraction: where they are, and how they are made ready for the register tiles. */
#ifndef WEFT_OPERAND_H
#define WEFT_OPERAND_H

#include "contraction.h"
#include "pack.h"
#include "product.h"

/* Rows whose left operands are made ready at once. */
#define WEFT_CHUNK_ROWS (64 / WEFT_TILE_ROWS * WEFT_TILE_ROWS)
/* Panels of one block of columns, at most. */
#define WEFT_PANELS 512

typedef struct {
  const float *base;
  weft_walk batch, lines, along;
  /* Set instead of base when the operand is computed as it is packed. */
  const weft_filled *filled;
} weft_operand;

typedef struct {
  int64_t length;
  weft_operand lhs, rhs;
} weft_product;

typedef struct {
  int64_t column, vectors;
} weft_panel;

/* A rectangle of the result: rows by columns of one batch element, its columns cut into panels. */
typedef struct {
  int64_t batch, row, rows, column, columns;
  /* Columns rounded up to whole vectors. */
  int64_t width;
  int64_t panels;
  weft_panel panel[WEFT_PANELS];
} weft_block;

/* The part of one product that is summed in one go. */
typedef struct {
  const weft_product *of;
  int64_t first, length;
  /* Where its panels and its rows stand once packed; rows of the left operand are left_step apart. */
  float *right, *left;
  int64_t left_step;
  /* Room for one panel of the right operand, by lines. */
  float *lines;
  /* What the right operand was last made ready from, so that neighbouring blocks share it. */
  const float *base;
  int64_t batch, column;
} weft_part;

/* Cuts a block's columns into panels of nearly equal width: a last panel of one vector would leave the pipes waiting. */
void weft_cut_panels(weft_block *block);

/*
 * Makes the right operand of a block ready: panels of [k][columns of the panel], one after another, zero where a panel is wider than
 * the block. Does nothing when it is still there from the last block. Fewer rows than it takes to pay for copying are not packed.
 */
void weft_prepare_right(const weft_arguments *arguments, weft_part *part, const weft_block *block, int few_rows);
/* Points a tile's stretch at a panel. */
void weft_point_right(const weft_part *part, const weft_block *block, const weft_panel *panel, int few_rows, weft_stretch *stretch);

/* Makes the left operand ready for rows row..row+rows (at most WEFT_CHUNK_ROWS) of a batch element. */
void weft_prepare_left(const weft_arguments *arguments, const weft_part *part, int64_t batch, int64_t row, int64_t rows);
/* Points a tile's stretch at rows row..row+rows out of the chunk that starts at row `chunk`; the last row stands in for missing ones. */
void weft_point_left(const weft_part *part, int64_t batch, int64_t chunk, int64_t row, int64_t rows, int64_t height,
                     weft_stretch *stretch);

#endif
