/// <reference types="@webgpu/types" preserve="true" />
import type { Program, SegmentName, TensorPlace } from "../../codegen/program.js";
import type { Device, Executable, ParameterSet, Submission } from "../device.js";
import { tensorBytes } from "../elements.js";
import { GivenValues, type Inputs, type Scalars, type Taken } from "../given-values.js";
import type { Line } from "../line.js";
import { type StoredSegment, storedSegments } from "../parameter-places.js";
import { RunSubmission } from "../run-submission.js";
import { segmentNames } from "../segments.js";
import type { Connection } from "./connection.js";
import { firstNonFinite } from "./finite.js";
import type { InFlight } from "./in-flight.js";
import { type EmptyBuffers, LaunchList } from "./launch-list.js";
import type { OutputCopies } from "./output-copies.js";
import { Outputs } from "./outputs.js";
import { WebGpuParameterSet } from "./parameter-set.js";
import type { Kernel, Pipelines } from "./pipelines.js";
import { launchTimes } from "./profile.js";
import type { ProgramMemory } from "./program-memory.js";
import { type Segment, wholeWords } from "./segment.js";

/** What executables share on one device. */
export interface WebGpuContext {
  readonly device: Device;
  readonly connection: Connection;
  readonly line: Line;
  readonly inFlight: InFlight;
  readonly pipelines: Pipelines;
  readonly copies: OutputCopies;
  readonly empty: EmptyBuffers;
  /** Whether outputs and scratch are filled with NaN before every run. */
  readonly poison: boolean;
  /** Called when an executable has freed its memory. */
  forget(executable: WebGpuExecutable): void;
  /** At least as much as any loaded program needs; another segment when a larger program is loaded. */
  scratch(): Segment;
}

type WebGpuSubmission = RunSubmission<Outputs>;

/** A run that was given to the GPU. */
interface Run {
  readonly outputs: Outputs;
  readonly done: Promise<void>;
}

/** What is written once and used by later runs too: an input, all scalars, what the list of preparations makes. */
type Standing = TensorPlace | "scalars" | "prepared";

/** What a run writes, each with what must go well before it is right. */
type Written = Map<Standing, Promise<void>>;

const nothing = Promise.resolve();

/** A run about to be encoded. */
interface Begun {
  readonly encoder: GPUCommandEncoder;
  readonly written: Written;
  /** A copy of the outputs of before that this run makes. */
  readonly kept: Outputs | undefined;
}

/** A program's launch lists over memory. */
export class WebGpuExecutable implements Executable {
  readonly program: Program;
  readonly #context: WebGpuContext;
  readonly #memory: ProgramMemory;
  readonly #step: LaunchList;
  readonly #prepare: LaunchList;
  readonly #outputs: ReadonlyMap<string, TensorPlace>;
  readonly #values: GivenValues<Outputs>;
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
  /** Whether the scalars' memory holds `#scalars`. */
  #scalarsStand = true;
  /** What must go well for memory to hold what it is taken to hold. */
  readonly #standing: Written = new Map();
  #freed = false;

