/**
 * The edits: what each instruction does to a picture. Pictures are [3, 32, 32] in [0, 1]; every edit is deterministic, so a target holds
 * nothing that could not be known from the source and the instruction.
 */
import { pictureNumbers, pictureSize } from "./pictures.js";

export type Edit = (picture: Float32Array) => Float32Array;

const area = pictureSize * pictureSize;

function mapPixels(
  picture: Float32Array,
  change: (rgb: readonly [number, number, number], x: number, y: number) => readonly [number, number, number],
): Float32Array {
  const result = new Float32Array(pictureNumbers);
  for (let pixel = 0; pixel < area; pixel++) {
    const rgb = [picture[pixel]!, picture[area + pixel]!, picture[2 * area + pixel]!] as const;
    const changed = change(rgb, pixel % pictureSize, Math.floor(pixel / pictureSize));
    for (let channel = 0; channel < 3; channel++)
      result[channel * area + pixel] = Math.min(1, Math.max(0, changed[channel]!));
  }
  return result;
}

const each =
  (change: (value: number) => number): Edit =>
  (picture) =>
    mapPixels(picture, ([r, g, b]) => [change(r), change(g), change(b)]);

/** Rec. 601 luma. */
const luma = (r: number, g: number, b: number): number => 0.299 * r + 0.587 * g + 0.114 * b;

const clampIndex = (index: number): number => Math.min(pictureSize - 1, Math.max(0, index));

/** Separable convolution with an odd kernel, edges repeated. */
function convolve(picture: Float32Array, kernel: readonly number[]): Float32Array {
  const radius = (kernel.length - 1) / 2;
  const pass = (input: Float32Array, dx: number, dy: number): Float32Array => {
    const output = new Float32Array(pictureNumbers);
    for (let channel = 0; channel < 3; channel++) {
      for (let y = 0; y < pictureSize; y++) {
        for (let x = 0; x < pictureSize; x++) {
          let sum = 0;
          for (let tap = -radius; tap <= radius; tap++) {
            sum +=
              kernel[tap + radius]! *
              input[channel * area + clampIndex(y + tap * dy) * pictureSize + clampIndex(x + tap * dx)]!;
          }
          output[channel * area + y * pictureSize + x] = sum;
        }
      }
    }
    return output;
  };
  return pass(pass(picture, 1, 0), 0, 1);
}

function gaussian(sigma: number): number[] {
  const radius = Math.ceil(2.5 * sigma);
  const weights = Array.from({ length: 2 * radius + 1 }, (_, tap) =>
    Math.exp(-((tap - radius) ** 2) / (2 * sigma * sigma)),
  );
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}

const blurKernel = gaussian(1.4);
export const blur: Edit = (picture) => convolve(picture, blurKernel);

/** Yellowed, faded, darker towards the corners. */
export const age: Edit = (picture) =>
  mapPixels(picture, ([r, g, b], x, y) => {
    const grey = luma(r, g, b);
    const centre = (pictureSize - 1) / 2;
    const distance = Math.hypot(x - centre, y - centre) / (centre * Math.SQRT2);
    const shade = 1 - 0.45 * distance * distance;
    const fade = (tone: number, own: number): number => (0.12 + 0.76 * (0.65 * tone + 0.35 * own)) * shade;
    return [fade(grey * 1.05 + 0.05, r), fade(grey * 0.9, g), fade(grey * 0.65, b)];
  });

export const darken: Edit = each((value) => 0.5 * value);
export const cool: Edit = (picture) => mapPixels(picture, ([r, g, b]) => [0.7 * r, 0.95 * g, 0.75 * b + 0.25]);
export const mosaic: Edit = (picture) => {
  const side = 4;
  const result = new Float32Array(pictureNumbers);
  for (let channel = 0; channel < 3; channel++) {
    for (let y = 0; y < pictureSize; y += side) {
      for (let x = 0; x < pictureSize; x += side) {
        let sum = 0;
        for (let j = 0; j < side; j++)
          for (let i = 0; i < side; i++) sum += picture[channel * area + (y + j) * pictureSize + x + i]!;
        for (let j = 0; j < side; j++)
          for (let i = 0; i < side; i++) result[channel * area + (y + j) * pictureSize + x + i] = sum / (side * side);
      }
    }
  }
  return result;
};
/** Pale, with little colour left. */
export const wash: Edit = (picture) =>
  mapPixels(picture, ([r, g, b]) => {
    const grey = luma(r, g, b);
    return [
      0.55 + 0.4 * (0.35 * r + 0.65 * grey),
      0.55 + 0.4 * (0.35 * g + 0.65 * grey),
      0.55 + 0.4 * (0.35 * b + 0.65 * grey),
    ];
  });

// ------------------------------------------------------------------------ edits that only pretraining sees
export const keep: Edit = (picture) => picture.slice();
export const grey: Edit = (picture) =>
  mapPixels(picture, ([r, g, b]) => {
    const value = luma(r, g, b);
    return [value, value, value];
  });
export const invert: Edit = each((value) => 1 - value);
export const contrast: Edit = each((value) => 0.5 + 1.8 * (value - 0.5));
export const posterise: Edit = each((value) => Math.round(value * 2) / 2);
export const redden: Edit = (picture) => mapPixels(picture, ([r, g, b]) => [0.5 + 0.5 * r, 0.6 * g, 0.6 * b]);
export const greenish: Edit = (picture) => mapPixels(picture, ([r, g, b]) => [0.6 * r, 0.5 + 0.5 * g, 0.6 * b]);
export const swap: Edit = (picture) => mapPixels(picture, ([r, g, b]) => [b, r, g]);
export const frame: Edit = (picture) =>
  mapPixels(picture, (rgb, x, y) => (Math.min(x, y) < 3 || Math.max(x, y) > pictureSize - 4 ? [1, 1, 1] : rgb));
