/** How the threads of a workgroup share rows. */
import { workgroupSize } from "./writer.js";

/** A group of `perRow` lanes walks a row; a workgroup takes `rows` rows. Both are powers of two. */
export interface Lanes {
  readonly perRow: number;
  readonly rows: number;
  /** Whether neighbouring threads stand in neighbouring rows, rather than at neighbouring points of one row. */
  readonly across: boolean;
}

/** Fewer points than these are not worth another lane: the lanes' results must be folded as well. */
const leastPoints = 4;
const leastPointsAcross = 16;

/** Threads beyond which more of them fill no device better. */
const enoughThreads = 1 << 14;

/**
 * A lane alone for short rows, a whole workgroup for long ones. `across` is for rows that lie side by side in memory, so that their points
 * are far apart: there a row is shared only where there are few.
 */
export function lanesFor(rows: number, points: number, across: boolean): Lanes {
  let perRow = 1;
  const least = across ? leastPointsAcross : leastPoints;
  const shared = () => points >= 2 * perRow * least && (!across || rows * perRow < enoughThreads);
  while (perRow < workgroupSize && shared()) perRow *= 2;
  return { perRow, rows: workgroupSize / perRow, across };
}
