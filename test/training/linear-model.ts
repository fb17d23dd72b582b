/**
 * A model and a device small enough to be written by hand, for tests of the training runtime: y = weight . x + bias, after a frozen
 * scale, with noise drawn from seed, step and row so that a wrong scalar shows in the result.
 */

import type { Program } from "../../codegen/program.js";
import type { Device, Executable, ParameterSet, Submission, TensorData } from "../../runtime/device.js";
import { type DataSource, memorySource } from "../../runtime/training/data.js";
import { statesInOrder, type TrainingPrograms } from "../../runtime/training/programs.js";
import { word } from "../../runtime/training/random.js";
import type {
  EntryPoint,
  InputSpec,
  Model,
  OptimizerSpec,
  ParameterSpec,
  TrainingStage,
} from "../../src/build/model.js";
import { parameterLayout } from "../../src/build/parameter-layout.js";
import { elementCount } from "../../src/graph/shape.js";
import { optimizerStates } from "../../src/optimizers/states.js";
import type { ScalarName } from "../../src/primitives/names.js";

const span = { file: "linear.weft", start: 0, end: 0 };
export const features = 3;

const input = (name: string, dtype: InputSpec["dtype"], shape: readonly number[]): InputSpec => ({
  name,
  dtype,
  shape,
  perInstance: true,
  tokens: false,
});

const parameters: readonly ParameterSpec[] = [
  {
    path: "frozen.scale",
    dtype: "f32",
    shape: [],
    initializer: { kind: "constant", value: 2 },
    storage: "frozen",
    span,
  },
  { path: "head.bias", dtype: "f32", shape: [], initializer: { kind: "zeros" }, storage: "param", span },
  {
    path: "head.weight",
    dtype: "f32",
    shape: [features],
    initializer: { kind: "normal", std: 1 },
    storage: "param",
    span,
  },
  { path: "shift.value", dtype: "f32", shape: [], initializer: { kind: "zeros" }, storage: "param", span },
];

export const adamw: OptimizerSpec = {
  kind: "adamw",
  learningRate: 0.05,
  momentum: 0,
  beta1: 0.9,
  beta2: 0.99,
  epsilon: 1e-8,
  weightDecay: 0.01,
};

export const baseStage: TrainingStage = {
  kind: "train",
  name: "base",
  on: "loss",
  update: ["head"],
  optimizer: adamw,
  schedule: { kind: "cosine", warmup: 5, from: 0, final: 0.1 },
  batch: 4,
  accumulate: 1,
  steps: 40,
  data: [{ name: "points", weight: 1 }],
  where: [],
  recompute: false,
  span,
};

/** A model with the given stages; without any, one that trains the head. */
export function linearModel(changes: Partial<Model> = {}): Model {
  const entry = (name: string): EntryPoint => ({
    name,
    inputs: [input("x", "f32", [features]), input("y", "f32", [])],
    outputs: [{ name: "output", dtype: "f32", shape: [] }],
    graph: undefined as never,
    behindDerivatives: new Map(),
    span,
  });
  return {
    name: "Linear",
    file: "linear.weft",
    settings: { features },
    parameters,
    adaptations: [],
    entryPoints: ["loss"],
    entryPoint: entry,
    stages: [baseStage],
    collections: [],
    samplings: [],
    evaluations: [],
    ...changes,
  };
}

/** y = 1 x0 - 2 x1 + 0.5 x2 + 3, with a label for filters. */
export function points(name = "points", rows = 37): DataSource {
  const x = Float32Array.from({ length: rows * features }, (_, index) => (word(1, 2, index) / 2 ** 32) * 2 - 1);
  const y = Float32Array.from(
    { length: rows },
    (_, row) => x[3 * row]! - 2 * x[3 * row + 1]! + 0.5 * x[3 * row + 2]! + 3,
  );
  return memorySource(
    name,
    { x: { dtype: "f32", shape: [features], data: x }, y: { dtype: "f32", shape: [], data: y } },
    { kind: Array.from({ length: rows }, (_, row) => (row % 3 === 0 ? "third" : "other")) },
  );
}

export interface FakeOptions {
  readonly threads?: number;
  /** Milliseconds that a run takes. */
  readonly delay?: number;
}

/** Counts what happened on a fake device. */
export interface FakeDevice extends TrainingPrograms {
  readonly log: {
    deepest: number;
    submissions: number;
    sets: number;
    freedSets: number;
    executables: number;
    freedExecutables: number;
  };
}

