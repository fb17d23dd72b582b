/** Cuts a reduction with few rows and many points into partial results per chunk and a short reduction over the chunks. */
import { contiguousStrides, elementCount } from "../../src/graph/shape.js";
import { mapOperands, operandsInPass } from "../../src/kernels/operands.js";
import type { Access, Buffer, ReductionKernel, Store } from "../../src/kernels/record.js";
import type { ScalarInstruction } from "../../src/kernels/scalar.js";
import { type Chunks, chunksOf } from "./reduction.js";
import type { Space } from "./space.js";
import { passesOf } from "./stages.js";

export interface SplitReduction {
  readonly partial: ReductionKernel;
  /** The last chunk may be shorter than the others. */
  readonly limit: Space["limit"];
  readonly final: ReductionKernel;
  /** The partial results; their ids follow those of the record's buffers. */
  readonly buffers: readonly Buffer[];
}

/**
 * Both halves, or undefined when the record is better left whole or cannot be cut: it needs one pass over the points, no argmax, and
 * stores per row only.
 */
export function splitReduction(record: ReductionKernel, bufferCount: number): SplitReduction | undefined {
  const rank = record.extents.length;
  const rows = record.extents.slice(0, rank - record.reduced);
  const passes = passesOf(
    record.body,
    record.stores.map((store) => store.value),
  );
  const perRow = record.stores.every((store) =>
    store.access.strides.slice(rows.length).every((stride) => stride === 0),
  );
  if (passes.length !== 1 || !perRow) return undefined;
  const reduces = passes[0]!;
  if (reduces.some((position) => reductionAt(record, position).reduction === "argmax")) return undefined;
  const chunks = chunksOf(record);
  if (!chunks) return undefined;

  const rowCount = elementCount(rows);
  const buffers = reduces.map(
    (position): Buffer => ({
      dtype: record.body[position]!.dtype,
      elements: chunks.count * rowCount,
      home: { segment: "scratch" },
    }),
  );
  return {
    partial: partialRecord(record, chunks, reduces, bufferCount),
    limit: limitOf(record, chunks),
    final: finalRecord(record, chunks, reduces, bufferCount),
    buffers,
  };
}

function reductionAt(record: ReductionKernel, position: number): Extract<ScalarInstruction, { kind: "reduce" }> {
  const instruction = record.body[position]!;
  if (instruction.kind !== "reduce") throw new Error(`instruction ${position} is no reduction`);
  return instruction;
}

function limitOf(record: ReductionKernel, chunks: Chunks): Space["limit"] {
  const extent = record.extents[chunks.dimension]!;
  if (chunks.size * chunks.count === extent) return undefined;
  const strides = [chunks.size, ...record.extents.map((_, dimension) => (dimension === chunks.dimension ? 1 : 0))];
  return { form: { offset: 0, strides }, size: extent };
}

function partialRecord(
  record: ReductionKernel,
  chunks: Chunks,
  reduces: readonly number[],
  bufferCount: number,
): ReductionKernel {
  const rows = record.extents.slice(0, record.extents.length - record.reduced);
  const withChunk = (strides: readonly number[]) => [strides[chunks.dimension]! * chunks.size, ...strides];
  const extents = record.extents.map((extent, dimension) => (dimension === chunks.dimension ? chunks.size : extent));
  const changed = (access: Access): Access => ({
    ...access,
    strides: withChunk(access.strides),
    ...(access.bounds
      ? { bounds: access.bounds.map((bound) => ({ ...bound, strides: withChunk(bound.strides) })) }
      : {}),
  });
  const stores = reduces.map(
    (value, number): Store => ({
      access: {
        buffer: bufferCount + number,
        offset: 0,
        strides: [...contiguousStrides([chunks.count, ...rows]), ...new Array<number>(record.reduced).fill(0)],
      },
      value,
    }),
  );
  return {
    ...record,
    extents: [chunks.count, ...extents],
    accesses: record.accesses.map(changed),
    body: record.body.map((instruction) =>
      instruction.kind === "index" ? { ...instruction, strides: withChunk(instruction.strides) } : instruction,
    ),
    stores,
  };
}

function finalRecord(
  record: ReductionKernel,
  chunks: Chunks,
  reduces: readonly number[],
  bufferCount: number,
): ReductionKernel {
  const rows = record.extents.slice(0, record.extents.length - record.reduced);
  const withoutReduced = (strides: readonly number[]) => [...strides.slice(0, rows.length), 0];
  const changed = (access: Access): Access => ({
    ...access,
    strides: withoutReduced(access.strides),
    ...(access.bounds
      ? { bounds: access.bounds.map((bound) => ({ ...bound, strides: withoutReduced(bound.strides) })) }
      : {}),
  });
  const partials = reduces.map(
    (_, number): Access => ({
      buffer: bufferCount + number,
      offset: 0,
      strides: [...contiguousStrides(rows), elementCount(rows)],
    }),
  );

  // Only what stands after the reductions is kept; each reduction folds its partial results instead.
  const body: ScalarInstruction[] = [];
  const moved = new Map<number, number>();
  const place = (position: number): number => {
    const known = moved.get(position);
    if (known !== undefined) return known;
    const instruction = record.body[position]!;
    let added: ScalarInstruction;
    if (instruction.kind === "reduce") {
      const load = body.push({
        kind: "load",
        access: record.accesses.length + reduces.indexOf(position),
        dtype: instruction.dtype,
      });
      added = { ...instruction, operand: load - 1 };
    } else {
      for (const operand of operandsInPass(instruction)) place(operand);
      added = mapOperands(instruction, (operand) => moved.get(operand)!);
      if (added.kind === "index") added = { ...added, strides: withoutReduced(added.strides) };
    }
    const at = body.push(added) - 1;
    moved.set(position, at);
    return at;
  };
  const stores = record.stores.map((store): Store => ({ access: changed(store.access), value: place(store.value) }));
  return {
    ...record,
    extents: [...rows, chunks.count],
    reduced: 1,
    accesses: [...record.accesses.map(changed), ...partials],
    body,
    stores,
  };
}
