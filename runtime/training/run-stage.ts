import type { Executable, ParameterSet } from "../device.js";
import type { Tensor } from "../tensors/tensor.js";
import {
  checkpointPath,
  isCheckpointDue,
  loadCheckpoint,
  type StageFiles,
  type StageState,
  saveCheckpoint,
  saveFinal,
} from "./checkpoint.js";
import { evaluate } from "./evaluate.js";
import type { TrainingReport } from "./events.js";
import { openMetrics } from "./metrics.js";
import { explainNonFinite, NonFiniteValue } from "./nonfinite.js";
import type { Outcome, TrainingOptions } from "./options.js";
import type { PreparedEvaluation, PreparedStage } from "./prepare.js";
import { averageState, type StagePrograms } from "./programs.js";
import { checkStates, readParameters, readStates, writeStageState } from "./state.js";
import { type FinishedStep, stepPipeline } from "./steps.js";

export interface StageRun {
  readonly options: TrainingOptions;
  readonly prepared: PreparedStage;
  readonly files: StageFiles;
  /** Holds the stage's result at the end. */
  readonly set: ParameterSet;
  /** Writes what the stage starts from to `set`. */
  readonly restart: () => Promise<void>;
  readonly report: TrainingReport;
  readonly warn: (text: string) => void;
}

interface LoadedEvaluation extends PreparedEvaluation {
  readonly executable: Executable;
}

/** Trains one stage from its last checkpoint, or its start, to its end, or until the run is aborted. */
export async function runStage(run: StageRun): Promise<Outcome> {
  const { options, files, set } = run;
  const { stage } = run.prepared;
  const step = await options.programs.step(stage);
  const executables = [step];
  try {
    const programs: StagePrograms =
      stage.accumulate > 1 ? { step, accumulate: await options.programs.accumulate(stage) } : { step };
    if (programs.accumulate !== undefined) executables.push(programs.accumulate);
    const evaluations: LoadedEvaluation[] = [];
    for (const evaluation of run.prepared.evaluations) {
      const executable = await options.programs.evaluate(evaluation.spec.on, evaluation.spec.batch);
      executables.push(executable);
      evaluations.push({ ...evaluation, executable });
    }
    for (const executable of executables) executable.bind(set);
    await run.restart();
    checkStates(step, files.states, stage.ema !== undefined);
    const checkpoint = await loadCheckpoint(options.host, files, run.warn);
    await writeStageState(set, step, files.updated, files.states, checkpoint);
    return await trainSteps(run, programs, evaluations, checkpoint);
  } finally {
    for (const executable of executables) executable.free();
  }
}