export function fakePrograms(model: Model, options: FakeOptions = {}): FakeDevice {
  const layout = parameterLayout(model.parameters);
  const log = { deepest: 0, submissions: 0, sets: 0, freedSets: 0, executables: 0, freedExecutables: 0 };
  const updatedBy = (stage: TrainingStage): string[] =>
    model.parameters
      .filter(({ path, storage }) => storage === "param" && stage.update.some((top) => path.startsWith(top)))
      .map(({ path }) => path);
  const stateNames = (stage: TrainingStage): readonly string[] => optimizerStates(stage.optimizer, stage.ema);
  const make = (purpose: Purpose, batch: number, states: number): Executable => {
    log.executables++;
    return new LinearExecutable(purpose, batch, states * layout.bytes, layout.bytes, options.delay ?? 0, log);
  };
  return {
    log,
    layout,
    identity: { source: "source", schedules: "none", threads: options.threads ?? 2 },
    async parameters() {
      log.sets++;
      return new MemorySet(layout, () => log.freedSets++);
    },
    async step(stage) {
      return make({ kind: "train", stage, updated: updatedBy(stage) }, stage.batch, stateNames(stage).length);
    },
    async accumulate(stage) {
      return make({ kind: "accumulate", stage, updated: updatedBy(stage) }, stage.batch, 0);
    },
    states: (stage) => statesInOrder(stateNames(stage), layout, updatedBy(stage)),
    async evaluate(_entry, batch) {
      return make({ kind: "evaluate" }, batch, 0);
    },
  };
}

class MemorySet implements ParameterSet {
  readonly bytes: Record<"parameters" | "gradients" | "optimizer", Uint8Array>;
  constructor(
    readonly layout: ParameterSet["layout"],
    private readonly freed: () => void,
  ) {
    this.bytes = {
      parameters: new Uint8Array(layout.bytes),
      gradients: new Uint8Array(layout.bytes),
      optimizer: new Uint8Array(),
    };
  }
  view(segment: "parameters" | "gradients" | "optimizer", path: string, state = 0): Float32Array {
    const place = this.layout.places.find((candidate) => candidate.path === path)!;
    return new Float32Array(
      this.bytes[segment].buffer,
      state * this.layout.bytes + place.offset,
      elementCount(place.shape),
    );
  }
  async write(path: string, data: TensorData): Promise<void> {
    this.view("parameters", path).set(data);
  }
  async read(path: string): Promise<TensorData> {
    return this.view("parameters", path).slice();
  }
  async readSegment(segment: "parameters" | "gradients" | "optimizer"): Promise<Uint8Array> {
    return this.bytes[segment].slice();
  }
  async writeSegment(segment: "parameters" | "gradients" | "optimizer", bytes: Uint8Array): Promise<void> {
    this.bytes[segment] = bytes.slice();
  }
  free(): void {
    this.freed();
  }
}

type Purpose =
  | { readonly kind: "train" | "accumulate"; readonly stage: TrainingStage; readonly updated: readonly string[] }
  | { readonly kind: "evaluate" };

type Inputs = Readonly<Record<string, TensorData>>;
type Scalars = Readonly<Partial<Record<ScalarName, number>>>;

class LinearExecutable implements Executable {
  readonly program: Program;
  private set!: MemorySet;
  private last: Promise<unknown> = Promise.resolve();
  private inFlight = 0;

  constructor(
    private readonly purpose: Purpose,
    private readonly batch: number,
    private readonly optimizerBytes: number,
    gradientBytes: number,
    private readonly delay: number,
    private readonly log: FakeDevice["log"],
  ) {
    const place = (name: string, shape: readonly number[]) => ({ name, dtype: "f32" as const, shape, offset: 0 });
    const accumulates = purpose.kind !== "evaluate" && purpose.stage.accumulate > 1;
    this.program = {
      segments: { optimizer: optimizerBytes, gradients: purpose.kind === "evaluate" ? 0 : gradientBytes },
      inputs: [
        place("x", [batch, features]),
        place("y", [batch]),
        place("instance_weight", [batch]),
        ...(accumulates ? [place("micro_batch", [])] : []),
      ],
      outputs:
        purpose.kind === "evaluate" ? [place("output", [batch])] : [place("loss", []), place("gradient_norm", [])],
    } as unknown as Program;
  }

  bind(set: ParameterSet): void {
    this.set = set as MemorySet;
    if (this.set.bytes.optimizer.length < this.optimizerBytes)
      this.set.bytes.optimizer = new Uint8Array(this.optimizerBytes);
  }

