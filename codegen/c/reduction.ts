/** Reduction kernels: rows or columns of lanes, in as many passes over the points as the record's reductions depend on each other. */
import { elementCount } from "../../src/graph/shape.js";
import type { Buffer, ReductionKernel } from "../../src/kernels/record.js";
import type { EmittedKernel } from "../emitted.js";
import { withPrivateScratch } from "../private-scratch.js";
import { splitReduction } from "../schedules/partial.js";
import { scheduleReduction } from "../schedules/reduction.js";
import type { Space } from "../schedules/space.js";
import { emitColumns } from "./reduction-columns.js";
import { emitRows } from "./reduction-rows.js";

/**
 * Emits the kernels of a reduction record: usually one; two when there are few rows and many points (partial results per chunk, in
 * private scratch, then their reduction); none when there are no rows.
 */
export function emitReduction(record: ReductionKernel, buffers: readonly Buffer[]): readonly EmittedKernel[] {
  const rows = record.extents.slice(0, record.extents.length - record.reduced);
  if (elementCount(rows) === 0 || record.stores.length === 0) return [];
  const split = splitReduction(record, buffers.length);
  if (!split) return [emitWhole(record, buffers)];
  const all = [...buffers, ...split.buffers];
  const kernels = [emitWhole(split.partial, all, split.limit), emitWhole(split.final, all)];
  return withPrivateScratch(kernels, buffers.length, split.buffers);
}

function emitWhole(record: ReductionKernel, buffers: readonly Buffer[], limit?: Space["limit"]): EmittedKernel {
  const schedule = scheduleReduction(record, limit);
  switch (schedule.lanes) {
    case "rows":
      return emitRows(record, schedule, buffers);
    case "columns":
      return emitColumns(record, schedule, buffers);
  }
}
