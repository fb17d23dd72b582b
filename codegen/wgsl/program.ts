/** Programs in WGSL. */
import { mapAccesses } from "../../src/kernels/access.js";
import type { Access, KernelRecord } from "../../src/kernels/record.js";
import { assemble, type ProgramParts } from "../assemble.js";
import type { Program } from "../program.js";
import { emitKernels } from "./index.js";

/** Generates a program in WGSL from planned kernel records. */
export const wgslProgram = (parts: ProgramParts): Program =>
  assemble(parts, { language: "wgsl", emit: emitKernels, bound: withOneBindingPerPlace });

/**
 * Two writable bindings of a kernel may not share memory, so buffers that stand in one place (what is changed in place; a value that
 * takes the place of another) become one.
 */
function withOneBindingPerPlace(record: KernelRecord, placeOf: (buffer: number) => string): KernelRecord {
  const known = new Map<string, number>();
  const first = (access: Access): Access => {
    const place = placeOf(access.buffer);
    const buffer = known.get(place);
    if (buffer === undefined) known.set(place, access.buffer);
    return buffer === undefined || buffer === access.buffer ? access : { ...access, buffer };
  };
  return mapAccesses(record, first, first);
}
