/** From edited pictures to the table: scores per instance, then means over seeds with paired win rates. */

import { conflictTasks, pairs } from "./instructions.js";
import {
  mean,
  meanSquaredError,
  pairedWinRate,
  peakSignalToNoise,
  pictureAt,
  standardDeviation,
  structuralSimilarity,
  type WinRate,
} from "./metrics.js";
import type { Row } from "./sources.js";
import { tableOrder, type VariantName } from "./variants.js";

/** One number per held-out row. */
export interface Scores {
  readonly errors: readonly number[];
  readonly similarities: readonly number[];
}

/** Scores edited pictures against their targets; both are stacks of [3, 32, 32] in [0, 1]. */
export function scorePictures(edited: Float32Array, targets: Float32Array, rows: number): Scores {
  const errors: number[] = [];
  const similarities: number[] = [];
  for (let row = 0; row < rows; row++) {
    errors.push(meanSquaredError(pictureAt(edited, row), pictureAt(targets, row)));
    similarities.push(structuralSimilarity(pictureAt(edited, row), pictureAt(targets, row)));
  }
  return { errors, similarities };
}

export type ScoresOfSeed = Readonly<Partial<Record<VariantName, Scores>>>;

interface Spread {
  readonly mean: number;
  readonly sd: number;
}

export interface VariantResult {
  /** Mean squared error on [0, 1]. */
  readonly error: Spread;
  /** Decibels: mean over rows of each row's own. */
  readonly psnr: Spread;
  readonly ssim: Spread;
  /** Share of rows with a smaller error than base; all seeds together. */
  readonly winRate: WinRate;
  readonly winRateAgainst: Readonly<Partial<Record<"shared" | "sft", WinRate>>>;
  /** PSNR by task, and by pair of tasks. */
  readonly tasks: Readonly<Record<string, Spread>>;
  readonly pairs: Readonly<Record<string, Spread>>;
}

/** Summary over seeds; rows are the same for all of them. */
export function summarise(
  seeds: readonly ScoresOfSeed[],
  rows: readonly Row[],
): Partial<Record<VariantName, VariantResult>> {
  const spread = (perSeed: readonly number[]): Spread => ({ mean: mean(perSeed), sd: standardDeviation(perSeed) });
  const results: Partial<Record<VariantName, VariantResult>> = {};
  for (const { name } of tableOrder) {
    const own = seeds.flatMap((scores) => scores[name] ?? []);
    if (own.length < seeds.length) continue;
    const psnr = own.map(({ errors }) => errors.map(peakSignalToNoise));
    const over = (chosen: (row: Row) => boolean): Spread =>
      spread(psnr.map((values) => mean(values.filter((_, index) => chosen(rows[index]!)))));
    const against = (other: VariantName): WinRate | undefined => {
      if (other === name || seeds.some((scores) => scores[other] === undefined)) return undefined;
      // The same picture is one cluster in all seeds.
      return pairedWinRate(
        own.flatMap(({ errors }) => errors),
        seeds.flatMap((scores) => scores[other]!.errors),
        seeds.flatMap(() => rows.map(({ picture }) => picture)),
      );
    };
    const shared = against("shared");
    const sft = against("sft");
    results[name] = {
      error: spread(own.map(({ errors }) => mean(errors))),
      psnr: spread(psnr.map(mean)),
      ssim: spread(own.map(({ similarities }) => mean(similarities))),
      winRate: against("base") ?? { mean: 0.5, low: 0.5, high: 0.5 },
      winRateAgainst: { ...(shared ? { shared } : {}), ...(sft ? { sft } : {}) },
      tasks: Object.fromEntries(conflictTasks.map((task, index) => [task.name, over((row) => row.task === index)])),
      pairs: Object.fromEntries(
        pairs.map((pair, index) => [pair.name, over((row) => Math.floor(row.task / 2) === index)]),
      ),
    };
  }
  return results;
}
