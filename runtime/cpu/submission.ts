import type { TensorPlace } from "../../codegen/program.js";
import type { Device, DeviceTensor, Submission, TensorData } from "../device.js";
import { decoded, tensorBytes } from "./elements.js";

/** One run and its outputs: in the executable's output memory until the next run needs that, then in a copy. */
export class CpuSubmission implements Submission {
  readonly done: Promise<void>;
  readonly #device: Device;
  readonly #outputs: ReadonlyMap<string, TensorPlace>;
  /** The executable's output memory, while this is its last run. */
  #live: (() => Uint8Array) | undefined;
  #kept: Uint8Array | undefined;
  #state: "waiting" | "over" | { readonly error: unknown } = "waiting";

  /** `run` resolves with a view of the outputs. */
  constructor(device: Device, outputs: ReadonlyMap<string, TensorPlace>, run: Promise<() => Uint8Array>) {
    this.#device = device;
    this.#outputs = outputs;
    this.done = run.then(
      (live) => {
        if (!this.#kept) this.#live = live;
        this.#state = "over";
      },
      (error: unknown) => {
        this.#state = { error };
        throw error;
      },
    );
    // Whoever only reads hears of the error there.
    this.done.catch(() => undefined);
  }

  /** Copies the outputs before their memory is used again. */
  keep(outputs: Uint8Array): void {
    if (this.#kept || typeof this.#state === "object") return;
    this.#kept = outputs.slice();
    this.#live = undefined;
  }

  output(name: string): DeviceTensor {
    this.place(name);
    return { device: this.#device, submission: this, output: name };
  }

  place(name: string): TensorPlace {
    const place = this.#outputs.get(name);
    if (!place) throw new Error(`The program has no output ${JSON.stringify(name)}`);
    return place;
  }

  async read<Names extends string>(names: readonly Names[]): Promise<Record<Names, TensorData>> {
    for (const name of names) this.place(name);
    await this.done;
    return Object.fromEntries(names.map((name) => [name, decoded(this.place(name).dtype, this.bytes(name))])) as Record<
      Names,
      TensorData
    >;
  }

  /** An output's bytes after the run: to be copied at once. Throws the error that met the run. */
  bytes(name: string): Uint8Array {
    if (typeof this.#state === "object") throw this.#state.error;
    const { dtype, shape, offset } = this.place(name);
    const all = this.#kept ?? this.#live?.();
    if (!all) throw new Error("The submission is not over");
    return all.subarray(offset, offset + tensorBytes(dtype, shape));
  }
}
