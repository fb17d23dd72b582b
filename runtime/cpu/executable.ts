import type { Launch, Program, SegmentName, TensorPlace } from "../../codegen/program.js";
import type { Device, Executable, ParameterSet, Submission } from "../device.js";
import { encodedNumbers, tensorBytes } from "../elements.js";
import { GivenValues, type Inputs, type Scalars, type Taken } from "../given-values.js";
import type { Line } from "../line.js";
import { storedSegments } from "../parameter-places.js";
import { RunSubmission } from "../run-submission.js";
import { ownSegments, segmentNames } from "../segments.js";
import { NativeMemory } from "./memory.js";
import { accessKind, elementKind, type NativeRuntime, type Pointer } from "./native.js";
import { CpuParameterSet } from "./parameter-set.js";

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

type CpuSubmission = RunSubmission<() => Uint8Array>;

/** A program's launch lists over memory. */
export class CpuExecutable implements Executable {
  readonly program: Program;
  readonly #context: CpuContext;
  readonly #memory: ReadonlyMap<SegmentName, NativeMemory>;
  readonly #step: Pointer;
  readonly #prepare: Pointer;
  readonly #outputs: ReadonlyMap<string, TensorPlace>;
  readonly #values: GivenValues<() => Uint8Array>;
  /** Which memory each segment is bound to at present. */
  readonly #bound = new Map<SegmentName, Pointer>();
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
    this.#outputs = new Map(program.outputs.map((place) => [place.name, place]));
    this.#values = new GivenValues(program, context.device);
    const memory = new Map<SegmentName, NativeMemory>();
    const programs: Pointer[] = [];
    try {
      for (const name of ownSegments) {
        // Also those without a byte: tensors without elements have their places there.
        memory.set(name, new NativeMemory(context.runtime, program.segments[name], `segment ${name}`));
      }
      for (const { dtype, offset, values } of program.constants) {
        const bytes = encodedNumbers(dtype, values);
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
    set.places.require(this.program.parameters);
    this.#bindsTo = set;
  }

  submit(inputs: Inputs, scalars: Scalars = {}): Submission {
    let submission: CpuSubmission | undefined;
    const run = this.#enqueue(inputs, scalars, async () => {
      await this.#runStep();
      this.#last = submission && new WeakRef(submission);
      return () => this.#outputBytes();
    });
    const done = run.then(() => undefined);
    submission = new RunSubmission(this.#context.device, this.#outputs, { placed: run, done }, readOutputs);
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
    let taken: Taken<() => Uint8Array>;
    const set = this.#bindsTo;
    try {
      if (this.#freed) throw new Error("The executable was freed");
      taken = this.#values.take(inputs, scalars);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#context.line.enqueue(async () => {
      this.#keepLast();
      if (this.#set !== set) this.#preparedVersion = undefined;
      this.#set = set;
      this.#bindSegments();
      this.#values.writeInputs(taken, ({ dtype, shape, offset }, source) => {
        // The line is the device's, so the submission that makes the tensor is over.
        const bytes =
          source instanceof Uint8Array
            ? source
            : tensorIn(source.submission.memory()(), source.submission.place(source.output));
        this.#memory.get("inputs")!.view(offset, tensorBytes(dtype, shape)).set(bytes);
      });
      this.#values.writeScalars(taken, this.#memory.get("scalars")!.view());
      if (this.#context.poison) {
        // All bits set are a NaN, and -1.
        this.#memory.get("outputs")?.view().fill(0xff);
        this.#context.scratch()?.view().fill(0xff);
      }
      await this.#prepareIfStale();
      return work();
    });
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
    this.#last?.deref()?.keep(() => {
      const copy = this.#outputBytes().slice();
      return () => copy;
    });
    this.#last = undefined;
  }
}

const tensorIn = (outputs: Uint8Array, { dtype, shape, offset }: TensorPlace): Uint8Array =>
  outputs.subarray(offset, offset + tensorBytes(dtype, shape));

async function readOutputs(memory: () => Uint8Array, places: readonly TensorPlace[]): Promise<readonly Uint8Array[]> {
  return places.map((place) => tensorIn(memory(), place).slice());
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
