/// <reference types="@webgpu/types" preserve="true" />
import type { Program } from "../../codegen/program.js";
import type { ParameterLayout } from "../../src/kernels/layout.js";
import type { Device, Executable, ParameterSet } from "../device.js";
import { Line } from "../line.js";
import { memoryLines } from "../segments.js";
import { validateProgram } from "../validate.js";
import { type AdapterDescription, bytesPerBinding, describeAdapter, requestAdapter, requestDevice } from "./adapter.js";
import { chunkStarts, requireBindable } from "./chunks.js";
import { Connection } from "./connection.js";
import { WebGpuExecutable } from "./executable.js";
import { InFlight } from "./in-flight.js";
import { kernelUses } from "./kernel-uses.js";
import { OutputCopies } from "./output-copies.js";
import { WebGpuParameterSet } from "./parameter-set.js";
import { Pipelines } from "./pipelines.js";
import { ProgramMemory } from "./program-memory.js";
import { Segment } from "./segment.js";
import { bufferUsage } from "./usage.js";

export interface WebGpuDeviceOptions {
  /** `navigator.gpu` in a browser, what Dawn creates in Node. */
  readonly gpu: GPU;
  /** One that gave no device yet; the fastest unless given. */
  readonly adapter?: GPUAdapter;
  /** Bytes of a buffer that kernels may bind at once, less than the adapter allows. For tests. */
  readonly bytesPerBinding?: number;
  /** Fill outputs and scratch with NaN before every run, so that what is read but was never written shows. For tests. */
  readonly poison?: boolean;
  /** Told what a program takes before it is allocated, one line at a time. */
  readonly log?: (line: string) => void;
}

export interface WebGpuDevice extends Device {
  readonly adapter: AdapterDescription;
}

/** Opens a GPU. Rejects with an Error when there is none, or when it gives no device. */
export async function createWebGpuDevice(options: WebGpuDeviceOptions): Promise<WebGpuDevice> {
  const adapter = options.adapter ?? (await requestAdapter(options.gpu));
  const description = describeAdapter(adapter);
  return new OpenDevice(description, await requestDevice(adapter), options);
}

class OpenDevice implements WebGpuDevice {
  readonly name: string;
  readonly kind = "webgpu";
  readonly adapter: AdapterDescription;
  readonly #connection: Connection;
  readonly #options: WebGpuDeviceOptions;
  readonly #bytesPerBinding: number;
  readonly #line = new Line();
  readonly #inFlight = new InFlight();
  readonly #pipelines: Pipelines;
  readonly #copies: OutputCopies;
  readonly #executables = new Set<WebGpuExecutable>();
  readonly #empty: GPUBuffer[] = [];
  #scratch: Segment | undefined;
  #closed = false;

  constructor(description: AdapterDescription, device: GPUDevice, options: WebGpuDeviceOptions) {
    this.name = description.name;
    this.adapter = description;
    this.#connection = new Connection(device);
    this.#options = options;
    const most = bytesPerBinding(device.limits);
    this.#bytesPerBinding = Math.min(most, options.bytesPerBinding ?? most);
    this.#pipelines = new Pipelines(this.#connection);
    this.#copies = new OutputCopies(this.#connection);
  }

  async load(program: Program): Promise<Executable> {
    this.#requireOpen();
    validateProgram(program, "WebGPU", "wgsl");
    requireBindable(program, this.#bytesPerBinding);
    for (const line of memoryLines(program)) this.#options.log?.(line);
    const launches = [...program.prepare, ...program.step];
    const labels = program.kernels.map((_, number) => launches.find(({ kernel }) => kernel === number)?.label);
    const { kernels, compiled } = await this.#pipelines.compile(program.kernels, labels, kernelUses(program));
    this.#options.log?.(
      `kernels      ${kernels.length} (${compiled} compiled, ${kernels.length - compiled} known before)`,
    );
    await this.#reserveScratch(program);
    const memory = await ProgramMemory.allocate(program, this.#connection, this.#bytesPerBinding);
    const executable = new WebGpuExecutable(program, kernels, memory, {
      device: this,
      connection: this.#connection,
      line: this.#line,
      inFlight: this.#inFlight,
      pipelines: this.#pipelines,
      copies: this.#copies,
      empty: (place) => this.#emptyBuffer(place),
      poison: this.#options.poison ?? false,
      scratch: () => this.#scratch!,
      forget: (freed) => this.#executables.delete(freed),
    });
    this.#executables.add(executable);
    return executable;
  }

  async parameters(layout: ParameterLayout): Promise<ParameterSet> {
    this.#requireOpen();
    return WebGpuParameterSet.allocate(layout, this.#connection, this.#line, this.#bytesPerBinding);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#line.close(async () => {
      await this.#inFlight.idle();
      try {
        for (const executable of this.#executables) await executable.leaveDevice();
        await this.#copies.leaveDevice();
      } finally {
        await this.#connection.close();
      }
    });
  }

  #requireOpen(): void {
    if (this.#closed) throw new Error("The device was closed");
    this.#connection.requireAlive();
  }

  /** Scratch is shared: runs follow one another, and none finds what another left. It moves between runs, when a program needs more. */
  async #reserveScratch({ segments, parameters }: Program): Promise<void> {
    const bytes = segments.scratch;
    if (bytes <= (this.#scratch?.bytes ?? 0)) return;
    await this.#line.enqueue(async () => {
      if (bytes <= (this.#scratch?.bytes ?? 0)) return;
      const starts = chunkStarts("scratch", bytes, parameters, this.#bytesPerBinding);
      const smaller = this.#scratch && { segment: this.#scratch, keepContents: false };
      this.#scratch = await Segment.allocate(this.#connection, "scratch", bytes, starts, smaller);
    });
  }

  #emptyBuffer(place: number): GPUBuffer {
    this.#empty[place] ??= this.#connection.device.createBuffer({ size: 4, usage: bufferUsage.storage });
    return this.#empty[place];
  }
}
