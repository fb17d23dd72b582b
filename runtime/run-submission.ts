import type { TensorPlace } from "../codegen/program.js";
import type { Device, DeviceTensor, Submission, TensorData } from "./device.js";
import { decoded } from "./elements.js";

/** How a device reads tensors out of output memory: copies them before it returns, or enqueues their copies. */
export type ReadOutputs<Memory> = (memory: Memory, places: readonly TensorPlace[]) => Promise<readonly Uint8Array[]>;

/** One run and its outputs: in the executable's output memory until the next run needs that, then in a copy. */
export class RunSubmission<Memory> implements Submission {
  readonly done: Promise<void>;
  readonly #device: Device;
  readonly #outputs: ReadonlyMap<string, TensorPlace>;
  readonly #readOutputs: ReadOutputs<Memory>;
  readonly #placed: Promise<void>;
  #memory: Memory | undefined;
  #kept = false;
  #failure: { readonly error: unknown } | undefined;

  /**
   * `placed` resolves with the executable's output memory once all that is enqueued later finds this run's outputs there; `done` when the
   * run is over.
   */
  constructor(
    device: Device,
    outputs: ReadonlyMap<string, TensorPlace>,
    run: { readonly placed: Promise<Memory>; readonly done: Promise<void> },
    readOutputs: ReadOutputs<Memory>,
  ) {
    this.#device = device;
    this.#outputs = outputs;
    this.#readOutputs = readOutputs;
    this.#placed = run.placed.then((memory) => {
      this.#memory ??= memory;
    });
    this.done = run.done;
    for (const promise of [this.#placed, this.done]) {
      // Whoever only reads hears of the error there.
      promise.catch((error: unknown) => {
        this.#failure ??= { error };
      });
    }
  }

  /** Takes a copy of the outputs, before their memory is used again. */
  keep(copy: () => Memory): void {
    if (this.#kept || this.#failure) return;
    this.#memory = copy();
    this.#kept = true;
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
    const places = names.map((name) => this.place(name));
    await this.#placed;
    const [tensors] = await Promise.all([this.#readOutputs(this.memory(), places), this.done]);
    return Object.fromEntries(
      names.map((name, place) => [name, decoded(places[place]!.dtype, tensors[place]!)]),
    ) as Record<Names, TensorData>;
  }

  /** Whether an error met the run. */
  get failed(): boolean {
    return this.#failure !== undefined;
  }

  /** Where the outputs are at present: to be used at once. Throws the error that met the run. */
  memory(): Memory {
    if (this.#failure) throw this.#failure.error;
    if (this.#memory === undefined) throw new Error("The submission is not over");
    return this.#memory;
  }
}
