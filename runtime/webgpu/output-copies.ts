/// <reference types="@webgpu/types" preserve="true" />
import type { Connection } from "./connection.js";
import { Outputs } from "./outputs.js";
import { encodeCopy, Segment } from "./segment.js";

/** Outputs of earlier runs that someone may still read, each in memory of its own until nobody can. */
export class OutputCopies {
  readonly #connection: Connection;
  readonly #held = new Set<WeakRef<Outputs>>();
  /** Memory that nobody touches, by which the garbage collector knows how much there is to gain from a small object. */
  readonly #weights = new WeakMap<Outputs, ArrayBuffer>();
  readonly #unreachable: FinalizationRegistry<{ readonly segment: Segment; readonly reference: WeakRef<Outputs> }>;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#unreachable = new FinalizationRegistry(({ segment, reference }) => {
      this.#held.delete(reference);
      segment.free();
    });
  }

  /** Encodes a copy, so that what is encoded later may change the outputs. */
  encodeCopy(encoder: GPUCommandEncoder, from: Segment): Outputs {
    const segment = Segment.create(this.#connection, "outputs, kept", from.bytes, from.starts);
    encodeCopy(encoder, from, segment);
    const outputs = new Outputs(this.#connection, segment);
    const reference = new WeakRef(outputs);
    this.#held.add(reference);
    this.#weights.set(outputs, new ArrayBuffer(Math.min(from.bytes, 1 << 30)));
    this.#unreachable.register(outputs, { segment, reference });
    return outputs;
  }

  /** Moves them to the host, before the device goes. */
  async leaveDevice(): Promise<void> {
    for (const reference of this.#held) await reference.deref()?.leaveDevice();
  }
}
