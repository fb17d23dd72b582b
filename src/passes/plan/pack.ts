/** Packs stretches of memory that are needed for a time into one segment. */
import { withinPiece } from "../../kernels/layout.js";

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

/** Stretches up to this number are also packed by size, which compares each with all that overlap it. */
const bySizeLimit = 3000;

/**
 * Offsets such that stretches needed at one step never overlap, and none straddles a multiple of `piece`. Goes through the steps in order first; where that wastes memory and
 * there are not too many stretches, also places them by size, and takes what is smaller.
 */
export function pack(
  stretches: readonly Stretch[],
  alignment: number,
  piece: number = Number.MAX_SAFE_INTEGER,
): Packing {
  const lowerBound = largestSum(stretches, alignment);
  const inOrder = packInOrder(stretches, alignment, piece);
  if (inOrder.bytes === lowerBound || stretches.length > bySizeLimit) return { ...inOrder, lowerBound };
  const bySize = packBySize(stretches, alignment, piece);
  return { ...(bySize.bytes < inOrder.bytes ? bySize : inOrder), lowerBound };
}

interface Placed {
  readonly offsets: readonly number[];
  readonly bytes: number;
}

/** Step by step: each stretch goes to the smallest hole that holds it, or to the end; holes that touch are joined. */
function packInOrder(stretches: readonly Stretch[], alignment: number, piece: number): Placed {
  const offsets = new Array<number>(stretches.length).fill(0);
  const order = [...stretches.keys()].sort(
    (a, b) => stretches[a]!.first - stretches[b]!.first || stretches[b]!.bytes - stretches[a]!.bytes || a - b,
  );
  const ending = [...stretches.keys()].sort((a, b) => stretches[a]!.last - stretches[b]!.last);
  const holes: { from: number; to: number }[] = [];
  let [end, bytes, gone] = [0, 0, 0];
  for (const place of order) {
    for (; gone < ending.length && stretches[ending[gone]!]!.last < stretches[place]!.first; gone++) {
      const from = offsets[ending[gone]!]!;
      giveBack(holes, from, from + align(stretches[ending[gone]!]!.bytes, alignment));
    }
    const last = holes.at(-1);
    if (last && last.to === end) {
      end = last.from;
      holes.pop();
    }
    const size = align(stretches[place]!.bytes, alignment);
    let best: { from: number; to: number } | undefined;
    for (const hole of holes) {
      const length = hole.to - hole.from;
      const holds = withinPiece(hole.from, size, piece) + size <= hole.to;
      if (holds && (!best || length < best.to - best.from)) best = hole;
    }
    if (best) {
      const offset = withinPiece(best.from, size, piece);
      const left = [
        { from: best.from, to: offset },
        { from: offset + size, to: best.to },
      ].filter(({ from, to }) => from < to);
      holes.splice(holes.indexOf(best), 1, ...left);
      offsets[place] = offset;
    } else {
      const offset = withinPiece(end, size, piece);
      if (offset > end) holes.push({ from: end, to: offset });
      offsets[place] = offset;
      end = offset + size;
      bytes = Math.max(bytes, end);
    }
  }
  return { offsets, bytes };
}

/** Adds a hole to a list that is sorted by place. */
function giveBack(holes: { from: number; to: number }[], from: number, to: number): void {
  let [low, high] = [0, holes.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holes[middle]!.from < from) low = middle + 1;
    else high = middle;
  }
  const [before, after] = [holes[low - 1], holes[low]];
  const joinsBefore = before?.to === from;
  const joinsAfter = after?.from === to;
  if (joinsBefore && joinsAfter) {
    before.to = after.to;
    holes.splice(low, 1);
  } else if (joinsBefore) {
    before.to = to;
  } else if (joinsAfter) {
    after.from = from;
  } else {
    holes.splice(low, 0, { from, to });
  }
}

/**
 * Largest first, each in the smallest gap that the ones placed before leave it (as Pisarchyk and Lee, "Efficient memory management for
 * deep neural net inference", 2020, find to work best).
 */
function packBySize(stretches: readonly Stretch[], alignment: number, piece: number): Placed {
  const offsets = new Array<number>(stretches.length).fill(0);
  const placed: number[] = [];
  const order = [...stretches.keys()].sort(
    (a, b) => stretches[b]!.bytes - stretches[a]!.bytes || stretches[a]!.first - stretches[b]!.first || a - b,
  );
  let bytes = 0;
  for (const place of order) {
    const { first, last, bytes: size } = stretches[place]!;
    const taken = placed
      .filter((other) => stretches[other]!.first <= last && first <= stretches[other]!.last)
      .sort((a, b) => offsets[a]! - offsets[b]!);
    offsets[place] = smallestGap(size, taken, stretches, offsets, alignment, piece);
    bytes = Math.max(bytes, offsets[place]! + align(size, alignment));
    placed.push(place);
  }
  return { offsets, bytes };
}

export const align = (bytes: number, alignment: number): number => Math.ceil(bytes / alignment) * alignment;

function smallestGap(
  bytes: number,
  taken: readonly number[],
  stretches: readonly Stretch[],
  offsets: readonly number[],
  alignment: number,
  piece: number,
): number {
  let [best, smallest, end] = [-1, Number.POSITIVE_INFINITY, 0];
  for (const other of taken) {
    const gap = offsets[other]! - end;
    const start = withinPiece(end, bytes, piece);
    if (start + bytes <= offsets[other]! && gap < smallest) {
      best = start;
      smallest = gap;
    }
    end = Math.max(end, align(offsets[other]! + stretches[other]!.bytes, alignment));
  }
  return best >= 0 ? best : withinPiece(end, bytes, piece);
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
