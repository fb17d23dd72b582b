/** Order of kernels: what was placed early only because nothing stood in its way moves down to its first reader, so that its result is alive for less time. */
import { bytesPerElement } from "../../graph/dtype.js";
import { readsOf, writesOf } from "../../kernels/access.js";
import type { Buffer, BufferId, KernelRecord } from "../../kernels/record.js";

/**
 * A better order of kernels, as a list of their old places. Elementwise kernels move down when they write more scratch than they let
 * go of, nobody else writes what they write, and what they read stays as it is.
 */
export function settleOrder(buffers: readonly Buffer[], kernels: readonly KernelRecord[]): number[] {
  const readers = new Map<BufferId, number[]>();
  const lastReader = new Map<BufferId, number>();
  const writers = new Map<BufferId, number>();
  kernels.forEach((kernel, place) => {
    for (const buffer of distinct(readsOf(kernel))) {
      const list = readers.get(buffer);
      if (list) list.push(place);
      else readers.set(buffer, [place]);
      lastReader.set(buffer, place);
    }
    for (const buffer of distinct(writesOf(kernel))) writers.set(buffer, (writers.get(buffer) ?? 0) + 1);
  });
  const isScratch = (buffer: BufferId) => buffers[buffer]!.home.segment === "scratch";
  const bytes = (buffer: BufferId) => buffers[buffer]!.elements * bytesPerElement[buffers[buffer]!.dtype];

  /** Kernels that moved right before another one, and where every kernel now stands: at the place of one that did not move. */
  const before = new Map<number, number[]>();
  const standing = kernels.map((_, place) => place);
  for (let place = kernels.length - 1; place >= 0; place--) {
    const kernel = kernels[place]!;
    if (kernel.archetype !== "elementwise") continue;
    const written = distinct(writesOf(kernel));
    if (!written.every((buffer) => isScratch(buffer) && writers.get(buffer) === 1)) continue;
    const reads = distinct(readsOf(kernel));
    // Written once, before this kernel; stored tensors may get new values later.
    if (!reads.every((buffer) => isFixed(buffers[buffer]!) || (isScratch(buffer) && writers.get(buffer) === 1)))
      continue;
    const reader = firstOf([...new Set(written.flatMap((buffer) => readers.get(buffer) ?? []))], standing);
    if (reader === undefined || standing[reader]! <= place + 1) continue;
    const target = standing[reader]!;
    const freed = reads.filter((buffer) => isScratch(buffer) && lastReader.get(buffer)! < target);
    const sum = (list: readonly BufferId[]) => list.reduce((total, buffer) => total + bytes(buffer), 0);
    if (sum(freed) >= sum(written)) continue;
    standing[place] = target;
    for (const buffer of freed) lastReader.set(buffer, target);
    const list = before.get(reader);
    if (list) list.push(place);
    else before.set(reader, [place]);
  }

  const order: number[] = [];
  const pending: { readonly place: number; open: boolean }[] = [];
  for (let place = 0; place < kernels.length; place++) {
    if (standing[place] !== place) continue;
    pending.push({ place, open: false });
    while (pending.length > 0) {
      const last = pending.at(-1)!;
      if (last.open) {
        order.push(last.place);
        pending.pop();
      } else {
        last.open = true;
        // The last of the list is pushed first and so comes out last: old order among those that moved to one place.
        for (const earlier of before.get(last.place) ?? []) pending.push({ place: earlier, open: false });
      }
    }
  }
  return order;
}

/** The kernel that runs first; undefined where that is not plain because several moved to one place. */
function firstOf(places: readonly number[], standing: readonly number[]): number | undefined {
  if (places.length <= 1) return places[0];
  const first = Math.min(...places.map((place) => standing[place]!));
  const candidates = places.filter((place) => standing[place] === first);
  return candidates.length === 1 && candidates[0] === first ? first : undefined;
}

const distinct = (accesses: readonly { readonly buffer: BufferId }[]): BufferId[] => [
  ...new Set(accesses.map(({ buffer }) => buffer)),
];

/** Memory that no kernel of a list changes. */
const isFixed = ({ home }: Buffer): boolean =>
  home.segment === "inputs" || home.segment === "constants" || home.segment === "scalars";
