/** Reduction kernels: groups of lanes share rows, in as many walks over the points as the record's reductions depend on each other. */
import { elementCount } from "../../src/graph/shape.js";
import type { Buffer, ReductionKernel } from "../../src/kernels/record.js";
import type { EmittedKernel } from "../emitted.js";
import { withPrivateScratch } from "../private-scratch.js";
import { splitReduction } from "../schedules/partial.js";
import { emitRows } from "./reduction-rows.js";

/** Storage buffers that every adapter lets a kernel bind; records keep within it, partial results come on top. */
const guaranteedBindings = 8;

/**
 * Emits the kernels of a reduction record: usually one; two when there are few rows and many points (partial results per chunk, in
 * private scratch, then their reduction) and a kernel can bind partial results besides what it reads; none when there are no rows.
 */
export function emitReduction(record: ReductionKernel, buffers: readonly Buffer[]): readonly EmittedKernel[] {
  const rows = record.extents.slice(0, record.extents.length - record.reduced);
  if (elementCount(rows) === 0 || record.stores.length === 0) return [];
  const split = splitReduction(record, buffers.length);
  if (!split) return [emitRows(record, buffers)];
  const all = [...buffers, ...split.buffers];
  const kernels = [emitRows(split.partial, all, split.limit), emitRows(split.final, all)];
  if (kernels.some(({ bindings }) => bindings.length > guaranteedBindings)) return [emitRows(record, buffers)];
  return withPrivateScratch(kernels, buffers.length, split.buffers);
}
