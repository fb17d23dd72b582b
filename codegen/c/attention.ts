/** Attention and its backward pass: tables for the C runtime's kernels. */
import { elementCount } from "../../src/graph/shape.js";
import type { Access, AttentionBackwardKernel, AttentionKernel, Buffer } from "../../src/kernels/record.js";
import type { EmittedKernel } from "../emitted.js";
import { type Group, viewTable } from "./walk.js";
import { KernelWriter } from "./writer.js";

/** WEFT_ATTENTION_WIDTH and WEFT_ATTENTION_QUERIES of runtime/cpu/native/attention.h. The compiler spells out attention of wider heads. */
export const attentionWidth = 1024;
const mostQueries = 64;
const enoughUnits = 8;

type Record = AttentionKernel | AttentionBackwardKernel;

/** Queries of one block: nearly equal blocks, smaller ones where there would be too few units for the threads. */
function blockOf(record: Record, shared: number): number {
  const { queries } = record;
  let most = mostQueries;
  while (most > 16 && shared * Math.ceil(queries / most) < enoughUnits) most /= 2;
  const blocks = Math.max(1, Math.ceil(queries / most));
  return Math.max(1, Math.min(most, Math.ceil(queries / blocks / 8) * 8));
}

/** The views that both directions read, then those of the backward pass; the mask may be absent. */
function viewsOf(
  record: Record,
): readonly (readonly [access: Access | undefined, heads: number, lines: readonly number[]])[] {
  const { heads, group, queries, keys, width, valueWidth } = record;
  const keyHeads = heads / group;
  return [
    [record.q, heads, [queries, width]],
    [record.k, keyHeads, [keys, width]],
    [record.v, keyHeads, [keys, valueWidth]],
    [record.mask, heads, [queries, keys]],
    [record.output, heads, [queries, valueWidth]],
    [record.logSum, heads, [queries]],
    ...(record.archetype === "attention_backward"
      ? ([
          [record.cotangent, heads, [queries, valueWidth]],
          [record.dq, heads, [queries, width]],
          [record.dk, keyHeads, [keys, width]],
          [record.dv, keyHeads, [keys, valueWidth]],
        ] as const)
      : []),
  ];
}

function emit(record: Record, buffers: readonly Buffer[], units: number, block: number, call: string): EmittedKernel {
  const { batch, heads, group, queries, keys, width, valueWidth } = record;
  if (Math.max(width, valueWidth) > attentionWidth) {
    throw new RangeError(`attention of width ${Math.max(width, valueWidth)}; the C kernel takes ${attentionWidth}`);
  }
  const writer = new KernelWriter(buffers);
  const views = viewsOf(record);
  const header = [elementCount(batch), heads, group, queries, keys, width, valueWidth, block];
  const written: readonly (Access | undefined)[] =
    record.archetype === "attention" ? [record.output, record.logSum] : [record.dq, record.dk, record.dv];
  const tables: number[] = [];
  const references = views.map(([access, headCount, lines]) => {
    if (!access) return 0;
    const groups: readonly Group[] = [
      { extents: batch, at: 0 },
      { extents: [headCount], at: batch.length },
      ...lines.map((extent, position) => ({ extents: [extent], at: batch.length + 1 + position })),
    ];
    const table = viewTable(writer, access, groups, written.includes(access) ? "write" : "read");
    return header.length + views.length + tables.push(...table) - table.length;
  });
  const at = writer.table([...header, ...references, ...tables]);
  writer.line(`${call}(arguments, arguments->integers + ${at}, begin, end, workspace);`);
  const pairs = elementCount(batch) * heads * queries * keys;
  const perPair =
    record.archetype === "attention" ? (width + valueWidth) / 60 + 0.4 : (3 * width + 2 * valueWidth) / 60 + 0.6;
  const kernel = writer.finish(units, pairs * perPair + units * 500, '#include "attention.h"\n\n');
  return { ...kernel, floats: [record.scale] };
}

/**
 * Emits the kernels of an attention: one, or none when there are no queries. Units are blocks of queries of one head.
 * @throws RangeError when a head is wider than the C kernel's workspace allows.
 */
export function emitAttention(record: AttentionKernel, buffers: readonly Buffer[]): readonly EmittedKernel[] {
  const shared = elementCount(record.batch) * record.heads;
  if (shared * record.queries === 0) return [];
  const block = blockOf(record, shared);
  return [emit(record, buffers, shared * Math.ceil(record.queries / block), block, "weft_attention")];
}

/** The same for the backward pass. Units are key heads, whose cotangents sum over queries and the query heads of their group. */
export function emitAttentionBackward(
  record: AttentionBackwardKernel,
  buffers: readonly Buffer[],
): readonly EmittedKernel[] {
  const units = elementCount(record.batch) * (record.heads / record.group);
  if (units === 0) return [];
  return [emit(record, buffers, units, blockOf(record, enoughUnits), "weft_attention_backward")];
}
