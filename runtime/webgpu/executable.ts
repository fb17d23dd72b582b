/// <reference types="@webgpu/types" preserve="true" />
import type { Program, SegmentName, TensorPlace } from "../../codegen/program.js";
import type { Device, Executable, ParameterSet, Submission } from "../device.js";
import { encoded, tensorBytes } from "../elements.js";
import { GivenValues, type Inputs, type Scalars, type Taken } from "../given-values.js";
import type { Line } from "../line.js";
import { type StoredSegment, storedSegments } from "../parameter-places.js";
import { RunSubmission } from "../run-submission.js";
import { segmentNames } from "../validate.js";
import { packArguments } from "./arguments.js";
import { chunkStarts } from "./chunks.js";
import type { Connection } from "./connection.js";
import { firstNonFinite } from "./finite.js";
import type { InFlight } from "./in-flight.js";
import { type EmptyBuffers, LaunchList } from "./launch-list.js";
import type { OutputCopies } from "./output-copies.js";
import { Outputs } from "./outputs.js";
import { WebGpuParameterSet } from "./parameter-set.js";
import type { Kernel, Pipelines } from "./pipelines.js";
import { launchTimes } from "./profile.js";
import { Segment, wholeWords } from "./segment.js";
import { bufferUsage } from "./usage.js";

/** What executables share on one device. */
export interface WebGpuContext {
  readonly device: Device;
  readonly connection: Connection;
  readonly line: Line;
  readonly inFlight: InFlight;
  readonly pipelines: Pipelines;
  readonly copies: OutputCopies;
  readonly empty: EmptyBuffers;
  readonly bytesPerBinding: number;
  /** Whether outputs and scratch are filled with NaN before every run. */
  readonly poison: boolean;
  /** Called when an executable has freed its memory. */
  forget(executable: WebGpuExecutable): void;
  /** At least as much as any loaded program needs; another segment when a larger program is loaded. */
  scratch(): Segment;
}

const ownSegments = ["prepared", "constants", "inputs", "outputs", "scalars"] as const;

type WebGpuSubmission = RunSubmission<Outputs>;

/** A run that was given to the GPU. */
interface Run {
  readonly outputs: Outputs;
  readonly done: Promise<void>;
}

/** A run about to be encoded. */
interface Begun {
  readonly encoder: GPUCommandEncoder;
  /** What must go well for the inputs to be right. */
  readonly sources: readonly Promise<void>[];
  /** A copy of the outputs of before that this run makes. */
  readonly kept: Outputs | undefined;
}

/** A program's launch lists over memory. */
export class WebGpuExecutable implements Executable {
  readonly program: Program;
  readonly #context: WebGpuContext;
  readonly #memory: ReadonlyMap<SegmentName, Segment>;
  readonly #uniform: GPUBuffer;
  readonly #step: LaunchList;
  readonly #prepare: LaunchList;
  readonly #outputs: ReadonlyMap<string, TensorPlace>;
  readonly #values: GivenValues<WebGpuSubmission>;
  readonly #scalars: Uint8Array;
  /** Segments that the step changes and that outlive it. */
  readonly #changes: ReadonlySet<StoredSegment>;
  /** Which segments the bind groups hold at present. */
  readonly #bound = new Map<SegmentName, Segment>();
  /** What later submissions are bound to, and what the one whose turn it is was. */
  #bindsTo: WebGpuParameterSet | undefined;
  #set: WebGpuParameterSet | undefined;
  /** Whose outputs stand in the output memory. */
  #last: WeakRef<WebGpuSubmission> | undefined;
  #preparedVersion: number | undefined;
  #freed = false;

