import type { RowFilter } from "../../src/build/model.js";
import type { DataSource } from "./data.js";
import { TrainingError } from "./errors.js";
import { fnv1a, permutation } from "./random.js";

/** One row of one source, in one of its epochs. */
export interface RowReference {
  /** Index into the mixture. */
  readonly source: number;
  readonly row: number;
  readonly epoch: number;
}

/** What a mixture draws from one source. */
export interface MixturePart {
  readonly source: DataSource;
  readonly weight: number;
  /** The rows that the stage's filters keep. */
  readonly rows: Uint32Array;
}

/** An endless sequence of rows, a pure function of the mixture and the seed. */
export interface RowOrder {
  /** Rows `first` .. `first + count` of the sequence. Going forward is cheap; going back starts again. */
  take(first: number, count: number): RowReference[];
}

/** The rows of a source whose columns have one of the listed values. Throws TrainingError for a column without labels. */
export function filterRows(source: DataSource, where: readonly RowFilter[]): Uint32Array {
  const conditions = where.map(({ column, values }) => {
    const labels = source.labels?.[column];
    if (labels === undefined) {
      const known = Object.keys(source.labels ?? {});
      throw new TrainingError(
        `Data "${source.name}" has no column "${column}" to filter by`,
        known.length === 0
          ? "give the source labels"
          : `it can be filtered by ${known.map((name) => `"${name}"`).join(", ")}`,
      );
    }
    return { labels, values: new Set(values) };
  });
  const rows: number[] = [];
  for (let row = 0; row < source.length; row++) {
    if (conditions.every(({ labels, values }) => values.has(labels[row]!))) rows.push(row);
  }
  return Uint32Array.from(rows);
}

/** Finds the sources of a mixture by name. Throws TrainingError for unknown names, and for sources without a row left to take. */
export function mixture(
  parts: readonly { readonly name: string; readonly weight: number }[],
  where: readonly RowFilter[],
  sources: ReadonlyMap<string, DataSource>,
  user: string,
): MixturePart[] {
  if (parts.length === 0) throw new TrainingError(`${user} names no data`, "write `data: NAME` in it");
  return parts.map(({ name, weight }) => {
    const source = sources.get(name);
    if (source === undefined) {
      const known = [...sources.keys()].map((key) => `"${key}"`).join(", ");
      throw new TrainingError(
        `${user} uses the data "${name}", which is not bound`,
        known === "" ? "no data is bound" : `bound are ${known}`,
      );
    }
    if (!(weight > 0) || !Number.isFinite(weight))
      throw new TrainingError(`${user} gives the data "${name}" the weight ${weight}; weights are above 0`);
    const rows = filterRows(source, where);
    if (rows.length === 0) {
      throw new TrainingError(
        source.length === 0
          ? `The data "${name}" has no rows`
          : `No row of the data "${name}" passes the filters of ${user}`,
      );
    }
    return { source, weight, rows };
  });
}

/**
 * The order of training: every source is gone through without replacement, in a new order each epoch. Sources take turns so that after
 * any number of rows each has given its share, to within one row per source.
 */
export function trainingOrder(parts: readonly MixturePart[], seed: number): RowOrder {
  const total = parts.reduce((sum, part) => sum + part.weight, 0);
  const shares = parts.map((part) => part.weight / total);
  const keys = parts.map((part) => fnv1a(`order:${part.source.name}`));
  const epochs: { epoch: number; order: Uint32Array }[] = parts.map(() => ({ epoch: -1, order: new Uint32Array() }));
  let taken = parts.map(() => 0);
  let position = 0;

  /** The source whose share lags most; advances its count and returns how many it had given. */
  const next = (): readonly [number, number] => {
    let source = 0;
    let largest = Number.NEGATIVE_INFINITY;
    for (let index = 0; index < shares.length; index++) {
      const lag = shares[index]! * (position + 1) - taken[index]!;
      if (lag > largest) {
        largest = lag;
        source = index;
      }
    }
    position++;
    return [source, taken[source]!++];
  };

  return {
    take(first, count) {
      if (first < position) {
        position = 0;
        taken = parts.map(() => 0);
      }
      if (parts.length === 1) {
        position = first;
        taken[0] = first;
      }
      while (position < first) next();
      return Array.from({ length: count }, () => {
        const [source, given] = next();
        const rows = parts[source]!.rows;
        const epoch = Math.floor(given / rows.length);
        const current = epochs[source]!;
        if (current.epoch !== epoch) {
          current.order = permutation(rows.length, seed, keys[source]!, epoch);
          current.epoch = epoch;
        }
        return { source, row: rows[current.order[given % rows.length]!]!, epoch };
      });
    },
  };
}
