import type { ParameterLayout } from "../../src/kernels/layout.js";
import type { ParameterSet, TensorData } from "../device.js";
import { decoded, encoded, tensorBytes } from "../elements.js";
import type { Line } from "../line.js";
import { ParameterPlaces, type StoredSegment } from "../parameter-places.js";
import { chunkStarts } from "./chunks.js";
import type { Connection } from "./connection.js";
import { readBack, readWhole } from "./read-back.js";
import { encodeCopy, Segment } from "./segment.js";

/** Stored tensors on a GPU. Gradients and optimiser state take memory only once something needs them. */
export class WebGpuParameterSet implements ParameterSet {
  readonly layout: ParameterLayout;
  readonly places: ParameterPlaces;
  readonly #connection: Connection;
  readonly #line: Line;
  readonly #bytesPerBinding: number;
  readonly #segments = new Map<StoredSegment, Segment>();
  #freed = false;
  #version = 0;

  private constructor(layout: ParameterLayout, connection: Connection, line: Line, bytesPerBinding: number) {
    this.layout = layout;
    this.places = new ParameterPlaces(layout);
    this.#connection = connection;
    this.#line = line;
    this.#bytesPerBinding = bytesPerBinding;
  }

  /** Rejects with an Error when memory is short or a tensor is larger than what the GPU can bind. */
  static async allocate(
    layout: ParameterLayout,
    connection: Connection,
    line: Line,
    bytesPerBinding: number,
  ): Promise<WebGpuParameterSet> {
    const set = new WebGpuParameterSet(layout, connection, line, bytesPerBinding);
    await set.reserve("parameters", layout.bytes);
    return set;
  }

  /** Grows with every change of the parameters, so that executables know when what they prepared is stale. */
  get version(): number {
    return this.#version;
  }

  changed(): void {
    this.#version++;
  }

  belongsTo(connection: Connection): boolean {
    return this.#connection === connection;
  }

  /** A segment if it has that many bytes already. Throws an Error when it was freed. */
  held(segment: StoredSegment, bytes: number): Segment | undefined {
    if (this.#freed) throw new Error("The parameters were freed");
    const present = this.#segments.get(segment);
    return present && present.bytes >= bytes ? present : undefined;
  }

  /** A segment of at least `bytes`; what was there stays, the rest is zero. */
  async reserve(segment: StoredSegment, bytes: number): Promise<Segment> {
    const held = this.held(segment, bytes);
    if (held) return held;
    const present = this.#segments.get(segment);
    const starts = chunkStarts(segment, bytes, this.layout, this.#bytesPerBinding);
    const allocated = await Segment.allocate(
      this.#connection,
      segment,
      bytes,
      starts,
      present && { segment: present, keepContents: true },
    );
    this.#segments.set(segment, allocated);
    return allocated;
  }

  async write(path: string, data: TensorData): Promise<void> {
    const { dtype, shape, offset } = this.places.of(path);
    const bytes = encoded(`Parameter ${JSON.stringify(path)}`, dtype, shape, data);
    await this.#line.enqueue(async () => {
      const segment = await this.reserve("parameters", this.layout.bytes);
      this.changed();
      await segment.writeAll(this.#connection, offset, bytes);
    });
  }

  async read(path: string): Promise<TensorData> {
    const { dtype, shape, offset } = this.places.of(path);
    return this.#line.enqueue(async () => {
      const segment = await this.reserve("parameters", this.layout.bytes);
      const [bytes] = await readBack(this.#connection, segment, [{ offset, bytes: tensorBytes(dtype, shape) }]);
      return decoded(dtype, bytes!);
    });
  }

  async readSegment(segment: StoredSegment): Promise<Uint8Array> {
    return this.#line.enqueue(async () => {
      if (this.#freed) throw new Error("The parameters were freed");
      if (segment === "gradients") await this.reserve("gradients", this.layout.bytes);
      const present = this.#segments.get(segment);
      return present ? readWhole(this.#connection, present) : new Uint8Array(0);
    });
  }

  async writeSegment(segment: StoredSegment, bytes: Uint8Array): Promise<void> {
    const copy = bytes.slice();
    await this.#line.enqueue(async () => {
      const present = await this.reserve(segment, segment === "optimizer" ? copy.length : this.layout.bytes);
      if (present.bytes !== copy.length) {
        throw new Error(`Segment ${segment} has ${present.bytes} bytes, but ${copy.length} were given`);
      }
      this.changed();
      await present.writeAll(this.#connection, 0, copy);
    });
  }

  /** Copies of some segments, to be given back to `restore`. Only inside the line. */
  async snapshot(segments: Iterable<StoredSegment>): Promise<ReadonlyMap<StoredSegment, Segment>> {
    const copies = new Map<StoredSegment, Segment>();
    try {
      for (const name of segments) {
        const { bytes, starts } = this.#segments.get(name)!;
        copies.set(name, await Segment.allocate(this.#connection, `${name}, saved`, bytes, starts));
      }
      await this.#copy([...copies].map(([name, copy]) => [this.#segments.get(name)!, copy]));
    } catch (error) {
      for (const copy of copies.values()) copy.free();
      throw error;
    }
    return copies;
  }

  /** Gives back what `snapshot` saved, and frees it. */
  async restore(copies: ReadonlyMap<StoredSegment, Segment>): Promise<void> {
    try {
      await this.#copy([...copies].map(([name, copy]) => [copy, this.#segments.get(name)!]));
    } finally {
      for (const copy of copies.values()) copy.free();
    }
  }

  async #copy(pairs: readonly (readonly [Segment, Segment])[]): Promise<void> {
    const { device, queue } = this.#connection;
    const { accepted } = this.#connection.checked("a copy of parameters", () => {
      const encoder = device.createCommandEncoder();
      for (const [from, to] of pairs) encodeCopy(encoder, from, to);
      queue.submit([encoder.finish()]);
    });
    await accepted;
  }

  free(): void {
    // What was enqueued before still runs on this memory.
    this.#line.afterAll(() => {
      this.#freed = true;
      for (const segment of this.#segments.values()) segment.free();
      this.#segments.clear();
    });
  }
}
