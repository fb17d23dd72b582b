import { microBatchName } from "../../src/optimizers/accumulate.js";
import type { ScalarName } from "../../src/primitives/names.js";
import type { Executable, TensorData } from "../device.js";
import { trainingOrder } from "./order.js";
import { inputsOf } from "./pieces.js";
import { prefetch } from "./prefetch.js";
import type { PreparedStage } from "./prepare.js";
import { gradientNormOutput, lossOutput, type StagePrograms } from "./programs.js";
import { learningRate } from "./schedule.js";

/** One submission of a step; without accumulation a step has only one. */
export interface StepPart {
  readonly step: number;
  /** Whether the step's update happens here. */
  readonly isLast: boolean;
  readonly executable: Executable;
  readonly inputs: Readonly<Record<string, TensorData>>;
  readonly scalars: Readonly<Record<ScalarName, number>>;
}

/** A step whose numbers have come back. */
export interface FinishedStep {
  /** From 0. */
  readonly step: number;
  readonly loss: number;
  readonly gradientNorm: number;
  readonly learningRate: number;
}

/** The submissions of steps `first` to `end`, in order; a pure function of the stage and the seed. The next ones are prepared ahead. */
export function stepParts(
  { stage, parts, binding }: PreparedStage,
  programs: StagePrograms,
  seed: number,
  first: number,
  end: number,
): { next(): Promise<StepPart> } {
  const order = trainingOrder(parts, seed);
  const make = async (index: number): Promise<StepPart> => {
    const step = Math.floor(index / stage.accumulate);
    const part = index % stage.accumulate;
    const isLast = part === stage.accumulate - 1;
    const executable = isLast ? programs.step : programs.accumulate!;
    const batch = await binding.assemble(order.take(index * stage.batch, stage.batch), stage.batch);
    const rate = learningRate(stage.optimizer, stage.schedule, step, stage.steps);
    const scalars = { seed, step, learning_rate: rate, row_offset: part * stage.batch };
    const inputs = inputsOf(executable, { ...batch.inputs, [microBatchName]: Int32Array.of(part) });
    return { step, isLast, executable, inputs, scalars };
  };
  return prefetch(make, first * stage.accumulate, end * stage.accumulate);
}

/** Runs steps with two submissions in flight; what they give is read as it comes. */
export interface StepPipeline {
  /** Submits the next step; calls `finish` for steps that are over by then. */
  submitStep(): Promise<void>;
  /** Waits until every submitted step is finished. */
  drain(): Promise<void>;
  /** Waits until nothing runs any more, whatever became of it. */
  abandon(): Promise<void>;
}

interface InFlight {
  readonly part: StepPart;
  readonly values: Promise<Readonly<Record<string, TensorData>>>;
}

const deepest = 2;

export function stepPipeline(
  prepared: PreparedStage,
  programs: StagePrograms,
  seed: number,
  first: number,
  end: number,
  finish: (step: FinishedStep) => void,
): StepPipeline {
  const feed = stepParts(prepared, programs, seed, first, end);
  const inFlight: InFlight[] = [];
  let lossOfParts = 0;

  const collect = async (): Promise<void> => {
    const { part, values } = inFlight[0]!;
    const read = await values;
    inFlight.shift();
    lossOfParts += read[lossOutput]![0]!;
    if (!part.isLast) return;
    const loss = lossOfParts / prepared.stage.accumulate;
    lossOfParts = 0;
    finish({
      step: part.step,
      loss,
      gradientNorm: read[gradientNormOutput]![0]!,
      learningRate: part.scalars.learning_rate,
    });
  };

  return {
    async submitStep() {
      for (let isLast = false; !isLast; ) {
        const part = await feed.next();
        isLast = part.isLast;
        while (inFlight.length >= deepest) await collect();
        const names = isLast ? [lossOutput, gradientNormOutput] : [lossOutput];
        // Reading is asked for at once, so that the copy happens before a later run can touch the outputs.
        const values = part.executable.submit(part.inputs, part.scalars).read(names);
        values.catch(() => undefined);
        inFlight.push({ part, values });
      }
    },
    async drain() {
      while (inFlight.length > 0) await collect();
    },
    async abandon() {
      await Promise.allSettled(inFlight.splice(0).map(({ values }) => values));
    },
  };
}
