/** Packs stretches of memory that are needed for a time into one segment. */

export interface Stretch {
  readonly bytes: number;
  /** First and last step that needs it. */
  readonly first: number;
  readonly last: number;
}

export interface Packing {
  readonly offsets: readonly number[];
  readonly bytes: number;
  /** The largest sum of stretches needed at one step: no packing is smaller. */
  readonly lowerBound: number;
}

/** Steps that share a list of the stretches placed in them. */
const blockSteps = 64;

/**
 * Offsets such that stretches needed at one step never overlap. Largest first, each in the smallest gap that the ones placed before
 * leave it (as Pisarchyk and Lee, "Efficient memory management for deep neural net inference", 2020, find to work best).
 */
export function pack(stretches: readonly Stretch[], alignment: number): Packing {
  const offsets = new Array<number>(stretches.length).fill(0);
  const blocks: number[][] = [];
  const order = [...stretches.keys()].sort(
    (a, b) => stretches[b]!.bytes - stretches[a]!.bytes || stretches[a]!.first - stretches[b]!.first || a - b,
  );
  let bytes = 0;
  for (const place of order) {
    const stretch = stretches[place]!;
    const neighbours = new Set<number>();
    const [from, to] = [Math.floor(stretch.first / blockSteps), Math.floor(stretch.last / blockSteps)];
    for (let block = from; block <= to; block++) {
      for (const other of blocks[block] ?? []) {
        if (stretches[other]!.first <= stretch.last && stretch.first <= stretches[other]!.last) neighbours.add(other);
      }
      blocks[block] ??= [];
      blocks[block]!.push(place);
    }
    const taken = [...neighbours].sort((a, b) => offsets[a]! - offsets[b]!);
    offsets[place] = smallestGap(stretch.bytes, taken, stretches, offsets, alignment);
    bytes = Math.max(bytes, offsets[place]! + stretch.bytes);
  }
  return { offsets, bytes: align(bytes, alignment), lowerBound: largestSum(stretches, alignment) };
}

export const align = (bytes: number, alignment: number): number => Math.ceil(bytes / alignment) * alignment;

function smallestGap(
  bytes: number,
  taken: readonly number[],
  stretches: readonly Stretch[],
  offsets: readonly number[],
  alignment: number,
): number {
  let [best, smallest, end] = [-1, Number.POSITIVE_INFINITY, 0];
  for (const other of taken) {
    const gap = offsets[other]! - end;
    if (gap >= bytes && gap < smallest) {
      best = end;
      smallest = gap;
    }
    end = Math.max(end, align(offsets[other]! + stretches[other]!.bytes, alignment));
  }
  return best >= 0 ? best : end;
}

function largestSum(stretches: readonly Stretch[], alignment: number): number {
  const changes = new Map<number, number>();
  const change = (step: number, bytes: number) => changes.set(step, (changes.get(step) ?? 0) + bytes);
  for (const { first, last, bytes } of stretches) {
    change(first, align(bytes, alignment));
    change(last + 1, -align(bytes, alignment));
  }
  let [sum, largest] = [0, 0];
  for (const step of [...changes.keys()].sort((a, b) => a - b)) {
    sum += changes.get(step)!;
    largest = Math.max(largest, sum);
  }
  return largest;
}
