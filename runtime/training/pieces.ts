import type { Executable, Submission, TensorData } from "../device.js";
import type { DataBinding } from "./binding.js";
import type { MixturePart, RowReference } from "./order.js";
import { prefetch } from "./prefetch.js";

/** Rows of one source that are run together. */
export interface Piece {
  readonly rows: readonly RowReference[];
  /** Place of the first row among all rows. */
  readonly offset: number;
}

/** All rows of some data in their order, source by source, cut into batches. */
export function piecesOf(parts: readonly MixturePart[], batch: number): Piece[] {
  let offset = 0;
  return parts.flatMap(({ rows }, source) =>
    Array.from({ length: Math.ceil(rows.length / batch) }, (_, place): Piece => {
      const own = Array.from(rows.subarray(place * batch, (place + 1) * batch), (row) => ({ source, row, epoch: 0 }));
      const piece = { rows: own, offset };
      offset += own.length;
      return piece;
    }),
  );
}

/** How many batches `piecesOf` gives. */
export const batchCount = (parts: readonly MixturePart[], batch: number): number =>
  parts.reduce((sum, { rows }) => sum + Math.ceil(rows.length / batch), 0);

/** Only the inputs that a program reads: what the compiler found unused is not handed over. */
export function inputsOf(
  executable: Executable,
  given: Readonly<Record<string, TensorData>>,
): Record<string, TensorData> {
  const used = executable.program.inputs.flatMap(({ name }) => {
    const value = given[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(used);
}

export interface PiecesRun {
  readonly executable: Executable;
  readonly binding: DataBinding;
  readonly pieces: readonly Piece[];
  readonly batch: number;
  readonly seed: number;
  /** Names of the outputs that are read. */
  readonly outputs: readonly string[];
  /** Handed the outputs of piece after piece. */
  readonly take: (piece: Piece, values: Readonly<Record<string, TensorData>>, place: number) => void | Promise<void>;
  /** No further piece is begun once it is aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** Runs a program on pieces from `first` on, two submissions in flight; the next ones are prepared meanwhile. */
export async function runPieces(run: PiecesRun, first = 0): Promise<void> {
  const { executable, binding, pieces, batch, seed, outputs, take, signal } = run;
  const feed = prefetch((index) => binding.assemble(pieces[index]!.rows, batch), first, pieces.length);
  const inFlight: { readonly place: number; readonly values: ReturnType<Submission["read"]> }[] = [];
  const collect = async (): Promise<void> => {
    const { place, values } = inFlight[0]!;
    const read = await values;
    inFlight.shift();
    await take(pieces[place]!, read, place);
  };
  try {
    for (let place = first; place < pieces.length && !signal?.aborted; place++) {
      const next = await feed.next();
      if (inFlight.length === 2) await collect();
      const scalars = { seed, step: 0, learning_rate: 0, row_offset: pieces[place]!.offset };
      const values = executable.submit(inputsOf(executable, next.inputs), scalars).read(outputs);
      values.catch(() => undefined);
      inFlight.push({ place, values });
    }
    while (inFlight.length > 0) await collect();
  } finally {
    // Nothing runs any more when this returns, whatever became of it.
    await Promise.allSettled(inFlight.map(({ values }) => values));
  }
}
