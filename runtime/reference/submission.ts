import type { TensorPlace } from "../../codegen/program.js";
import type { ReferenceTensor } from "../../src/primitives/primitive.js";
import type { Device, DeviceTensor, Submission, TensorData } from "../device.js";
import { hostData } from "./elements.js";

type Results = ReadonlyMap<string, ReferenceTensor>;

/** One run and its outputs, which stay in float64 until they are read. */
export class ReferenceSubmission implements Submission {
  readonly done: Promise<void>;
  readonly #device: Device;
  readonly #outputs: ReadonlyMap<string, TensorPlace>;
  readonly #finished: Promise<Results>;
  #outcome: { readonly results: Results } | { readonly error: unknown } | undefined;

  constructor(device: Device, outputs: ReadonlyMap<string, TensorPlace>, results: Promise<Results>) {
    this.#device = device;
    this.#outputs = outputs;
    this.#finished = results;
    this.done = results.then(
      (finished) => {
        this.#outcome = { results: finished };
      },
      (error: unknown) => {
        this.#outcome = { error };
        throw error;
      },
    );
    // Whoever only reads hears of the error there.
    this.done.catch(() => undefined);
  }

  output(name: string): DeviceTensor {
    this.#requireOutput(name);
    return { device: this.#device, submission: this, output: name };
  }

  async read<Names extends string>(names: readonly Names[]): Promise<Record<Names, TensorData>> {
    for (const name of names) this.#requireOutput(name);
    const results = await this.#finished;
    return Object.fromEntries(
      names.map((name) => [name, hostData(this.#outputs.get(name)!.dtype, results.get(name)!.data)]),
    ) as Record<Names, TensorData>;
  }

  /** An output after the run; throws the error that met the run. */
  result(name: string): ReferenceTensor {
    if (!this.#outcome) throw new Error("The submission is not over");
    if ("error" in this.#outcome) throw this.#outcome.error;
    this.#requireOutput(name);
    return this.#outcome.results.get(name)!;
  }

  #requireOutput(name: string): void {
    if (!this.#outputs.has(name)) throw new Error(`The program has no output ${JSON.stringify(name)}`);
  }
}
