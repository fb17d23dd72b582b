import { elementCount } from "../../src/graph/shape.js";
import type { Executable, TensorData } from "../device.js";
import type { DataBinding } from "./binding.js";
import type { MixturePart } from "./order.js";
import { piecesOf, runPieces } from "./pieces.js";

/**
 * Seed of the draws in evaluations. It never changes, nor does their step, so that every stage, and every run, is measured with the
 * same noise.
 */
export const evaluationSeed = 0x5eed;

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
  await runPieces({
    executable,
    binding,
    pieces: piecesOf(parts, batch),
    batch,
    seed: evaluationSeed,
    outputs,
    take({ rows }, values) {
      const sum = sums[rows[0]!.source]!;
      for (const name of outputs) sum.set(name, sum.get(name)! + sumOfRows(values[name]!, rows.length));
    },
  });
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
