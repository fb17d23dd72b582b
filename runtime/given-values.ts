/** What a program is given from outside, under the rule that what a submission leaves out keeps its last value. */
import type { Program, TensorPlace } from "../codegen/program.js";
import { formatShape, sameShape } from "../src/graph/shape.js";
import type { ScalarName } from "../src/primitives/names.js";
import type { Device, DeviceTensor, Executable, TensorData } from "./device.js";
import { encoded } from "./elements.js";
import { RunSubmission } from "./run-submission.js";

export type Inputs = Parameters<Executable["submit"]>[0];
export type Scalars = NonNullable<Parameters<Executable["submit"]>[1]>;

/** Where the value of an input comes from: bytes, or another submission's output. */
export type GivenSource<Memory> = Uint8Array | { readonly submission: RunSubmission<Memory>; readonly output: string };

interface Given<Memory> {
  readonly version: number;
  /** Undefined once it stands in the input's memory. */
  source: GivenSource<Memory> | undefined;
}

/** All that one submission runs with. */
export interface Taken<Memory> {
  readonly inputs: ReadonlyMap<string, Given<Memory>>;
  readonly scalars: ReadonlyMap<ScalarName, number>;
}

export class GivenValues<Memory> {
  readonly #program: Program;
  readonly #inputs: ReadonlyMap<string, TensorPlace>;
  readonly #device: Device;
  readonly #given = new Map<string, Given<Memory>>();
  readonly #present = new Map<string, number>();
  readonly #scalars = new Map<ScalarName, number>();
  #versions = 0;

  constructor(program: Program, device: Device) {
    this.#program = program;
    this.#inputs = new Map(program.inputs.map((place) => [place.name, place]));
    this.#device = device;
  }

  /** Checks what was handed in and copies host arrays: the caller may use them again at once. Accepts all, or throws and accepts nothing. */
  take(inputs: Inputs, scalars: Scalars): Taken<Memory> {
    const accepted = Object.entries(inputs).map(([name, value]) => [name, this.#accept(name, value)] as const);
    for (const [name, given] of accepted) this.#given.set(name, given);
    for (const [name, value] of Object.entries(scalars) as [ScalarName, number][]) this.#scalars.set(name, value);
    return { inputs: new Map(this.#given), scalars: new Map(this.#scalars) };
  }

  #accept(name: string, value: TensorData | DeviceTensor): Given<Memory> {
    const place = this.#inputs.get(name);
    if (!place) throw new Error(`The program has no input ${JSON.stringify(name)}`);
    const what = `Input ${JSON.stringify(name)}`;
    const version = ++this.#versions;
    if (ArrayBuffer.isView(value)) return { version, source: encoded(what, place.dtype, place.shape, value) };
    const { device, submission, output } = value;
    if (device !== this.#device || !(submission instanceof RunSubmission)) {
      throw new Error(`${what} is a tensor of another device`);
    }
    const from = submission.place(output);
    if (from.dtype !== place.dtype || !sameShape(from.shape, place.shape)) {
      throw new Error(
        `${what} is ${place.dtype}${formatShape(place.shape)}, but output ${JSON.stringify(output)} is ${from.dtype}${formatShape(from.shape)}`,
      );
    }
    return { version, source: { submission, output } };
  }

  /**
   * Calls `write` for every input whose memory does not hold its value yet, when it is the submission's turn. Throws an Error for an input
   * without a value, and what `write` throws.
   */
  writeInputs({ inputs }: Taken<Memory>, write: (place: TensorPlace, source: GivenSource<Memory>) => void): void {
    for (const [name, place] of this.#inputs) {
      const value = inputs.get(name);
      if (!value) throw new Error(`Input ${JSON.stringify(name)} was never given`);
      if (this.#present.get(name) === value.version) continue;
      if (!value.source) throw new Error(`Input ${JSON.stringify(name)} failed in an earlier submission`);
      write(place, value.source);
      this.#present.set(name, value.version);
      // It stands in memory now; a later submission that leaves it out finds it there.
      value.source = undefined;
    }
  }

  /** Takes note that the value of an input, which `write` took, did not get to its memory after all. */
  forget(name: string): void {
    this.#present.delete(name);
  }

  /** Writes scalars, zero where none was given, into the bytes of their segment. */
  writeScalars({ scalars }: Taken<Memory>, segment: Uint8Array): void {
    const view = new DataView(segment.buffer, segment.byteOffset, segment.byteLength);
    for (const { name, offset } of this.#program.scalars) {
      const value = scalars.get(name) ?? 0;
      switch (name) {
        case "seed":
        case "step":
          view.setUint32(offset, value, true);
          break;
        case "row_offset":
          view.setInt32(offset, value, true);
          break;
        case "learning_rate":
          view.setFloat32(offset, value, true);
          break;
      }
    }
  }
}
