/** Sorts: a table for the C runtime's kernel. */
import { elementCount } from "../../src/graph/shape.js";
import type { Buffer, SortKernel } from "../../src/kernels/record.js";
import type { EmittedKernel } from "../emitted.js";
import { withPrivateScratch } from "../private-scratch.js";
import { viewTable } from "./walk.js";
import { KernelWriter } from "./writer.js";

/** Words of scratch for one key: itself and its place, twice. */
const scratchWords = 4;

/**
 * Emits the kernels of a sort: one, or none when there are no keys. Units are the rows that are sorted.
 * @throws RangeError for keys that are neither f32 nor i32.
 */
export function emitSort(record: SortKernel, buffers: readonly Buffer[]): readonly EmittedKernel[] {
  const { batch, length, keys, order } = record;
  const batches = elementCount(batch);
  if (batches * length === 0) return [];
  const { dtype } = buffers[keys.buffer]!;
  if (dtype !== "f32" && dtype !== "i32") throw new RangeError(`a sort of ${dtype}; the C kernel sorts f32 and i32`);
  const scratch: Buffer = { dtype: "u32", elements: batches * length * scratchWords, home: { segment: "scratch" } };
  const writer = new KernelWriter([...buffers, scratch]);
  const groups = [
    { extents: batch, at: 0 },
    { extents: [length], at: batch.length },
  ];
  const tables = [viewTable(writer, keys, groups, "read"), viewTable(writer, order, groups, "write")] as const;
  const header = [batches, length, dtype === "i32" ? 1 : 0, writer.binding(buffers.length, "write")];
  const first = header.length + tables.length;
  const at = writer.table([...header, first, first + tables[0].length, ...tables.flat()]);
  writer.line(`weft_sort(arguments, arguments->integers + ${at}, begin, end);`);
  const kernel = writer.finish(batches, batches * length * 8, '#include "sort.h"\n\n');
  return withPrivateScratch([kernel], buffers.length, [scratch]);
}
