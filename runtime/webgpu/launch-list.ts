/// <reference types="@webgpu/types" preserve="true" />
import type { Launch, SegmentName } from "../../codegen/program.js";
import type { PackedArguments } from "./arguments.js";
import type { Connection } from "./connection.js";
import { Pieces } from "./pieces.js";
import type { Kernel } from "./pipelines.js";
import { type Segment, wholeWords } from "./segment.js";

/** Workgroups along one dimension. */
const mostGroups = 65535;

/** Buffers of no tensor, one for every place among a kernel's bindings: what a tensor without elements is bound to. */
export type EmptyBuffers = (place: number) => GPUBuffer;

/** Launches ready to be encoded. */
export class LaunchList {
  readonly launches: readonly Launch[];
  readonly pieces: Pieces;
  readonly #kernels: readonly Kernel[];
  readonly #uniform: GPUBuffer;
  readonly #places: PackedArguments["places"];
  // Flat, since the loop over them is what a step costs the host.
  readonly #pipelines: readonly GPUComputePipeline[];
  readonly #groups: GPUBindGroup[] = [];
  readonly #columns: readonly number[];
  readonly #rows: readonly number[];

  /** `kernels` are the program's; `uniform` holds the arguments of launch `i` at `places[i]`. */
  constructor(
    launches: readonly Launch[],
    kernels: readonly Kernel[],
    uniform: GPUBuffer,
    places: PackedArguments["places"],
  ) {
    this.launches = launches;
    this.pieces = new Pieces(launches);
    this.#kernels = launches.map(({ kernel }) => kernels[kernel]!);
    this.#uniform = uniform;
    this.#places = places;
    this.#pipelines = this.#kernels.map(({ pipeline }) => pipeline);
    this.#columns = launches.map(({ units }) => Math.min(units, mostGroups));
    this.#rows = launches.map(({ units }) => Math.ceil(units / mostGroups));
  }

  get length(): number {
    return this.launches.length;
  }

  /** Makes the bind groups of launches that use one of the `moved` segments, and of all that have none yet. */
  bind(
    { device }: Connection,
    segments: ReadonlyMap<SegmentName, Segment>,
    moved: ReadonlyMap<SegmentName, Segment>,
    empty: EmptyBuffers,
  ): void {
    for (const [number, { bindings, label }] of this.launches.entries()) {
      if (this.#groups[number] && !bindings.some(({ segment }) => moved.has(segment))) continue;
      const { offset, size } = this.#places[number]!;
      const entries: GPUBindGroupEntry[] = [
        { binding: 0, resource: { buffer: this.#uniform, offset, size } },
        ...bindings.map((binding, place): GPUBindGroupEntry => {
          if (binding.bytes === 0) return { binding: place + 1, resource: { buffer: empty(place) } };
          const ranges = segments.get(binding.segment)!.ranges(binding.offset, binding.bytes);
          const { buffer, offset, size } = ranges[0]!;
          if (ranges.length > 1)
            throw new Error(
              `Kernel ${JSON.stringify(label)} binds a part of ${binding.segment} that lies in two buffers`,
            );
          return { binding: place + 1, resource: { buffer, offset, size: wholeWords(size) } };
        }),
      ];
      this.#groups[number] = device.createBindGroup({ label, layout: this.#kernels[number]!.layout, entries });
    }
  }

  /** Encodes the launches from number `start` to before `end`, all unless they are given. */
  encode(pass: GPUComputePassEncoder, start = 0, end = this.launches.length): void {
    const pipelines = this.#pipelines;
    const groups = this.#groups;
    const columns = this.#columns;
    const rows = this.#rows;
    let current: GPUComputePipeline | undefined;
    for (let number = start; number < end; number++) {
      const pipeline = pipelines[number]!;
      if (pipeline !== current) {
        pass.setPipeline(pipeline);
        current = pipeline;
      }
      pass.setBindGroup(0, groups[number]!);
      // An argument less to hand over.
      if (rows[number] === 1) pass.dispatchWorkgroups(columns[number]!);
      else pass.dispatchWorkgroups(columns[number]!, rows[number]!);
    }
  }
}
