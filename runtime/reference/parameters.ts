import { elementCount, formatShape, sameShape } from "../../src/graph/shape.js";
import type { ParameterLayout, ParameterPlace } from "../../src/kernels/layout.js";
import type { ParameterSet, TensorData } from "../device.js";
import { holds } from "../tensors/tensor.js";
import { hostData, readElements, storedDtype, writeElements } from "./elements.js";
import type { Queue } from "./queue.js";

export type StoredSegment = "parameters" | "gradients" | "optimizer";

/** Stored tensors as bytes, laid out as on any device. Reads and writes stand in line with the submissions. */
export class ReferenceParameterSet implements ParameterSet {
  readonly layout: ParameterLayout;
  readonly #queue: Queue;
  readonly #segments: Record<StoredSegment, Uint8Array>;
  readonly #places: ReadonlyMap<string, ParameterPlace>;
  #freed = false;

  constructor(layout: ParameterLayout, queue: Queue) {
    this.layout = layout;
    this.#queue = queue;
    this.#segments = {
      parameters: new Uint8Array(layout.bytes),
      gradients: new Uint8Array(layout.bytes),
      optimizer: new Uint8Array(0),
    };
    this.#places = new Map(layout.places.map((place) => [place.path, place]));
  }

  place(path: string): ParameterPlace {
    const place = this.#places.get(path);
    if (!place) throw new Error(`There is no parameter ${JSON.stringify(path)}`);
    return place;
  }

  /** The segment's bytes themselves, for submissions. */
  bytes(segment: StoredSegment): Uint8Array {
    if (this.#freed) throw new Error("The parameters were freed");
    return this.#segments[segment];
  }

  /** Makes room for optimiser state; what is there stays, the rest is zero. */
  reserveOptimizer(bytes: number): void {
    const present = this.bytes("optimizer");
    if (present.length >= bytes) return;
    this.#segments.optimizer = new Uint8Array(bytes);
    this.#segments.optimizer.set(present);
  }

  /** The contents of all segments, to be given back to `restore`. */
  snapshot(): Readonly<Record<StoredSegment, Uint8Array>> {
    return {
      parameters: this.bytes("parameters").slice(),
      gradients: this.bytes("gradients").slice(),
      optimizer: this.bytes("optimizer").slice(),
    };
  }

  restore(snapshot: Readonly<Record<StoredSegment, Uint8Array>>): void {
    Object.assign(this.#segments, snapshot);
  }

  /** Throws where a program's tensors do not stand as they stand here. */
  requirePlaces(layout: ParameterLayout): void {
    for (const wanted of layout.places) {
      const { dtype, shape, offset } = this.place(wanted.path);
      if (dtype !== wanted.dtype || offset !== wanted.offset || !sameShape(shape, wanted.shape)) {
        throw new Error(
          `Parameter ${JSON.stringify(wanted.path)} is ${dtype}${formatShape(shape)} at ${offset}, but the program has ${wanted.dtype}${formatShape(wanted.shape)} at ${wanted.offset}`,
        );
      }
    }
  }

  async write(path: string, data: TensorData): Promise<void> {
    const { dtype, shape, offset } = this.place(path);
    if (!holds(storedDtype(dtype), data) || data.length !== elementCount(shape)) {
      throw new Error(
        `Parameter ${JSON.stringify(path)} is ${dtype}${formatShape(shape)}, but was given ${data.length} numbers in a ${data.constructor.name}`,
      );
    }
    const copy = data.slice();
    await this.#queue.enqueue(() => writeElements(this.bytes("parameters"), dtype, offset, copy));
  }

  async read(path: string): Promise<TensorData> {
    const { dtype, shape, offset } = this.place(path);
    return this.#queue.enqueue(() =>
      hostData(dtype, readElements(this.bytes("parameters"), dtype, offset, elementCount(shape))),
    );
  }

  async readSegment(segment: StoredSegment): Promise<Uint8Array> {
    return this.#queue.enqueue(() => this.bytes(segment).slice());
  }

  async writeSegment(segment: StoredSegment, bytes: Uint8Array): Promise<void> {
    const copy = bytes.slice();
    await this.#queue.enqueue(() => {
      if (segment === "optimizer") this.reserveOptimizer(copy.length);
      const present = this.bytes(segment);
      if (present.length !== copy.length) {
        throw new Error(`Segment ${segment} has ${present.length} bytes, but ${copy.length} were given`);
      }
      present.set(copy);
    });
  }

  free(): void {
    // What was enqueued before still runs on them.
    this.#queue.afterAll(() => {
      this.#freed = true;
    });
  }
}
