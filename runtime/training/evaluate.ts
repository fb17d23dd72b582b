import { elementCount } from "../../src/graph/shape.js";
import type { Executable, Submission, TensorData } from "../device.js";
import type { DataBinding } from "./binding.js";
import type { MixturePart, RowReference } from "./order.js";
import { prefetch } from "./prefetch.js";

/**
 * Seed of the draws in evaluations. It never changes, nor does their step, so that every stage, and every run, is measured with the
 * same noise.
 */
export const evaluationSeed = 0x5eed;

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

/**
 * Runs an entry point over all rows of its data, in their order, and returns the mean of each of its outputs with one number per
 * instance (or one for all): first over the rows of each source, then over the sources by weight.
 */
export async function evaluate(
  executable: Executable,
  binding: DataBinding,
  parts: readonly MixturePart[],
  batch: number,
): Promise<Record<string, number>> {
  const outputs = executable.program.outputs
    .filter(({ shape }) => [1, batch].includes(elementCount(shape)))
    .map(({ name }) => name);
  const sums = parts.map(() => new Map(outputs.map((name) => [name, 0])));
  const pieces = parts.flatMap(({ rows }, source) =>
    Array.from({ length: Math.ceil(rows.length / batch) }, (_, piece): RowReference[] =>
      Array.from(rows.subarray(piece * batch, (piece + 1) * batch), (row) => ({ source, row, epoch: 0 })),
    ),
  );
  const feed = prefetch((index) => binding.assemble(pieces[index]!, batch), 0, pieces.length);
  const inFlight: { readonly rows: readonly RowReference[]; readonly values: ReturnType<Submission["read"]> }[] = [];
  const collect = async (): Promise<void> => {
    const { rows, values } = inFlight.shift()!;
    const read = await values;
    const sum = sums[rows[0]!.source]!;
    for (const name of outputs) sum.set(name, sum.get(name)! + sumOfRows(read[name]!, rows.length));
  };
  let offset = 0;
  for (const rows of pieces) {
    const next = await feed.next();
    if (inFlight.length === 2) await collect();
    const scalars = { seed: evaluationSeed, step: 0, learning_rate: 0, row_offset: offset };
    const values = executable.submit(inputsOf(executable, next.inputs), scalars).read(outputs);
    values.catch(() => undefined);
    inFlight.push({ rows, values });
    offset += rows.length;
  }
  while (inFlight.length > 0) await collect();

  const total = parts.reduce((sum, { weight }) => sum + weight, 0);
  return Object.fromEntries(
    outputs.map((name) => [
      name,
      parts.reduce(
        (sum, { rows, weight }, index) => sum + (weight / total) * (sums[index]!.get(name)! / rows.length),
        0,
      ),
    ]),
  );
}

/** A value for the whole batch stands for each of its rows; what fills a batch up is left out. */
function sumOfRows(values: TensorData, rows: number): number {
  if (values.length === 1) return values[0]! * rows;
  let sum = 0;
  for (let row = 0; row < rows; row++) sum += values[row]!;
  return sum;
}