async function trainSteps(
  run: StageRun,
  programs: StagePrograms,
  evaluations: readonly LoadedEvaluation[],
  checkpoint: StageState | undefined,
): Promise<Outcome> {
  const { options, files, set, report } = run;
  const { host } = options;
  const { stage } = run.prepared;
  const first = checkpoint?.step ?? 0;
  const secondsBefore = checkpoint?.seconds ?? 0;
  const started = host.now();
  const metrics = await openMetrics(host, files.folder, first);
  report({ kind: "stage", stage: stage.name, step: first, steps: stage.steps });

  let lastFinished = started;
  const finish = (finished: FinishedStep): void => {
    if (!Number.isFinite(finished.loss) || !Number.isFinite(finished.gradientNorm)) throw new NonFiniteValue(finished);
    const now = host.now();
    const done = finished.step + 1;
    const examplesPerSecond = (stage.batch * stage.accumulate) / Math.max(now - lastFinished, 1e-9);
    lastFinished = now;
    const { loss, gradientNorm, learningRate } = finished;
    metrics.write({
      step: done,
      loss,
      gradient_norm: gradientNorm,
      learning_rate: learningRate,
      seconds: secondsBefore + now - started,
      examples_per_second: examplesPerSecond,
    });
    const secondsLeft = ((now - started) / (done - first)) * (stage.steps - done);
    report({
      kind: "step",
      stage: stage.name,
      step: done,
      steps: stage.steps,
      loss,
      gradientNorm,
      learningRate,
      examplesPerSecond,
      secondsLeft,
    });
  };

  const pipeline = stepPipeline(run.prepared, programs, options.seed, first, stage.steps, finish);
  const results: Record<string, Readonly<Record<string, number>>> = {};
  const measure = async (due: readonly LoadedEvaluation[], done: number): Promise<void> => {
    if (due.length === 0) return;
    await withAverage(run, async () => {
      for (const { spec, executable, binding, parts } of due) {
        const values = await evaluate(executable, binding, parts, spec.batch);
        results[spec.name] = values;
        metrics.write({ step: done, evaluation: spec.name, values });
        report({ kind: "evaluation", stage: stage.name, step: done, evaluation: spec.name, values });
      }
    });
  };

  let saving: Promise<void> = Promise.resolve();
  let lastSaved = first;
  let lastSavedAt = started;
  /** Takes the state now and writes it while training goes on. The pipeline is empty. */
  const save = async (done: number): Promise<void> => {
    await saving;
    // Every step that the checkpoint has done must be in the metrics before it counts.
    await metrics.flush();
    const state: StageState = {
      step: done,
      seconds: secondsBefore + host.now() - started,
      parameters: await readParameters(set, files.updated),
      optimizer: await readStates(set, files.states),
    };
    lastSaved = done;
    lastSavedAt = host.now();
    saving = saveCheckpoint(host, files, state).then((file) => {
      report({ kind: "checkpoint", stage: stage.name, step: done, file });
    });
    saving.catch(() => undefined);
  };
  const isDue = (done: number): boolean => isCheckpointDue(options, done, lastSavedAt);

  try {
    let done = first;
    while (done < stage.steps && !options.signal?.aborted) {
      await pipeline.submitStep();
      done++;
      const atEnd = done === stage.steps;
      const due = evaluations.filter(({ spec }) => atEnd || (spec.every > 0 && done % spec.every === 0));
      if (due.length > 0 || isDue(done)) {
        await pipeline.drain();
        await measure(due, done);
        if (!atEnd && isDue(done)) await save(done);
      }
    }
    await pipeline.drain();
    if (done < stage.steps) {
      if (done !== lastSaved || done === 0) await save(done);
      await saving;
      await metrics.flush();
      const file = checkpointPath(files.folder, done);
      report({ kind: "stopped", stage: stage.name, step: done, steps: stage.steps, file });
      return { finished: false, step: done, file, evaluations: results };
    }
    await saving;
    await metrics.flush();
    const file = await saveFinal(host, files, await resultOf(run));
    report({ kind: "finished", stage: stage.name, steps: done, seconds: secondsBefore + host.now() - started, file });
    return { finished: true, step: done, file, evaluations: results };
  } catch (error) {
    await pipeline.abandon();
    await saving.catch(() => undefined);
    await metrics.flush().catch(() => undefined);
    if (error instanceof NonFiniteValue) throw await explainNonFinite(run, programs, error.finished);
    throw error;
  }
}

/** The updated parameters as the stage leaves them: averaged, where it asks for that. */
async function resultOf({ prepared, files, set }: StageRun): Promise<ReadonlyMap<string, Tensor>> {
  if (prepared.stage.ema === undefined) return readParameters(set, files.updated);
  return (await readStates(set, files.states)).get(averageState)!;
}

/** Does something while the parameters are those that the stage would leave now. No step may be under way. */
async function withAverage(run: StageRun, action: () => Promise<void>): Promise<void> {
  if (run.prepared.stage.ema === undefined) return action();
  const present = await readParameters(run.set, run.files.updated);
  for (const [path, value] of await resultOf(run)) await run.set.write(path, value.data);
  try {
    await action();
  } finally {
    for (const [path, value] of present) await run.set.write(path, value.data);
  }
}
