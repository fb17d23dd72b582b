/// <reference types="@webgpu/types" preserve="true" />
import type { Program, SegmentName } from "../../codegen/program.js";
import { encodedNumbers } from "../elements.js";
import { ownSegments } from "../segments.js";
import { type PackedArguments, packArguments } from "./arguments.js";
import { chunkStarts } from "./chunks.js";
import type { Connection } from "./connection.js";
import { Segment } from "./segment.js";
import { bufferUsage } from "./usage.js";

/** What a program has on the GPU for itself. */
export class ProgramMemory {
  readonly segments: ReadonlyMap<SegmentName, Segment>;
  /** Arguments of the launches. */
  readonly uniform: GPUBuffer;
  /** Where the arguments of each launch stand: of the step, then of the preparations. */
  readonly places: PackedArguments["places"];

  private constructor(
    segments: ReadonlyMap<SegmentName, Segment>,
    uniform: GPUBuffer,
    places: PackedArguments["places"],
  ) {
    this.segments = segments;
    this.uniform = uniform;
    this.places = places;
  }

  /** Rejects with an Error when memory is short, or when an argument does not fit. */
  static async allocate(program: Program, connection: Connection, bytesPerBinding: number): Promise<ProgramMemory> {
    const { bytes, places } = packArguments([...program.step, ...program.prepare]);
    const segments = new Map<SegmentName, Segment>();
    let uniform: GPUBuffer | undefined;
    try {
      for (const name of ownSegments) {
        const size = program.segments[name];
        const starts = chunkStarts(name, size, program.parameters, bytesPerBinding);
        segments.set(name, await Segment.allocate(connection, name, size, starts));
      }
      const { accepted } = connection.checked("arguments and constants of a program", () => {
        uniform = connection.device.createBuffer({
          label: "arguments",
          size: Math.max(16, bytes.length),
          usage: bufferUsage.uniform | bufferUsage.copyDestination,
        });
        connection.queue.writeBuffer(uniform, 0, bytes);
        for (const { dtype, offset, values } of program.constants) {
          segments.get("constants")!.write(connection, offset, encodedNumbers(dtype, values));
        }
      });
      await accepted;
      return new ProgramMemory(segments, uniform!, places);
    } catch (error) {
      for (const segment of segments.values()) segment.free();
      uniform?.destroy();
      throw error;
    }
  }

  /** One of the program's own segments. */
  of(name: (typeof ownSegments)[number]): Segment {
    return this.segments.get(name)!;
  }

  free(): void {
    for (const segment of this.segments.values()) segment.free();
    this.uniform.destroy();
  }
}
