/** Scatter-add: a table for the C runtime's kernel. */
import { elementCount } from "../../src/graph/shape.js";
import type { Buffer, ScatterAddKernel } from "../../src/kernels/record.js";
import type { EmittedKernel } from "../emitted.js";
import { viewTable } from "./walk.js";
import { KernelWriter } from "./writer.js";

/** Elements of the rest that one unit adds up: whole cache lines, so that no two units write into one. */
const unitRest = 64;

/**
 * Emits the kernels of a scatter-add: one, or none when the target is empty. Sums run in the order of the updates.
 * @throws RangeError for numbers that are no f32: the C kernel adds those only.
 */
export function emitScatterAdd(record: ScatterAddKernel, buffers: readonly Buffer[]): readonly EmittedKernel[] {
  const { batch, updates, size, rest } = record;
  const [batches, updateCount, restCount] = [elementCount(batch), elementCount(updates), elementCount(rest)];
  if (batches * size * restCount === 0) return [];
  const { dtype } = buffers[record.source.buffer]!;
  if (dtype !== "f32") throw new RangeError(`a scatter-add of ${dtype}; the C kernel adds f32`);
  const writer = new KernelWriter(buffers);
  const header = [batches, updateCount, size, restCount, unitRest];
  const ofBatch = { extents: batch, at: 0 };
  const ofUpdates = { extents: updates, at: batch.length };
  const tables = [
    viewTable(writer, record.indices, [ofBatch, ofUpdates], "read"),
    viewTable(
      writer,
      record.source,
      [ofBatch, ofUpdates, { extents: rest, at: batch.length + updates.length }],
      "read",
    ),
    viewTable(
      writer,
      record.target,
      [ofBatch, { extents: [size], at: batch.length }, { extents: rest, at: batch.length + 1 }],
      "write",
    ),
  ];
  let next = header.length + tables.length;
  const references = tables.map((table) => {
    const at = next;
    next += table.length;
    return at;
  });
  const at = writer.table([...header, ...references, ...tables.flat()]);
  writer.line(`weft_scatter_add(arguments, arguments->integers + ${at}, begin, end);`);
  const units = batches * Math.ceil(restCount / unitRest);
  const cost = batches * (size + updateCount) * (restCount * 0.2 + 5);
  return [writer.finish(units, cost, '#include "scatter.h"\n\n')];
}
