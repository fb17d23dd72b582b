/** Where segments are cut into buffers under a binding limit. */
import type { Binding, Launch, Program, SegmentName } from "../../codegen/program.js";
import { type ParameterLayout, parameterChunks, segmentAlignment } from "../../src/kernels/layout.js";

/** First bytes of a segment's buffers, ascending from 0. `limit` is how many bytes of a buffer can be bound at once. */
export function chunkStarts(
  segment: SegmentName,
  bytes: number,
  layout: ParameterLayout,
  limit: number,
): readonly number[] {
  switch (segment) {
    case "parameters":
    case "gradients":
    case "optimizer": {
      const cuts = parameterChunks(layout, limit);
      // Whole states, each cut as the parameters.
      const states = layout.bytes === 0 ? 1 : Math.max(1, Math.ceil(bytes / layout.bytes));
      return Array.from({ length: states }, (_, state) => cuts.map((cut) => state * layout.bytes + cut))
        .flat()
        .filter((start) => start === 0 || start < bytes);
    }
    case "prepared":
    case "constants":
    case "inputs":
    case "outputs":
    case "scalars":
    case "scratch":
      return Array.from({ length: Math.max(1, Math.ceil(bytes / limit)) }, (_, number) => number * limit);
  }
}

/** Throws an Error that names the first kernel of a program that binds what no one buffer holds. */
export function requireBindable(program: Program, limit: number): void {
  const cuts = new Map<SegmentName, readonly number[]>();
  const startsOf = (segment: SegmentName): readonly number[] => {
    let starts = cuts.get(segment);
    if (!starts) {
      starts = chunkStarts(segment, program.segments[segment], program.parameters, limit);
      cuts.set(segment, starts);
    }
    return starts;
  };
  const fault = ({ segment, offset, bytes }: Binding): string | undefined => {
    if (bytes > limit) return `and the GPU can bind ${limit} bytes at once`;
    if (startsOf(segment).some((start) => start > offset && start < offset + bytes))
      return "which lie in more than one buffer";
    if (offset % segmentAlignment !== 0) return `which do not start at a multiple of ${segmentAlignment}`;
    return undefined;
  };
  const check = ({ label, bindings }: Launch): void => {
    for (const binding of bindings) {
      const found = fault(binding);
      if (!found) continue;
      const { segment, offset, bytes } = binding;
      throw new Error(
        `Kernel ${JSON.stringify(label)} binds bytes ${offset} to ${offset + bytes} of segment ${segment}, ${found}`,
      );
    }
  };
  for (const launch of [...program.prepare, ...program.step]) check(launch);
}
