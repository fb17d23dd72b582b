import type { Launch, Program, SegmentName, TensorPlace } from "../../codegen/program.js";
import { formatShape, sameShape } from "../../src/graph/shape.js";
import type { ScalarName } from "../../src/primitives/names.js";
import type { Device, DeviceTensor, Executable, ParameterSet, Submission, TensorData } from "../device.js";
import { encoded, tensorBytes } from "./elements.js";
import type { Line } from "./line.js";
import { NativeMemory } from "./memory.js";
import { accessKind, elementKind, type NativeRuntime, type Pointer } from "./native.js";
import { CpuParameterSet, storedSegments } from "./parameter-set.js";
import { CpuSubmission } from "./submission.js";
import { segmentNames } from "./validate.js";

type Inputs = Readonly<Record<string, TensorData | DeviceTensor>>;
type Scalars = Readonly<Partial<Record<ScalarName, number>>>;

/** What executables share on one device. */
export interface CpuContext {
  readonly device: Device;
  readonly runtime: NativeRuntime;
  readonly line: Line;
  readonly pool: Pointer;
  /** Whether outputs and scratch are filled with NaN before every run. */
  readonly poison: boolean;
  /** Scratch memory of at least so many bytes; it may move when a larger program is loaded. */
  scratch(): NativeMemory | undefined;
}

/** The last value given for an input: bytes, or another submission's output until it was copied. */
interface Given {
  readonly version: number;
  source: Uint8Array | { readonly submission: CpuSubmission; readonly output: string } | undefined;
}

/** A program's launch lists over memory. */
export class CpuExecutable implements Executable {
  readonly program: Program;
  readonly #context: CpuContext;
  readonly #memory: ReadonlyMap<SegmentName, NativeMemory>;
  readonly #step: Pointer;
  readonly #prepare: Pointer;
  readonly #inputs: ReadonlyMap<string, TensorPlace>;
  readonly #outputs: ReadonlyMap<string, TensorPlace>;
  /** Which memory each segment is bound to at present. */
  readonly #bound = new Map<SegmentName, Pointer>();
  readonly #given = new Map<string, Given>();
  readonly #present = new Map<string, number>();
  readonly #scalars = new Map<ScalarName, number>();
  #versions = 0;
  /** What later submissions are bound to, and what the one whose turn it is was. */
  #bindsTo: CpuParameterSet | undefined;
  #set: CpuParameterSet | undefined;
  /** Whose outputs stand in the output memory. */
  #last: WeakRef<CpuSubmission> | undefined;
  #preparedVersion: number | undefined;
  #freed = false;

  /** `kernels` are the addresses of the program's kernels. Throws an Error when memory is short. */
  constructor(program: Program, kernels: readonly Pointer[], context: CpuContext) {
    this.program = program;
    this.#context = context;
    this.#inputs = new Map(program.inputs.map((place) => [place.name, place]));
    this.#outputs = new Map(program.outputs.map((place) => [place.name, place]));
    const memory = new Map<SegmentName, NativeMemory>();
    const programs: Pointer[] = [];
    try {
      for (const name of ["prepared", "constants", "inputs", "outputs", "scalars"] as const) {
        // Also those without a byte: tensors without elements have their places there.
        memory.set(name, new NativeMemory(context.runtime, program.segments[name], `segment ${name}`));
      }
      for (const { dtype, offset, values } of program.constants) {
        const array =
          dtype === "i32" ? Int32Array : dtype === "u32" ? Uint32Array : dtype === "bool" ? Uint8Array : Float32Array;
        const bytes = encoded("A constant", dtype, [values.length], array.from(values));
        memory.get("constants")!.view(offset, bytes.length).set(bytes);
      }
      for (const launches of [program.step, program.prepare])
        programs.push(launchList(launches, kernels, context.runtime));
    } catch (error) {
      for (const one of memory.values()) one.free();
      for (const one of programs) context.runtime.programDestroy(one);
      throw error;
    }
    this.#memory = memory;
    [this.#step, this.#prepare] = programs as [Pointer, Pointer];
  }

  bind(set: ParameterSet): void {
    if (!(set instanceof CpuParameterSet)) throw new Error("The parameters belong to another device");
    set.requirePlaces(this.program.parameters);
    this.#bindsTo = set;
  }

  submit(inputs: Inputs, scalars: Scalars = {}): Submission {
    let submission: CpuSubmission | undefined;
    const run = this.#enqueue(inputs, scalars, async () => {
      await this.#runStep();
      this.#last = submission && new WeakRef(submission);
      return () => this.#outputBytes();
    });
    submission = new CpuSubmission(this.#context.device, this.#outputs, run);
    return submission;
  }

