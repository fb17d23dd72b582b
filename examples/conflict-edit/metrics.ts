/** How an edited picture is scored, and how two variants are compared. Pictures are [3, 32, 32] in [0, 1]. */
import { pictureNumbers, pictureSize } from "./pictures.js";

/** Mean squared error over all channels. */
export function meanSquaredError(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2;
  return sum / a.length;
}

/** Decibels, for values in [0, 1]; capped at 60. */
export function peakSignalToNoise(error: number): number {
  return Math.min(60, -10 * Math.log10(Math.max(error, 1e-12)));
}

const windowSide = 7;

/**
 * Mean structural similarity of the luma over 7 x 7 windows, C1 = 0.01^2, C2 = 0.03^2 (Wang, Bovik, Sheikh and Simoncelli 2004, with uniform
 * windows).
 */
export function structuralSimilarity(a: Float32Array, b: Float32Array): number {
  const area = pictureSize * pictureSize;
  const luma = (picture: Float32Array, pixel: number): number =>
    0.299 * picture[pixel]! + 0.587 * picture[area + pixel]! + 0.114 * picture[2 * area + pixel]!;
  let total = 0;
  let windows = 0;
  const count = windowSide * windowSide;
  for (let y = 0; y + windowSide <= pictureSize; y++) {
    for (let x = 0; x + windowSide <= pictureSize; x++) {
      let [sumA, sumB, squareA, squareB, product] = [0, 0, 0, 0, 0];
      for (let j = 0; j < windowSide; j++) {
        for (let i = 0; i < windowSide; i++) {
          const pixel = (y + j) * pictureSize + x + i;
          const va = luma(a, pixel);
          const vb = luma(b, pixel);
          sumA += va;
          sumB += vb;
          squareA += va * va;
          squareB += vb * vb;
          product += va * vb;
        }
      }
      const meanA = sumA / count;
      const meanB = sumB / count;
      const varianceA = squareA / count - meanA * meanA;
      const varianceB = squareB / count - meanB * meanB;
      const covariance = product / count - meanA * meanB;
      total +=
        ((2 * meanA * meanB + 1e-4) * (2 * covariance + 9e-4)) /
        ((meanA * meanA + meanB * meanB + 1e-4) * (varianceA + varianceB + 9e-4));
      windows++;
    }
  }
  return total / windows;
}

/** Picture `index` of a stack. */
export function pictureAt(stack: Float32Array, index: number): Float32Array {
  return stack.subarray(index * pictureNumbers, (index + 1) * pictureNumbers);
}

export interface WinRate {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/**
 * Share of instances in which `ours` has the smaller error (ties count half), with a 95 % percentile bootstrap interval over clusters: instances
 * of one picture are drawn together, for they are not independent.
 */
export function pairedWinRate(
  ours: readonly number[],
  theirs: readonly number[],
  clusters: readonly number[],
  resamples = 1000,
): WinRate {
  const byCluster = new Map<number, { wins: number; count: number }>();
  ours.forEach((error, index) => {
    const other = theirs[index]!;
    const entry = byCluster.get(clusters[index]!) ?? { wins: 0, count: 0 };
    entry.wins += error < other ? 1 : error === other ? 0.5 : 0;
    entry.count++;
    byCluster.set(clusters[index]!, entry);
  });
  const groups = [...byCluster.values()];
  const rate = (chosen: readonly { wins: number; count: number }[]): number =>
    chosen.reduce((sum, group) => sum + group.wins, 0) / chosen.reduce((sum, group) => sum + group.count, 0);
  const random = generator(12345);
  const draws = Array.from({ length: resamples }, () =>
    rate(groups.map(() => groups[Math.floor(random() * groups.length)]!)),
  ).sort((x, y) => x - y);
  return {
    mean: rate(groups),
    low: draws[Math.floor(0.025 * resamples)]!,
    high: draws[Math.floor(0.975 * resamples)]!,
  };
}

/** Seeded uniform numbers in [0, 1) (Mulberry32), so that a report can be made again. */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Sample standard deviation; 0 for a single value. */
export function standardDeviation(values: readonly number[]): number {
  if (values.length < 2) return 0;
  const centre = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (values.length - 1));
}
