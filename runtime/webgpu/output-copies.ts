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

  /** Enqueues a copy, so that what is enqueued later may change the outputs. */
  copy(from: Segment): Outputs {
    const connection = this.#connection;
    const allocated = Segment.enqueueAllocation(connection, "outputs, kept", from.bytes, from.starts);
    const { accepted } = connection.checked("a copy of outputs", () => {
      const encoder = connection.device.createCommandEncoder();
      encodeCopy(encoder, from, allocated.segment);
      connection.queue.submit([encoder.finish()]);
    });
    const ready = Promise.all([allocated.accepted, accepted]).then(() => undefined);
    ready.catch(() => undefined);
    const outputs = new Outputs(connection, allocated.segment, ready);
    const reference = new WeakRef(outputs);
    this.#held.add(reference);
    this.#weights.set(outputs, new ArrayBuffer(Math.min(from.bytes, 1 << 30)));
    this.#unreachable.register(outputs, { segment: allocated.segment, reference });
    return outputs;
  }

  /** Moves them to the host, before the device goes. */
  async leaveDevice(): Promise<void> {
    for (const reference of this.#held) await reference.deref()?.leaveDevice();
  }
}
