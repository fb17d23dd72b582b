import type { ParameterLayout } from "../../src/kernels/layout.js";
import type { ParameterSet, TensorData } from "../device.js";
import { decoded, encoded, tensorBytes } from "../elements.js";
import type { Line } from "../line.js";
import { ParameterPlaces, type StoredSegment } from "../parameter-places.js";
import { NativeMemory } from "./memory.js";
import type { NativeRuntime } from "./native.js";

/** Stored tensors in native memory. Gradients and optimiser state take memory only once something needs them. */
export class CpuParameterSet implements ParameterSet {
  readonly layout: ParameterLayout;
  readonly #runtime: NativeRuntime;
  readonly #line: Line;
  readonly #memory = new Map<StoredSegment, NativeMemory>();
  readonly places: ParameterPlaces;
  #freed = false;
  #version = 0;

  constructor(layout: ParameterLayout, runtime: NativeRuntime, line: Line) {
    this.layout = layout;
    this.#runtime = runtime;
    this.#line = line;
    this.places = new ParameterPlaces(layout);
    this.reserve("parameters", layout.bytes);
  }

  /** Grows with every change of the parameters, so that executables know when what they prepared is stale. */
  get version(): number {
    return this.#version;
  }

  changed(): void {
    this.#version++;
  }

  /** A segment's memory of at least `bytes`; what was there stays, the rest is zero. */
  reserve(segment: StoredSegment, bytes: number): NativeMemory {
    if (this.#freed) throw new Error("The parameters were freed");
    const present = this.#memory.get(segment);
    if (present && present.bytes >= bytes) return present;
    const memory = new NativeMemory(this.#runtime, bytes, `segment ${segment}`);
    if (present) {
      memory.view().set(present.view());
      present.free();
    }
    this.#memory.set(segment, memory);
    return memory;
  }

  async write(path: string, data: TensorData): Promise<void> {
    const { dtype, shape, offset } = this.places.of(path);
    const bytes = encoded(`Parameter ${JSON.stringify(path)}`, dtype, shape, data);
    await this.#line.enqueue(() => {
      this.reserve("parameters", this.layout.bytes).view(offset, bytes.length).set(bytes);
      this.changed();
    });
  }

  async read(path: string): Promise<TensorData> {
    const { dtype, shape, offset } = this.places.of(path);
    return this.#line.enqueue(() => {
      const memory = this.reserve("parameters", this.layout.bytes);
      return decoded(dtype, memory.view(offset, tensorBytes(dtype, shape)));
    });
  }

  async readSegment(segment: StoredSegment): Promise<Uint8Array> {
    return this.#line.enqueue(() => this.#contents(segment));
  }

  #contents(segment: StoredSegment): Uint8Array {
    if (this.#freed) throw new Error("The parameters were freed");
    if (segment === "gradients") this.reserve("gradients", this.layout.bytes);
    return this.#memory.get(segment)?.view().slice() ?? new Uint8Array(0);
  }

  async writeSegment(segment: StoredSegment, bytes: Uint8Array): Promise<void> {
    const copy = bytes.slice();
    await this.#line.enqueue(() => {
      const memory = this.reserve(segment, segment === "optimizer" ? copy.length : this.layout.bytes);
      if (memory.bytes !== copy.length) {
        throw new Error(`Segment ${segment} has ${memory.bytes} bytes, but ${copy.length} were given`);
      }
      memory.view().set(copy);
      this.changed();
    });
  }

  /** Copies of all segments, to be given back to `restore`. Only inside the line. */
  snapshot(): ReadonlyMap<StoredSegment, Uint8Array> {
    return new Map([...this.#memory].map(([segment, memory]) => [segment, memory.view().slice()]));
  }

  restore(snapshot: ReadonlyMap<StoredSegment, Uint8Array>): void {
    for (const [segment, bytes] of snapshot) this.#memory.get(segment)!.view(0, bytes.length).set(bytes);
  }

  free(): void {
    // What was enqueued before still runs on this memory.
    this.#line.afterAll(() => {
      this.#freed = true;
      for (const memory of this.#memory.values()) memory.free();
      this.#memory.clear();
    });
  }
}
