/** Puts a program together from what a target's emitters make of each kernel record. */
import type { Lowered } from "../src/compile.js";
import { printGraph } from "../src/graph/text.js";
import { withinPiece } from "../src/kernels/layout.js";
import type { Buffer, KernelRecord } from "../src/kernels/record.js";
import type { EmittedBinding, EmittedKernel } from "./emitted.js";
import { textHash } from "./hash.js";
import { bufferBytes, offsetsOf, programMemory, segmentOf } from "./layout.js";
import type { Binding, KernelText, Launch, Program } from "./program.js";

/** What a program is made of: kernel lists in order of execution under one plan, and the graphs they came from. */
export type ProgramParts = Pick<Lowered, "lists" | "plan" | "layout" | "graphs"> & {
  /** Names the target. */
  readonly target: string;
  readonly batch: number;
  /** Source, settings, batch, target and compiler version. */
  readonly key: string;
};

/** What a target's code generator is, to this file. */
export interface Emitter {
  readonly language: Program["language"];
  /** The kernels of a record, to be launched in order: usually one; none when there is nothing to do. */
  emit(record: KernelRecord, buffers: readonly Buffer[]): readonly EmittedKernel[];
  /** The record as the target binds it, told which buffers of a list stand in one place. */
  bound?(record: KernelRecord, placeOf: (buffer: number) => string): KernelRecord;
}

export function partsOf(lowered: Lowered, key: string): ProgramParts {
  const { target, batch } = lowered.options;
  return { ...lowered, target: target.name, batch, key };
}

export function assemble(parts: ProgramParts, emitter: Emitter): Program {
  const { lists, plan, layout, graphs } = parts;
  const memory = programMemory(lists, plan, layout, graphs);
  const offset = offsetsOf(lists, plan);
  const kernels = new KernelNames();
  const scratch = Math.ceil(memory.segments.scratch / 256) * 256;
  let scratchEnd = memory.segments.scratch;

  const step = lists.flatMap(({ buffers, kernels: records }, list) => {
    const bindingOf = (binding: EmittedBinding, privatePlaces: ReadonlyMap<number, number>): Binding => {
      if ("private" in binding) {
        const { offset: own, bytes, dtype } = binding.private;
        const at = privatePlaces.get(own)!;
        scratchEnd = Math.max(scratchEnd, at + bytes);
        return { segment: "scratch", offset: at, bytes, dtype, access: binding.access };
      }
      const buffer = buffers[binding.buffer]!;
      return {
        segment: segmentOf(buffer.home),
        offset: offset(list, binding.buffer),
        bytes: bufferBytes(buffer),
        dtype: buffer.dtype,
        access: binding.access,
      };
    };
    // What is empty stands nowhere, even if something else starts where it would.
    const placeOf = (id: number) =>
      buffers[id]!.elements === 0
        ? `nothing ${id}`
        : `${segmentOf(buffers[id]!.home)} ${offset(list, id)} ${buffers[id]!.dtype}`;
    return records.flatMap((record) => {
      const emitted = emitter.emit(emitter.bound?.(record, placeOf) ?? record, buffers);
      const privatePlaces = placesOfPrivate(emitted, scratch, plan.pieceBytes);
      return emitted.map(
        (kernel): Launch => ({
          kernel: kernels.add(record, kernel),
          bindings: kernel.bindings.map((binding) => bindingOf(binding, privatePlaces)),
          integers: kernel.integers,
          floats: kernel.floats,
          units: kernel.units,
          cost: kernel.cost,
          label: labelOf(record),
        }),
      );
    });
  });

  return {
    formatVersion: 1,
    target: parts.target,
    language: emitter.language,
    key: parts.key,
    batch: parts.batch,
    ...memory,
    segments: { ...memory.segments, scratch: scratchEnd },
    parameters: layout,
    kernels: kernels.texts,
    prepare: [],
    step,
    graphs: graphs.map(printGraph),
  };
}

/** Where the private scratch of one record's kernels stands, by its own offset: behind what is planned, each stretch within one piece. */
function placesOfPrivate(kernels: readonly EmittedKernel[], start: number, piece: number): Map<number, number> {
  const sizes = new Map<number, number>();
  for (const binding of kernels.flatMap(({ bindings }) => bindings)) {
    if (!("private" in binding)) continue;
    const { offset, bytes } = binding.private;
    sizes.set(offset, Math.max(sizes.get(offset) ?? 0, bytes));
  }
  const places = new Map<number, number>();
  let shift = start;
  for (const [offset, bytes] of [...sizes].sort(([a], [b]) => a - b)) {
    const place = withinPiece(offset + shift, bytes, piece);
    places.set(offset, place);
    shift = place - offset;
  }
  return places;
}

/** Kernels by source: equal sources get one name and are compiled once. */
class KernelNames {
  readonly texts: KernelText[] = [];
  readonly #known = new Map<string, number>();
  readonly #names = new Set<string>();

  /** The kernel's number. */
  add(record: KernelRecord, emitted: EmittedKernel): number {
    const known = this.#known.get(emitted.source);
    if (known !== undefined) return known;
    const stem = `${record.archetype}_${textHash(emitted.source)}`;
    let name = stem;
    for (let number = 2; this.#names.has(name); number++) name = `${stem}_${number}`;
    this.#names.add(name);
    const place = this.texts.push({ name, source: emitted.source.replaceAll("KERNEL", name) }) - 1;
    this.#known.set(emitted.source, place);
    return place;
  }
}

/** What profiles and errors call a kernel: what it computes, and the line of Weft. */
function labelOf(record: KernelRecord): string {
  const origin = record.origins[0];
  if (!origin) return record.label;
  const place = origin.span ? ` (${origin.span.file}:${origin.span.start}-${origin.span.end})` : "";
  return `${record.label}${origin.path === "" ? "" : ` of ${origin.path}`}${place}`;
}
