/** The contract every device meets. */
import type { Program } from "../codegen/program.js";
import type { ParameterLayout } from "../src/kernels/layout.js";
import type { ScalarName } from "../src/primitives/names.js";

/** Numbers in memory; the dtype is the place's. f32: Float32Array, i32: Int32Array, u32: Uint32Array, bool: Uint8Array. */
export type TensorData = Float32Array | Int32Array | Uint32Array | Uint8Array;

export interface Device {
  /** What a user reads: "cpu (2 threads, AVX-512)". */
  readonly name: string;
  readonly kind: "reference" | "cpu" | "webgpu" | "cuda";
  /** Validates a program, makes its kernels ready and allocates its memory. */
  load(program: Program): Promise<Executable>;
  /** Stored tensors of one model, shared by all executables bound to it. Zero until written. */
  parameters(layout: ParameterLayout): Promise<ParameterSet>;
  close(): Promise<void>;
}

/** The `parameters`, `gradients` and `optimizer` segments of one model on a device. */
export interface ParameterSet {
  readonly layout: ParameterLayout;
  write(path: string, data: TensorData): Promise<void>;
  read(path: string): Promise<TensorData>;
  /** Bytes of a whole segment; `optimizer` is allocated by the first executable that needs it. */
  readSegment(segment: "parameters" | "gradients" | "optimizer"): Promise<Uint8Array>;
  writeSegment(segment: "parameters" | "gradients" | "optimizer", bytes: Uint8Array): Promise<void>;
  free(): void;
}

export interface Executable {
  readonly program: Program;
  bind(set: ParameterSet): void;
  /**
   * Enqueues one run of the step. Returns at once; runs happen in order; at most two are in flight (a third waits). Inputs left out keep
   * the value of the last submission. An input may be another submission's output on the same device.
   */
  submit(
    inputs: Readonly<Record<string, TensorData | DeviceTensor>>,
    scalars?: Readonly<Partial<Record<ScalarName, number>>>,
  ): Submission;
  /**
   * Runs the step kernel by kernel and names the first one whose outputs are not finite; undefined when all are. Leaves parameters and
   * optimiser state as they were.
   */
  firstNonFinite(
    inputs: Readonly<Record<string, TensorData | DeviceTensor>>,
    scalars?: Readonly<Partial<Record<ScalarName, number>>>,
  ): Promise<string | undefined>;
  /** Time of each launch of one more run, in nanoseconds. */
  profile(): Promise<readonly { readonly label: string; readonly nanoseconds: number }[]>;
  free(): void;
}

/** An output that stays on its device. */
export interface DeviceTensor {
  readonly device: Device;
  readonly submission: Submission;
  readonly output: string;
}

export interface Submission {
  /** Resolves when the run is over; rejects with the error that met it (device lost, out of memory, invalid program). */
  readonly done: Promise<void>;
  output(name: string): DeviceTensor;
  /** Copies outputs to the host, after the run. */
  read<Names extends string>(names: readonly Names[]): Promise<Record<Names, TensorData>>;
}
