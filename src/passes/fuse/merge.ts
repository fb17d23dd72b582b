/** Fewer loops: dimensions are ordered by how memory is written, and neighbours that every access steps through as one are joined. */
import type { Affine } from "./affine.js";

/** Consecutive dimensions of a space that may be reordered among themselves and joined. */
export interface DimensionGroup {
  readonly count: number;
  /** False where the order means something (argmax). */
  readonly sortable: boolean;
}

/** Dimensions of the old space that make up each new one, outermost first, by group. */
export type Merging = readonly (readonly (readonly number[])[])[];

/**
 * Plans the new space. `vectors` are the strides of everything that is affine in the coordinates, the most telling first.
 */
export function planMerging(
  extents: readonly number[],
  groups: readonly DimensionGroup[],
  vectors: readonly (readonly number[])[],
): Merging {
  let start = 0;
  return groups.map(({ count, sortable }) => {
    const places = Array.from({ length: count }, (_, index) => start + index);
    start += count;
    if (sortable) places.sort((a, b) => compareStrides(vectors, a, b));
    const joined: number[][] = [];
    for (const place of places) {
      const last = joined.at(-1);
      const outer = last?.at(-1);
      const together =
        outer !== undefined && vectors.every((vector) => vector[outer] === vector[place]! * extents[place]!);
      if (together) last!.push(place);
      else joined.push([place]);
    }
    return joined;
  });
}

function compareStrides(vectors: readonly (readonly number[])[], a: number, b: number): number {
  for (const vector of vectors) {
    const difference = Math.abs(vector[b]!) - Math.abs(vector[a]!);
    if (difference !== 0) return difference;
  }
  return a - b;
}

export const mergedExtents = (extents: readonly number[], group: readonly (readonly number[])[]): number[] =>
  group.map((places) => places.reduce((count, place) => count * extents[place]!, 1));

/** Strides over the new space: those of the innermost of the dimensions joined. */
export function mergedStrides(strides: readonly number[], merging: Merging): number[] {
  return merging.flatMap((group) => group.map((places) => strides[places.at(-1)!]!));
}

export const mergedAffine = (at: Affine, merging: Merging): { offset: number; strides: number[] } => ({
  offset: at.offset,
  strides: mergedStrides(at.strides, merging),
});
