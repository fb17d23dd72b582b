/** Products of rows by group: tables for the C runtime's kernels. */
import { elementCount } from "../../src/graph/shape.js";
import type { Access, Buffer, GroupedContractionKernel, GroupedSumKernel } from "../../src/kernels/record.js";
import type { EmittedKernel } from "../emitted.js";
import { viewTable } from "./walk.js";
import { KernelWriter } from "./writer.js";

/** WEFT_UNIT_COLUMNS of runtime/cpu/native/contraction.h and WEFT_GROUPED_LINES of grouped.h. */
const mostColumns = 384;
const mostLines = 128;
const lanes = 16;

const roundUp = (value: number, multiple: number) => Math.ceil(value / multiple) * multiple;

/**
 * Emits the kernels of a product by group: one, or none when its result is empty.
 * @throws RangeError for numbers that are no f32.
 */
export function emitGroupedProduct(
  record: GroupedContractionKernel | GroupedSumKernel,
  buffers: readonly Buffer[],
): readonly EmittedKernel[] {
  const { archetype, rows, groups, batch, lines, columns, reduced } = record;
  const isSum = archetype === "grouped_sum";
  const [rowCount, groupCount, batches, lineCount, columnCount, length] = [
    rows,
    groups,
    batch,
    lines,
    columns,
    reduced,
  ].map(elementCount) as [number, number, number, number, number, number];
  if ((isSum ? groupCount : rowCount) * batches * lineCount * columnCount === 0) return [];
  for (const { buffer } of [record.lhs, record.rhs, record.output]) {
    const { dtype } = buffers[buffer]!;
    if (dtype !== "f32") throw new RangeError(`a product by group of ${dtype}; the C kernel multiplies f32`);
  }
  const columnBlocks = Math.ceil(columnCount / mostColumns);
  const blockColumns = columnBlocks > 1 ? roundUp(columnCount / columnBlocks, lanes) : columnCount;
  // Of a contraction as many blocks as there can be: groups end in the middle of one.
  const lineBlocks = isSum
    ? groupCount * Math.ceil(lineCount / mostLines)
    : Math.ceil((rowCount * lineCount) / mostLines) + groupCount;
  const units = lineBlocks * batches * Math.ceil(columnCount / blockColumns);

  const writer = new KernelWriter(buffers);
  const integers = (access: Access, extent: number) =>
    viewTable(writer, access, [{ extents: [extent], at: 0 }], "read");
  const view = (access: Access, lead: readonly number[], side: readonly number[], last: readonly number[]) =>
    viewTable(
      writer,
      access,
      [
        { extents: lead, at: 0 },
        { extents: batch, at: lead.length },
        { extents: side, at: lead.length + batch.length },
        { extents: last, at: lead.length + batch.length + side.length },
      ],
      access === record.output ? "write" : "read",
    );
  const tables = [
    integers(record.order, rowCount),
    integers(record.offsets, groupCount + 1),
    view(record.lhs, rows, lines, reduced),
    view(record.rhs, isSum ? rows : groups, columns, reduced),
    view(record.output, isSum ? groups : rows, lines, columns),
  ];
  const header = [units, groupCount, batches, lineCount, columnCount, length, blockColumns];
  let next = header.length + tables.length;
  const references = tables.map((table) => {
    const at = next;
    next += table.length;
    return at;
  });
  const at = writer.table([...header, ...references, ...tables.flat()]);
  writer.line(`weft_${archetype}(arguments, arguments->integers + ${at}, begin, end, workspace);`);
  const products = rowCount * batches * lineCount * roundUp(columnCount, lanes) * length;
  return [writer.finish(units, products / 50 + units * 200, '#include "grouped.h"\n\n')];
}