  private constructor(
    program: Program,
    kernels: readonly Kernel[],
    context: WebGpuContext,
    memory: ReadonlyMap<SegmentName, Segment>,
    uniform: GPUBuffer,
    places: ReturnType<typeof packArguments>["places"],
  ) {
    this.program = program;
    this.#context = context;
    this.#memory = memory;
    this.#uniform = uniform;
    this.#step = new LaunchList(program.step, kernels, uniform, places);
    this.#prepare = new LaunchList(program.prepare, kernels, uniform, places.slice(program.step.length));
    this.#outputs = new Map(program.outputs.map((place) => [place.name, place]));
    this.#values = new GivenValues(program, ({ device, submission }) =>
      device === context.device && submission instanceof RunSubmission ? submission : undefined,
    );
    this.#scalars = new Uint8Array(wholeWords(program.segments.scalars));
    const written = new Set(
      program.step.flatMap(({ bindings }) =>
        bindings.filter(({ access }) => access !== "read").map(({ segment }) => segment),
      ),
    );
    this.#changes = new Set(storedSegments.filter((segment) => written.has(segment)));
  }

  /** `kernels` are the program's, compiled. Rejects with an Error when memory is short. */
  static async create(program: Program, kernels: readonly Kernel[], context: WebGpuContext): Promise<WebGpuExecutable> {
    const { connection, bytesPerBinding } = context;
    const memory = new Map<SegmentName, Segment>();
    const { bytes, places } = packArguments([...program.step, ...program.prepare]);
    let uniform: GPUBuffer | undefined;
    try {
      for (const name of ownSegments) {
        const size = program.segments[name];
        const starts = chunkStarts(name, size, program.parameters, bytesPerBinding);
        memory.set(name, await Segment.allocate(connection, name, size, starts));
      }
      const { accepted } = connection.checked("arguments and constants of a program", () => {
        uniform = connection.device.createBuffer({
          label: "arguments",
          size: Math.max(16, bytes.length),
          usage: bufferUsage.uniform | bufferUsage.copyDestination,
        });
        connection.queue.writeBuffer(uniform, 0, bytes);
        for (const { dtype, offset, values } of program.constants) {
          const array =
            dtype === "i32" ? Int32Array : dtype === "u32" ? Uint32Array : dtype === "bool" ? Uint8Array : Float32Array;
          const contents = encoded("A constant", dtype, [values.length], array.from(values));
          memory.get("constants")!.write(connection, offset, contents);
        }
      });
      await accepted;
      return new WebGpuExecutable(program, kernels, context, memory, uniform!, places);
    } catch (error) {
      for (const segment of memory.values()) segment.free();
      uniform?.destroy();
      throw error;
    }
  }

  bind(set: ParameterSet): void {
    if (!(set instanceof WebGpuParameterSet) || !set.belongsTo(this.#context.connection))
      throw new Error("The parameters belong to another device");
    set.places.require(this.program.parameters);
    this.#bindsTo = set;
  }

  submit(inputs: Inputs, scalars: Scalars = {}): Submission {
    let submission: WebGpuSubmission | undefined;
    const run = this.#enqueue(inputs, scalars, (taken) => {
      const started = this.#start(taken);
      this.#last = submission && new WeakRef(submission);
      return started;
    });
    const placed = run.then(({ outputs }) => outputs);
    const done = run.then((started) => started.done);
    submission = new RunSubmission(this.#context.device, this.#outputs, { placed, done }, (outputs, places) =>
      outputs.read(places),
    );
    return submission;
  }

  firstNonFinite(inputs: Inputs, scalars: Scalars = {}): Promise<string | undefined> {
    return this.#enqueue(inputs, scalars, async (taken) => {
      await this.#bringUp(taken);
      const { connection, pipelines } = this.#context;
      const found = await this.#leavingState(() => firstNonFinite(connection, pipelines, this.#step, this.#bound));
      return found === undefined ? undefined : this.program.step[found]!.label;
    });
  }

  profile(): Promise<readonly { readonly label: string; readonly nanoseconds: number }[]> {
    return this.#enqueue({}, {}, async (taken) => {
      await this.#bringUp(taken);
      const times = await this.#leavingState(() => launchTimes(this.#context.connection, this.#step));
      return this.program.step.map(({ label }, place) => ({ label, nanoseconds: times[place]! }));
    });
  }

  free(): void {
    if (this.#freed) return;
    this.#freed = true;
    const { connection, line } = this.#context;
    line.afterAll(() => {
      if (connection.alive) {
        const { result: kept, accepted } = connection.checked("a copy of outputs", () => {
          const encoder = connection.device.createCommandEncoder();
          const kept = this.#keepLast(encoder);
          connection.queue.submit([encoder.finish()]);
          return kept;
        });
        kept?.readyAfter(accepted);
      }
      for (const segment of this.#memory.values()) segment.free();
      this.#uniform.destroy();
      this.#context.forget(this);
    });
  }

  /** Moves what can still be read to the host, before the device goes. Only inside the line. */
  async leaveDevice(): Promise<void> {
    const last = this.#last?.deref();
    if (last && !last.failed) await last.memory().leaveDevice();
  }

  /** Takes over inputs, scalars and parameters now, and does `work` when it is this submission's turn, with all memory bound. */
  #enqueue<T>(inputs: Inputs, scalars: Scalars, work: (taken: Taken<WebGpuSubmission>) => T | Promise<T>): Promise<T> {
    let taken: Taken<WebGpuSubmission>;
    const set = this.#bindsTo;
    try {
      if (this.#freed) throw new Error("The executable was freed");
      taken = this.#values.take(inputs, scalars);
    } catch (error) {
      return Promise.reject(error);
    }
    const { connection, inFlight, line } = this.#context;
    return line.enqueue(async () => {
      await inFlight.turn();
      connection.requireAlive();
      if (this.#set !== set) this.#preparedVersion = undefined;
      this.#set = set;
      await this.#bindSegments();
      return work(taken);
    });
  }

  /** Gives one run to the GPU. */
  #start(taken: Taken<WebGpuSubmission>): Run {
    const { connection, inFlight } = this.#context;
    const { pieces } = this.#step;
    const { result: begun, accepted } = connection.checked("a run of the program", () => {
      const begun = this.#begin(taken);
      let { encoder } = begun;
      let start = 0;
      for (const end of pieces.ends) {
        if (start > 0) encoder = connection.device.createCommandEncoder();
        const pass = encoder.beginComputePass();
        if (start === 0) this.#encodePrepare(pass);
        this.#step.encode(pass, start, end);
        pass.end();
        connection.queue.submit([encoder.finish()]);
        start = end;
      }
      return begun;
    });
    begun.kept?.readyAfter(accepted);
    if (this.#changes.has("parameters")) this.#set!.changed();
    const done = Promise.all([accepted, connection.idle(), ...begun.sources]).then(() => undefined);
    done.catch(() => {
      this.#preparedVersion = undefined;
    });
    inFlight.add(done, (milliseconds) => pieces.took(milliseconds));
    return { outputs: new Outputs(connection, this.#memory.get("outputs")!), done };
  }

  /** Writes what was given and prepares, without running the step. */
  async #bringUp(taken: Taken<WebGpuSubmission>): Promise<void> {
    const { connection } = this.#context;
    const { result: begun, accepted } = connection.checked("the inputs of a run", () => {
      const begun = this.#begin(taken);
      const { encoder } = begun;
      // What an earlier run left in scratch is nobody's output.
      for (const buffer of this.#bound.get("scratch")?.buffers ?? []) encoder.clearBuffer(buffer);
      const pass = encoder.beginComputePass();
      this.#encodePrepare(pass);
      pass.end();
      connection.queue.submit([encoder.finish()]);
      return begun;
    });
    begun.kept?.readyAfter(accepted);
    await Promise.all([accepted, ...begun.sources]);
  }

  /** Does `work`, and gives the parameters and the optimiser their state of before back. */
  async #leavingState<T>(work: () => Promise<T>): Promise<T> {
    const before = await this.#set?.snapshot(this.#changes);
    try {
      return await work();
    } finally {
      if (before) await this.#set!.restore(before);
    }
  }

  /** Writes what was given and saves the outputs of before, so that a run may be encoded. Throws an Error for an input without a value. */
  #begin(taken: Taken<WebGpuSubmission>): Begun {
    const { connection, poison } = this.#context;
    const encoder = connection.device.createCommandEncoder();
    const sources = this.#writeGiven(taken, encoder);
    const kept = this.#keepLast(encoder);
    if (!poison) return { encoder, sources, kept };
    connection.queue.submit([encoder.finish()]);
    this.#memory.get("outputs")!.poison(connection);
    this.#bound.get("scratch")?.poison(connection);
    return { encoder: connection.device.createCommandEncoder(), sources, kept };
  }

  /** Writes inputs and scalars that changed. Returns what must have gone well for the inputs to be right. */
  #writeGiven(taken: Taken<WebGpuSubmission>, encoder: GPUCommandEncoder): readonly Promise<void>[] {
    const { connection } = this.#context;
    const sources: Promise<void>[] = [];
    const inputs = this.#memory.get("inputs")!;
    this.#values.writeInputs(taken, ({ dtype, shape, offset }, source) => {
      if (source instanceof Uint8Array) return inputs.write(connection, offset, source);
      const { submission, output } = source;
      // The line is the device's, so the submission that makes the tensor was given to the GPU before.
      const from = submission.memory().segment.ranges(submission.place(output).offset, tensorBytes(dtype, shape));
      for (const [number, to] of inputs.ranges(offset, tensorBytes(dtype, shape)).entries()) {
        encoder.copyBufferToBuffer(
          from[number]!.buffer,
          from[number]!.offset,
          to.buffer,
          to.offset,
          wholeWords(to.size),
        );
      }
      sources.push(submission.done);
    });
    const before = this.#scalars.slice();
    this.#values.writeScalars(taken, this.#scalars);
    if (this.#scalars.some((byte, place) => byte !== before[place])) {
      this.#memory.get("scalars")!.write(connection, 0, this.#scalars);
    }
    return sources;
  }

  /** Encodes the list of preparations when parameters changed since it was run. */
  #encodePrepare(pass: GPUComputePassEncoder): void {
    const version = this.#set?.version ?? 0;
    if (this.#preparedVersion === version) return;
    this.#prepare.encode(pass);
    this.#preparedVersion = version;
  }

  /** Makes bind groups for segments that moved or were not there yet. */
  async #bindSegments(): Promise<void> {
    const moved = new Set<SegmentName>();
    for (const name of segmentNames) {
      const segment = this.#segment(name);
      const present = segment instanceof Promise ? await segment : segment;
      if (!present || this.#bound.get(name) === present) continue;
      this.#bound.set(name, present);
      moved.add(name);
    }
    if (moved.size === 0) return;
    const { connection, empty } = this.#context;
    const { accepted } = connection.checked("the bindings of a program", () => {
      for (const list of [this.#prepare, this.#step]) list.bind(connection, this.#bound, moved, empty);
    });
    try {
      await accepted;
    } catch (error) {
      // So that they are made anew.
      this.#bound.clear();
      throw error;
    }
  }

  #segment(name: SegmentName): Segment | undefined | Promise<Segment> {
    const bytes = this.program.segments[name];
    if (name === "scratch") return bytes > 0 ? this.#context.scratch() : undefined;
    const stored = storedSegments.find((segment) => segment === name);
    if (!stored) return this.#memory.get(name);
    if (bytes === 0) return undefined;
    if (!this.#set) throw new Error("No parameters are bound to the executable");
    const needed = stored === "optimizer" ? bytes : Math.max(bytes, this.#set.layout.bytes);
    return this.#set.held(stored, needed) ?? this.#set.reserve(stored, needed);
  }

  /** Encodes a copy of the last run's outputs for whoever still holds that submission. */
  #keepLast(encoder: GPUCommandEncoder): Outputs | undefined {
    let kept: Outputs | undefined;
    this.#last?.deref()?.keep(() => {
      kept = this.#context.copies.encodeCopy(encoder, this.#memory.get("outputs")!);
      return kept;
    });
    this.#last = undefined;
    return kept;
  }
}
