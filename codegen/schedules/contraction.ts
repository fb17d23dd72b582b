/** How the result of a contraction is cut into units of work for the CPU, and what it costs. By shapes alone. */

export interface ContractionShape {
  readonly batches: number;
  readonly rows: number;
  readonly columns: number;
  /** Length of the sums, all products together. */
  readonly reduced: number;
}

export interface ContractionUnits {
  readonly rows: number;
  readonly columns: number;
  readonly count: number;
  /** Nanoseconds on one thread, all units together. */
  readonly cost: number;
}

/** The C driver's workspace holds the packed right operand of so many columns, and the sums of so many rows. */
const mostColumns = 384;
const mostRows = 128;
/** A register tile's columns, on the widest machine. */
const tileColumns = 48;
const lanes = 16;
const enoughUnits = 8;

const roundUp = (value: number, multiple: number) => Math.ceil(value / multiple) * multiple;

/**
 * Packing the right operand costs about as much as a dozen rows of products, so a unit should be many rows high: few rows are not cut at
 * all, and when that leaves too few units, the columns are.
 */
export function contractionUnits(shape: ContractionShape): ContractionUnits {
  const { batches, rows, columns, reduced } = shape;
  const rowsPerUnit = rows <= mostRows ? Math.max(rows, 1) : 64;
  const rowBlocks = Math.ceil(rows / rowsPerUnit);
  const columnBlocks = Math.ceil(columns / mostColumns);
  let columnsPerUnit = Math.max(1, columnBlocks > 1 ? roundUp(columns / columnBlocks, lanes) : columns);
  const count = () => batches * rowBlocks * Math.ceil(columns / columnsPerUnit);
  const products = batches * rows * columns * reduced;
  // Below this there is no time to win by more units.
  const worthCutting = products > 4e5;
  while (worthCutting && count() < enoughUnits && columnsPerUnit > 2 * tileColumns) {
    columnsPerUnit = roundUp(columnsPerUnit / 2, tileColumns);
  }
  return { rows: rowsPerUnit, columns: columnsPerUnit, count: count(), cost: costOf(shape) };
}

function costOf({ batches, rows, columns, reduced }: ContractionShape): number {
  const products = batches * rows * roundUp(columns, lanes) * reduced;
  const moved = batches * (rows * columns + (rows + columns) * reduced);
  return products / 70 + moved * 0.1 + batches * 100;
}