  firstNonFinite(inputs: Inputs, scalars: Scalars = {}): Promise<string | undefined> {
    return this.#enqueue(inputs, scalars, async () => {
      const { runtime, pool } = this.#context;
      const before = this.#set?.snapshot();
      // What an earlier run left in scratch is nobody's output.
      this.#context.scratch()?.view().fill(0);
      try {
        const found = await runtime.runChecked(pool, this.#step);
        if (found === -2) throw new Error("A segment of the program has no memory");
        return found < 0 ? undefined : this.program.step[found]!.label;
      } finally {
        if (before) this.#set!.restore(before);
      }
    });
  }

  profile(): Promise<readonly { readonly label: string; readonly nanoseconds: number }[]> {
    return this.#enqueue({}, {}, async () => {
      const { runtime, pool } = this.#context;
      const before = this.#set?.snapshot();
      const times = new BigInt64Array(this.program.step.length);
      try {
        await runtime.profile(pool, this.#step, times);
      } finally {
        if (before) this.#set!.restore(before);
      }
      return this.program.step.map(({ label }, place) => ({ label, nanoseconds: Number(times[place]) }));
    });
  }

  free(): void {
    if (this.#freed) return;
    this.#freed = true;
    const { line, runtime } = this.#context;
    line.afterAll(() => {
      this.#keepLast();
      for (const memory of this.#memory.values()) memory.free();
      runtime.programDestroy(this.#step);
      runtime.programDestroy(this.#prepare);
    });
  }

  /** Takes over inputs, scalars and parameters now, and does `work` when it is this submission's turn, with everything in place. */
  #enqueue<T>(inputs: Inputs, scalars: Scalars, work: () => Promise<T>): Promise<T> {
    let given: ReadonlyMap<string, Given>;
    let values: ReadonlyMap<ScalarName, number>;
    const set = this.#bindsTo;
    try {
      if (this.#freed) throw new Error("The executable was freed");
      this.#accept(inputs, scalars);
      given = new Map(this.#given);
      values = new Map(this.#scalars);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#context.line.enqueue(async () => {
      this.#keepLast();
      if (this.#set !== set) this.#preparedVersion = undefined;
      this.#set = set;
      this.#bindSegments();
      this.#writeInputs(given);
      this.#writeScalars(values);
      if (this.#context.poison) {
        // All bits set are a NaN, and -1.
        this.#memory.get("outputs")?.view().fill(0xff);
        this.#context.scratch()?.view().fill(0xff);
      }
      await this.#prepareIfStale();
      return work();
    });
  }

  /** Checks what was handed in and copies host arrays: the caller may use them again at once. Accepts all or nothing. */
  #accept(inputs: Inputs, scalars: Scalars): void {
    const accepted = Object.entries(inputs).map(([name, value]): [string, Given] => {
      const place = this.#inputs.get(name);
      if (!place) throw new Error(`The program has no input ${JSON.stringify(name)}`);
      const what = `Input ${JSON.stringify(name)}`;
      const version = ++this.#versions;
      if (ArrayBuffer.isView(value)) return [name, { version, source: encoded(what, place.dtype, place.shape, value) }];
      const { submission, output } = value;
      if (value.device !== this.#context.device || !(submission instanceof CpuSubmission)) {
        throw new Error(`${what} is a tensor of another device`);
      }
      const from = submission.place(output);
      if (from.dtype !== place.dtype || !sameShape(from.shape, place.shape)) {
        throw new Error(
          `${what} is ${place.dtype}${formatShape(place.shape)}, but output ${JSON.stringify(output)} is ${from.dtype}${formatShape(from.shape)}`,
        );
      }
      return [name, { version, source: { submission, output } }];
    });
    for (const [name, given] of accepted) this.#given.set(name, given);
    for (const [name, value] of Object.entries(scalars) as [ScalarName, number][]) this.#scalars.set(name, value);
  }

  #writeInputs(given: ReadonlyMap<string, Given>): void {
    for (const [name, { dtype, shape, offset }] of this.#inputs) {
      const value = given.get(name);
      if (!value) throw new Error(`Input ${JSON.stringify(name)} was never given`);
      if (this.#present.get(name) === value.version) continue;
      const { source } = value;
      if (!source) throw new Error(`Input ${JSON.stringify(name)} failed in an earlier submission`);
      // The line is the device's, so the submission that makes the tensor is over.
      const bytes = source instanceof Uint8Array ? source : source.submission.bytes(source.output);
      this.#memory.get("inputs")!.view(offset, tensorBytes(dtype, shape)).set(bytes);
      this.#present.set(name, value.version);
      // It stands in memory now; a later submission that leaves it out finds it there.
      value.source = undefined;
    }
  }

  #writeScalars(values: ReadonlyMap<ScalarName, number>): void {
    const memory = this.#memory.get("scalars");
    for (const { name, offset } of this.program.scalars) {
      const { buffer, byteOffset } = memory!.view(offset, 4);
      const value = values.get(name) ?? 0;
      const view = new DataView(buffer, byteOffset, 4);
      switch (name) {
        case "seed":
        case "step":
          view.setUint32(0, value, true);
          break;
        case "row_offset":
          view.setInt32(0, value, true);
          break;
        case "learning_rate":
          view.setFloat32(0, value, true);
          break;
      }
    }
  }

  /** Tells the launch lists where segments are that moved or were not there yet. */
  #bindSegments(): void {
    for (const [segment, number] of segmentNames.map((name, place) => [name, place] as const)) {
      const memory = this.#segment(segment);
      if (!memory || this.#bound.get(segment) === memory.pointer) continue;
      for (const list of [this.#step, this.#prepare]) {
        const refused = this.#context.runtime.programBind(list, number, memory.pointer, memory.bytes);
        if (refused >= 0)
          throw new Error(`Segment ${segment} of ${memory.bytes} bytes is too small for launch ${refused}`);
      }
      this.#bound.set(segment, memory.pointer);
    }
  }

  #segment(name: SegmentName): NativeMemory | undefined {
    if (name === "scratch") return this.program.segments.scratch > 0 ? this.#context.scratch() : undefined;
    const stored = storedSegments.find((segment) => segment === name);
    if (!stored) return this.#memory.get(name);
    const bytes = this.program.segments[stored];
    if (bytes === 0) return undefined;
    if (!this.#set) throw new Error("No parameters are bound to the executable");
    return this.#set.reserve(stored, stored === "optimizer" ? bytes : Math.max(bytes, this.#set.layout.bytes));
  }

  async #prepareIfStale(): Promise<void> {
    if (this.program.prepare.length === 0) return;
    const version = this.#set?.version ?? 0;
    if (this.#preparedVersion === version) return;
    await this.#run(this.#prepare);
    this.#preparedVersion = version;
  }

  async #runStep(): Promise<void> {
    await this.#run(this.#step);
    const changes = this.program.step.some((launch) =>
      launch.bindings.some(({ segment, access }) => segment === "parameters" && access !== "read"),
    );
    if (changes) this.#set!.changed();
  }

  async #run(list: Pointer): Promise<void> {
    const { runtime, pool } = this.#context;
    if ((await runtime.run(pool, list)) !== 0) throw new Error("A segment of the program has no memory");
  }

  #outputBytes(): Uint8Array {
    return this.#memory.get("outputs")?.view() ?? new Uint8Array(0);
  }

  /** Saves the last run's outputs for whoever still holds that submission. */
  #keepLast(): void {
    this.#last?.deref()?.keep(this.#outputBytes());
    this.#last = undefined;
  }
}

/** A native launch list. */
function launchList(launches: readonly Launch[], kernels: readonly Pointer[], runtime: NativeRuntime): Pointer {
  const program = runtime.programCreate(segmentNames.length);
  if (program === null) throw new Error("Out of memory for a launch list");
  for (const { kernel, bindings, integers, floats, units, cost } of launches) {
    const added = runtime.programAdd(
      program,
      kernels[kernel]!,
      bindings.length,
      Int32Array.from(bindings, ({ segment }) => segmentNames.indexOf(segment)),
      BigInt64Array.from(bindings, ({ offset }) => BigInt(offset)),
      BigInt64Array.from(bindings, ({ bytes }) => BigInt(bytes)),
      Int32Array.from(bindings, ({ access }) => accessKind[access]),
      Int32Array.from(bindings, ({ dtype }) => (dtype === "f32" ? elementKind.f32 : elementKind.other)),
      integers.length,
      BigInt64Array.from(integers, BigInt),
      floats.length,
      Float32Array.from(floats),
      units,
      cost,
    );
    if (added < 0) {
      runtime.programDestroy(program);
      throw new Error("Out of memory for a launch list");
    }
  }
  return program;
}