  /** `kernels` are the program's, compiled. */
  constructor(program: Program, kernels: readonly Kernel[], memory: ProgramMemory, context: WebGpuContext) {
    this.program = program;
    this.#context = context;
    this.#memory = memory;
    const { uniform, places } = memory;
    this.#step = new LaunchList(program.step, kernels, uniform, places);
    this.#prepare = new LaunchList(program.prepare, kernels, uniform, places.slice(program.step.length));
    this.#outputs = new Map(program.outputs.map((place) => [place.name, place]));
    this.#values = new GivenValues(program, context.device);
    this.#scalars = new Uint8Array(wholeWords(program.segments.scalars));
    const written = new Set(
      program.step.flatMap(({ bindings }) =>
        bindings.filter(({ access }) => access !== "read").map(({ segment }) => segment),
      ),
    );
    this.#changes = new Set(storedSegments.filter((segment) => written.has(segment)));
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
      try {
        const { result: kept, accepted } = connection.checked("a copy of outputs", () => {
          const encoder = connection.device.createCommandEncoder();
          const kept = this.#keepLast(encoder);
          connection.queue.submit([encoder.finish()]);
          return kept;
        });
        kept?.readyAfter(accepted);
      } catch {
        // The device is gone, or there is no room for a copy: whoever reads these outputs later hears of it.
      }
      this.#memory.free();
      this.#context.forget(this);
    });
  }

  /** Moves what can still be read to the host, before the device goes. Only inside the line. */
  async leaveDevice(): Promise<void> {
    const last = this.#last?.deref();
    if (last && !last.failed) await last.memory().leaveDevice();
  }

  /** Takes over inputs, scalars and parameters now, and does `work` when it is this submission's turn, with all memory bound. */
  #enqueue<T>(inputs: Inputs, scalars: Scalars, work: (taken: Taken<Outputs>) => T | Promise<T>): Promise<T> {
    let taken: Taken<Outputs>;
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
  #start(taken: Taken<Outputs>): Run {
    const { connection, inFlight } = this.#context;
    const { pieces } = this.#step;
    const { result: begun, accepted } = connection.checked("a run of the program", () => {
      const begun = this.#begin(taken);
      let { encoder } = begun;
      let start = 0;
      for (const end of pieces.ends) {
        if (start > 0) encoder = connection.device.createCommandEncoder();
        const pass = encoder.beginComputePass();
        if (start === 0) this.#encodePrepare(pass, begun.written);
        this.#step.encode(pass, start, end);
        pass.end();
        connection.queue.submit([encoder.finish()]);
        start = end;
      }
      return begun;
    });
    begun.kept?.readyAfter(accepted);
    this.#stand(begun.written, accepted);
    if (this.#changes.has("parameters")) this.#set!.changed();
    const done = Promise.all([accepted, connection.idle(), ...this.#standing.values()]).then(() => undefined);
    inFlight.add(done, (milliseconds) => pieces.took(milliseconds));
    return { outputs: new Outputs(connection, this.#memory.of("outputs")), done };
  }

  /** Writes what was given and prepares, without running the step. */
  async #bringUp(taken: Taken<Outputs>): Promise<void> {
    const { connection } = this.#context;
    const { result: begun, accepted } = connection.checked("the inputs of a run", () => {
      const begun = this.#begin(taken);
      const { encoder } = begun;
      // What an earlier run left in scratch is nobody's output.
      for (const buffer of this.#bound.get("scratch")?.buffers ?? []) encoder.clearBuffer(buffer);
      const pass = encoder.beginComputePass();
      this.#encodePrepare(pass, begun.written);
      pass.end();
      connection.queue.submit([encoder.finish()]);
      return begun;
    });
    begun.kept?.readyAfter(accepted);
    this.#stand(begun.written, accepted);
    await Promise.all([accepted, ...this.#standing.values()]);
  }

  /** Takes note of what a run wrote. Where the GPU turns out to have refused that, it counts as never written. */
  #stand(written: Written, accepted: Promise<void>): void {
    for (const [what, source] of written) {
      const stands = Promise.all([accepted, source]).then(() => undefined);
      this.#standing.set(what, stands);
      stands.catch(() => {
        if (this.#standing.get(what) !== stands) return;
        this.#standing.delete(what);
        if (what === "scalars") this.#scalarsStand = false;
        else if (what === "prepared") this.#preparedVersion = undefined;
        else this.#values.forget(what.name);
      });
    }
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
  #begin(taken: Taken<Outputs>): Begun {
    const { connection, poison } = this.#context;
    const encoder = connection.device.createCommandEncoder();
    const written: Written = new Map();
    try {
      this.#writeGiven(taken, encoder, written);
    } catch (error) {
      // The inputs before the one that failed count as written.
      connection.queue.submit([encoder.finish()]);
      this.#stand(written, nothing);
      throw error;
    }
    const kept = this.#keepLast(encoder);
    if (!poison) return { encoder, written, kept };
    connection.queue.submit([encoder.finish()]);
    this.#memory.of("outputs").poison(connection);
    this.#bound.get("scratch")?.poison(connection);
    return { encoder: connection.device.createCommandEncoder(), written, kept };
  }

  /** Writes inputs and scalars that changed, and adds them to `written`. */
  #writeGiven(taken: Taken<Outputs>, encoder: GPUCommandEncoder, written: Written): void {
    const { connection } = this.#context;
    const inputs = this.#memory.of("inputs");
    this.#values.writeInputs(taken, (place, source) => {
      const { dtype, shape, offset } = place;
      if (source instanceof Uint8Array) {
        inputs.write(connection, offset, source);
        written.set(place, nothing);
        return;
      }
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
      written.set(place, submission.done);
    });
    const before = this.#scalars.slice();
    this.#values.writeScalars(taken, this.#scalars);
    if (this.#scalarsStand && this.#scalars.every((byte, place) => byte === before[place])) return;
    this.#memory.of("scalars").write(connection, 0, this.#scalars);
    this.#scalarsStand = true;
    written.set("scalars", nothing);
  }

  /** Encodes the list of preparations when parameters changed since it was run. */
  #encodePrepare(pass: GPUComputePassEncoder, written: Written): void {
    const version = this.#set?.version ?? 0;
    if (this.#preparedVersion === version) return;
    this.#prepare.encode(pass);
    this.#preparedVersion = version;
    written.set("prepared", nothing);
  }

  /** Makes bind groups for segments that moved or were not there yet. */
  async #bindSegments(): Promise<void> {
    const moved = new Map<SegmentName, Segment>();
    for (const name of segmentNames) {
      const segment = this.#segment(name);
      const present = segment instanceof Promise ? await segment : segment;
      if (present && this.#bound.get(name) !== present) moved.set(name, present);
    }
    if (moved.size === 0) return;
    for (const [name, segment] of moved) this.#bound.set(name, segment);
    const { connection, empty } = this.#context;
    try {
      const { accepted } = connection.checked("the bindings of a program", () => {
        for (const list of [this.#prepare, this.#step]) list.bind(connection, this.#bound, moved, empty);
      });
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
    if (!stored) return this.#memory.segments.get(name);
    if (bytes === 0) return undefined;
    if (!this.#set) throw new Error("No parameters are bound to the executable");
    const needed = stored === "optimizer" ? bytes : Math.max(bytes, this.#set.layout.bytes);
    return this.#set.held(stored, needed) ?? this.#set.reserve(stored, needed);
  }

  /** Encodes a copy of the last run's outputs for whoever still holds that submission. */
  #keepLast(encoder: GPUCommandEncoder): Outputs | undefined {
    let kept: Outputs | undefined;
    this.#last?.deref()?.keep(() => {
      kept = this.#context.copies.encodeCopy(encoder, this.#memory.of("outputs"));
      return kept;
    });
    this.#last = undefined;
    return kept;
  }
}
