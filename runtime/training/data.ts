import { elementCount, type Shape } from "../../src/graph/shape.js";
import type { TensorData } from "../device.js";
import { allocate, holds } from "../tensors/tensor.js";
import { TrainingError } from "./errors.js";

export type ColumnDtype = "f32" | "i32" | "u32" | "bool";

/** What one row has in a column. */
export interface Column {
  readonly dtype: ColumnDtype;
  /** Of one row. With `ragged`, the first axis is the longest there is. */
  readonly shape: Shape;
  /** Rows may be shorter along the first axis; a batch then comes zero padded with a bool column `NAME.mask` [rows, first axis]. */
  readonly ragged?: boolean;
}

/** Rows to learn from or to evaluate on. */
export interface DataSource {
  readonly name: string;
  /** Number of rows. */
  readonly length: number;
  readonly columns: Readonly<Record<string, Column>>;
  /** One number or text per row, for filters (`where`). */
  readonly labels?: Readonly<Record<string, ArrayLike<number | string>>>;
  /**
   * The named columns of some rows, each as [rows, ...shape]. `seeds` has an unsigned 32-bit number for every row, a function of the run's
   * seed, the row and the epoch, from which augmentation must take all its randomness. Called for the next batch while a step runs.
   */
  batch(
    rows: readonly number[],
    seeds: readonly number[],
    columns: readonly string[],
  ): Promise<Record<string, TensorData>>;
}

/** A column held in memory. */
export interface MemoryColumn extends Column {
  /** [rows, ...shape]; with `ragged`, the rows one after the other without padding. */
  readonly data: TensorData;
  /** Lengths of the rows of a ragged column along the first axis. */
  readonly lengths?: readonly number[];
}

/**
 * A data source over arrays. Lists of numbers or strings, and columns with one number per row, are labels for filters. Throws TrainingError when the columns disagree about the
 * number of rows.
 */
export function memorySource(
  name: string,
  columns: Readonly<Record<string, MemoryColumn>>,
  labels: Readonly<Record<string, readonly (number | string)[]>> = {},
): DataSource {
  const starts = new Map<string, readonly number[]>();
  let length: number | undefined;
  let counted = "";
  const count = (column: string, rows: number): void => {
    if (length !== undefined && rows !== length) {
      throw new TrainingError(`Data "${name}": column "${column}" has ${rows} rows, but "${counted}" has ${length}`);
    }
    length = rows;
    counted = column;
  };
  for (const [column, content] of Object.entries(columns)) {
    if (!holds(content.dtype, content.data)) {
      throw new TrainingError(
        `Data "${name}": column "${column}" is declared ${content.dtype} but given as ${content.data.constructor.name}`,
      );
    }
    count(column, content.ragged ? raggedStarts(name, column, content, starts) : wholeRows(name, column, content));
  }
  for (const [column, values] of Object.entries(labels)) count(column, values.length);
  const scalars = Object.entries(columns).filter(([, content]) => content.shape.length === 0);

  return {
    name,
    length: length ?? 0,
    columns,
    labels: { ...Object.fromEntries(scalars.map(([column, content]) => [column, content.data])), ...labels },
    async batch(rows, _seeds, wanted) {
      const batch: Record<string, TensorData> = {};
      for (const column of wanted) {
        const content = columns[column]!;
        const start = starts.get(column);
        if (start === undefined) batch[column] = wholeBatch(content, rows);
        else [batch[column], batch[`${column}.mask`]] = raggedBatch(content, start, rows);
      }
      return batch;
    },
  };
}

function wholeRows(source: string, column: string, content: MemoryColumn): number {
  const perRow = elementCount(content.shape);
  const rows = content.data.length / perRow;
  if (!Number.isInteger(rows)) {
    throw new TrainingError(
      `Data "${source}": column "${column}" has ${content.data.length} numbers, which is no multiple of the ${perRow} of a row`,
    );
  }
  return rows;
}

/** Records where each row begins, in elements; returns the number of rows. */
function raggedStarts(
  source: string,
  column: string,
  content: MemoryColumn,
  starts: Map<string, readonly number[]>,
): number {
  const lengths = content.lengths;
  if (lengths === undefined)
    throw new TrainingError(`Data "${source}": the ragged column "${column}" needs the lengths of its rows`);
  const [longest, ...rest] = content.shape;
  const perItem = elementCount(rest);
  const offsets = [0];
  lengths.forEach((length, row) => {
    if (!Number.isInteger(length) || length < 0 || length > longest!) {
      throw new TrainingError(
        `Data "${source}": row ${row} of column "${column}" has length ${length}; the longest allowed is ${longest}`,
      );
    }
    offsets.push(offsets[row]! + length * perItem);
  });
  if (offsets.at(-1) !== content.data.length) {
    throw new TrainingError(
      `Data "${source}": the rows of column "${column}" have ${offsets.at(-1)} numbers in all, but ${content.data.length} are given`,
    );
  }
  starts.set(column, offsets);
  return lengths.length;
}

function wholeBatch(content: MemoryColumn, rows: readonly number[]): TensorData {
  const perRow = elementCount(content.shape);
  const batch = allocate(content.dtype, rows.length * perRow);
  rows.forEach((row, place) => {
    batch.set(content.data.subarray(row * perRow, (row + 1) * perRow), place * perRow);
  });
  return batch;
}

function raggedBatch(
  content: MemoryColumn,
  starts: readonly number[],
  rows: readonly number[],
): [TensorData, TensorData] {
  const perRow = elementCount(content.shape);
  const longest = content.shape[0]!;
  const batch = allocate(content.dtype, rows.length * perRow);
  const mask = new Uint8Array(rows.length * longest);
  rows.forEach((row, place) => {
    batch.set(content.data.subarray(starts[row]!, starts[row + 1]!), place * perRow);
    mask.fill(1, place * longest, place * longest + content.lengths![row]!);
  });
  return [batch, mask];
}