  submit(inputs: Inputs, scalars: Scalars = {}): Submission {
    this.log.submissions++;
    this.log.deepest = Math.max(this.log.deepest, ++this.inFlight);
    const run = this.last.then(async () => {
      if (this.delay > 0) await new Promise((resolve) => setTimeout(resolve, this.delay));
      const outputs = this.run(inputs, scalars);
      this.inFlight--;
      return outputs;
    });
    this.last = run.catch(() => undefined);
    const submission: Submission = {
      done: run.then(() => undefined),
      output: (output) => ({ device: undefined as unknown as Device, submission, output }),
      read: async (names) =>
        Object.fromEntries(await run.then((outputs) => names.map((name) => [name, outputs[name]!]))) as never,
    };
    return submission;
  }

  async firstNonFinite(inputs: Inputs): Promise<string | undefined> {
    if (this.set.bytes.parameters.length > 0 && !this.set.view("parameters", "head.weight").every(Number.isFinite))
      return "spoilt head.weight";
    return Object.values(inputs).some((values) => !values.every(Number.isFinite)) ? "loss at linear.weft:3" : undefined;
  }

  async profile(): Promise<never[]> {
    return [];
  }

  free(): void {
    this.log.freedExecutables++;
  }

  private run(inputs: Inputs, scalars: Scalars): Record<string, TensorData> {
    const { x, y, instance_weight: weights } = inputs as Record<"x" | "y" | "instance_weight", Float32Array>;
    const [weight, bias, shift, scale] = ["head.weight", "head.bias", "shift.value", "frozen.scale"].map((path) =>
      this.set.view("parameters", path),
    );
    const gradient: Record<string, Float32Array> = {
      "head.weight": new Float32Array(features),
      "head.bias": new Float32Array(1),
      "shift.value": new Float32Array(1),
    };
    const losses = new Float32Array(this.batch);
    const total = weights.reduce((sum, value) => sum + value, 0);
    let loss = 0;
    for (let row = 0; row < this.batch; row++) {
      const noise = (word(scalars.seed!, 9, scalars.step!, scalars.row_offset! + row) / 2 ** 32 - 0.5) * 0.1;
      let predicted = bias![0]! + shift![0]!;
      for (let feature = 0; feature < features; feature++)
        predicted += scale![0]! * weight![feature]! * x[row * features + feature]!;
      const error = predicted - y[row]! + noise;
      losses[row] = error * error;
      const share = weights[row]! / total;
      loss += share * losses[row]!;
      for (let feature = 0; feature < features; feature++)
        gradient["head.weight"]![feature]! += 2 * share * error * scale![0]! * x[row * features + feature]!;
      gradient["head.bias"]![0]! += 2 * share * error;
      gradient["shift.value"]![0]! += 2 * share * error;
    }
    const { purpose } = this;
    if (purpose.kind === "evaluate") return { output: losses };
    const { accumulate } = purpose.stage;
    for (const path of purpose.updated) {
      const into = this.set.view("gradients", path);
      if (accumulate === 1 || inputs.micro_batch![0] === 0) into.fill(0);
      gradient[path]!.forEach((value, index) => {
        into[index]! += value / accumulate;
      });
    }
    if (purpose.kind === "accumulate") return { loss: Float32Array.of(loss) };
    return {
      loss: Float32Array.of(loss),
      gradient_norm: Float32Array.of(this.update(purpose.stage, purpose.updated, scalars)),
    };
  }

  /** AdamW; unlike the compiler's it does not hold back an update that is not finite, as a device without that guard would. */
  private update(stage: TrainingStage, updated: readonly string[], scalars: Scalars): number {
    const { beta1, beta2, epsilon, weightDecay } = stage.optimizer;
    const time = scalars.step! + 1;
    let square = 0;
    for (const path of updated) {
      const value = this.set.view("parameters", path);
      const gradient = this.set.view("gradients", path);
      const first = this.set.view("optimizer", path, 0);
      const second = this.set.view("optimizer", path, 1);
      const average = stage.ema === undefined ? undefined : this.set.view("optimizer", path, 2);
      for (let index = 0; index < value.length; index++) {
        square += gradient[index]! ** 2;
        first[index] = beta1 * first[index]! + (1 - beta1) * gradient[index]!;
        second[index] = beta2 * second[index]! + (1 - beta2) * gradient[index]! ** 2;
        const step = first[index]! / (1 - beta1 ** time) / (Math.sqrt(second[index]! / (1 - beta2 ** time)) + epsilon);
        value[index] = value[index]! * (1 - scalars.learning_rate! * weightDecay) - scalars.learning_rate! * step;
        if (average !== undefined) average[index] = stage.ema! * average[index]! + (1 - stage.ema!) * value[index]!;
      }
    }
    return Math.sqrt(square);
  }
}
