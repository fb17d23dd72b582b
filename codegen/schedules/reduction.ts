/** How a reduction record is walked: along which dimension the vector lanes lie, and whether it is cut into partial results. */
import { elementCount } from "../../src/graph/shape.js";
import type { ReductionKernel } from "../../src/kernels/record.js";
import { accessCost, bodyCost, loopCost } from "./cost.js";
import { joined, permuted, type Space, spaceOf } from "./space.js";

export interface ReductionSchedule {
  readonly space: Space;
  /** "rows": lanes along the last reduced dimension. "columns": lanes along the last row dimension, whose results stand side by side. */
  readonly lanes: "rows" | "columns";
  /** Nanoseconds per point. */
  readonly cost: number;
}

/** Cost per point when the lanes lie along `dimension`. */
function costAlong(space: Space, dimension: number, body: number, reductions: number): number {
  const isRow = dimension < space.extents.length - space.reduced;
  const accesses = space.loads.reduce((sum, view) => sum + accessCost(view, dimension), 0);
  // Columns keep their accumulators in memory; rows add up the lanes of a register at the end of each inner loop.
  const perPoint = accesses + body + (isRow ? 0.08 * reductions : 0);
  return (
    loopCost(perPoint, space.extents[dimension]!) +
    (isRow ? 0 : (4 * reductions) / Math.max(space.extents[dimension]!, 1))
  );
}

/** Chooses the lanes' dimension by cost. The order of the reduced dimensions is kept where an argmax counts along them. */
export function scheduleReduction(record: ReductionKernel, limit?: Space["limit"]): ReductionSchedule {
  const space = joined({ ...spaceOf(record), ...(limit ? { limit } : {}) });
  const rank = space.extents.length;
  const rows = rank - space.reduced;
  const body = bodyCost(record.body);
  const reduces = record.body.filter((instruction) => instruction.kind === "reduce");
  const counts = reduces.some((instruction) => instruction.reduction === "argmax");
  const dimensions = space.extents.map((_, dimension) => dimension);
  let best = rank - 1;
  for (let dimension = rank - 2; dimension >= 0; dimension--) {
    if (counts && dimension >= rows) continue;
    // All lanes of a unit walk the same number of points.
    if (dimension < rows && limit !== undefined && space.limit!.form.strides[dimension] !== 0) continue;
    const cost = costAlong(space, dimension, body, reduces.length);
    if (cost < 0.9 * costAlong(space, best, body, reduces.length)) best = dimension;
  }
  const cost = costAlong(space, best, body, reduces.length);
  if (best >= rows) {
    const order = [...dimensions.filter((dimension) => dimension !== best), best];
    return { space: permuted(space, order), lanes: "rows", cost };
  }
  const kept = dimensions.filter((dimension) => dimension < rows && dimension !== best);
  return { space: permuted(space, [...kept, best, ...dimensions.slice(rows)]), lanes: "columns", cost };
}

/** Lanes of one unit of the column schedule. */
export const columnBlock = 128;

/** Independent units of a schedule that is not cut. */
export function unitsOf(schedule: ReductionSchedule): number {
  const { space, lanes } = schedule;
  const rows = space.extents.slice(0, space.extents.length - space.reduced);
  if (lanes === "rows") return elementCount(rows);
  return elementCount(rows.slice(0, -1)) * Math.ceil(rows[rows.length - 1]! / columnBlock);
}

/** A stretch of a reduced dimension, `size` long (the last one shorter), counted by a row dimension of its own. */
export interface Chunks {
  readonly dimension: number;
  readonly size: number;
  readonly count: number;
}

const enoughUnits = 32;
const pointsPerChunk = 1 << 13;

/**
 * Where a record with few units and many points is cut so that threads can share it: the longest reduced dimension, in chunks that
 * depend on the shapes alone, so that sums do not depend on the number of threads. Undefined when it is better left whole.
 */
export function chunksOf(record: ReductionKernel): Chunks | undefined {
  const units = unitsOf(scheduleReduction(record));
  const points = elementCount(record.extents);
  if (units >= enoughUnits || points < 4 * pointsPerChunk) return undefined;
  const first = record.extents.length - record.reduced;
  let dimension = first;
  for (let other = first; other < record.extents.length; other++) {
    if (record.extents[other]! > record.extents[dimension]!) dimension = other;
  }
  const extent = record.extents[dimension]!;
  const wanted = Math.min(Math.ceil(points / pointsPerChunk), Math.ceil((2 * enoughUnits) / units), extent);
  const size = Math.ceil(extent / wanted);
  const count = Math.ceil(extent / size);
  return count > 1 ? { dimension, size, count } : undefined;
}
