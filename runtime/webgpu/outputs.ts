import type { TensorPlace } from "../../codegen/program.js";
import { tensorBytes } from "../elements.js";
import type { Connection } from "./connection.js";
import { readBack, readWhole } from "./read-back.js";
import type { Segment } from "./segment.js";

/** Outputs of a run: an executable's memory, or a copy of it. */
export class Outputs {
  readonly #connection: Connection;
  /** Undefined once they are on the host. */
  #segment: Segment | undefined;
  #ready: Promise<void> | undefined;
  #host: Uint8Array | undefined;
  /** Why they could not be saved when the device went. */
  #loss: { readonly error: unknown } | undefined;

  constructor(connection: Connection, segment: Segment) {
    this.#connection = connection;
    this.#segment = segment;
  }

  /** Nobody reads them unless the GPU accepted what made them. */
  readyAfter(accepted: Promise<void>): void {
    this.#ready = accepted;
  }

  async read(places: readonly TensorPlace[]): Promise<readonly Uint8Array[]> {
    const stretches = places.map(({ dtype, shape, offset }) => ({ offset, bytes: tensorBytes(dtype, shape) }));
    const host = this.#host;
    if (host) return stretches.map(({ offset, bytes }) => host.slice(offset, offset + bytes));
    if (this.#loss) throw this.#loss.error;
    const [read] = await Promise.all([readBack(this.#connection, this.#segment!, stretches), this.#ready]);
    return read;
  }

  /** Where they stand on the device. */
  get segment(): Segment {
    if (!this.#segment) throw new Error("The device was closed");
    return this.#segment;
  }

  /** Moves them to the host, before the device goes. Where that cannot be, it is who reads them later that hears of it. */
  async leaveDevice(): Promise<void> {
    if (!this.#segment) return;
    try {
      await this.#ready;
      this.#host = await readWhole(this.#connection, this.#segment);
    } catch (error) {
      this.#loss = { error };
    }
    this.#segment = undefined;
  }
}
