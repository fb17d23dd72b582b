import type { Stage } from "../../src/build/model.js";
import { stagesRead } from "../../src/build/stage-order.js";
import type { Executable, ParameterSet } from "../device.js";
import type { SafetensorsFile } from "../tensors/safetensors.js";
import type { Tensor } from "../tensors/tensor.js";
import { finalPath, loadFinal, loadResult, removeCheckpoints } from "./checkpoint.js";
import { runCollection } from "./collect.js";
import { TrainingError } from "./errors.js";
import { evaluate } from "./evaluate.js";
import type { EvaluationSelection, Outcome, StageSelection, TrainingOptions, TrainingResult } from "./options.js";
import { batchCount } from "./pieces.js";
import { requiredStages } from "./plan.js";
import { type Prepared, prepareEvaluation, prepareStage, resultFiles, stageFiles } from "./prepare.js";
import { runStage, type StageRun } from "./run-stage.js";
import { parameterReader, type Results, writeParameters } from "./state.js";

/**
 * Trains a model up to one stage. An interrupted run, called again with the same options, goes on from its last checkpoint and ends with the
 * same bytes as an unbroken one on the same machine with the same number of threads. Throws TrainingError for data that does not fit, for a
 * folder of another run, and for numbers that are not finite.
 */
export async function train(options: TrainingOptions): Promise<TrainingResult> {
  const { model, host, programs } = options;
  const report = options.report ?? (() => undefined);
  const warn = (text: string): void => report({ kind: "warning", text });
  if (!Number.isInteger(options.seed) || options.seed < 0 || options.seed > 0xffffffff) {
    throw new TrainingError(`The seed ${options.seed} is not a whole number from 0 to ${0xffffffff}`);
  }
  const prepared = requiredStages(model, [options.stage]).map((stage) => prepareStage(options, stage));
  warnOfUnused(options, warn);

  const set = await programs.parameters();
  try {
    const results = new Map<string, { readonly file: SafetensorsFile; readonly seed: number }>();
    let evaluations: TrainingResult["evaluations"] = {};
    let step = 0;
    for (const next of prepared) {
      const { stage } = next;
      const files = stageFiles(options, next, results);
      let final = await loadFinal(host, files, warn);
      step = stage.kind === "train" ? stage.steps : batchCount(next.parts, stage.batch);
      evaluations = {};
      if (final === undefined) {
        const restart = (): Promise<void> => writeParameters(options, set, stage.after, results);
        const outcome = await run(next, { options, files, set, restart, report, warn });
        if (!outcome.finished) return { ...outcome, stage: stage.name, evaluations: {}, parameters: set };
        evaluations = outcome.evaluations;
        final = await loadFinal(host, files, warn);
        if (final === undefined)
          throw new TrainingError(`${finalPath(files.folder)} could not be read back after it was written`);
      } else {
        // Left when a crash came between the result and the removal of its checkpoints.
        await removeCheckpoints(host, files.folder);
        report({ kind: "reused", stage: stage.name, file: final.file });
      }
      results.set(stage.name, { file: final, seed: options.seed });
    }
    const { stage } = options;
    await writeParameters(options, set, stage, results);
    return { finished: true, stage, step, file: results.get(stage)!.file.file, evaluations, parameters: set };
  } catch (error) {
    set.free();
    throw error;
  }
}

function run(prepared: Prepared<Stage>, rest: Omit<StageRun, "prepared">): Promise<Outcome> {
  const { stage, parts, binding, evaluations } = prepared;
  return stage.kind === "train"
    ? runStage({ ...rest, prepared: { stage, parts, binding, evaluations } })
    : runCollection({ ...rest, prepared: { stage, parts, binding, evaluations } });
}

/**
 * Writes a model's parameters as a finished stage left them; those that no stage trained start as the run's seed says. Without a stage,
 * all stand as they start from `options.seed`. `entryPoints` are those that will be run, all unless given: what they read `at` other
 * stages is written too. Throws TrainingError when the stage, or one that is needed, has not been trained in this folder, or with other
 * settings.
 */
export async function loadStage(
  options: StageSelection,
  stage: string | undefined,
  set: ParameterSet,
  entryPoints: readonly string[] = options.model.entryPoints,
): Promise<void> {
  const { model } = options;
  const hasCopies = model.parameters.some(({ copy }) => copy !== undefined);
  const read = hasCopies ? entryPoints.flatMap((name) => stagesRead(model, model.entryPoint(name))) : [];
  await writeParameters(options, set, stage, await stageResults(options, stage, read));
}

/** As `loadStage`, but on the host: each parameter's value is read, or drawn, when it is asked for. */
export async function readStage(options: StageSelection, stage: string | undefined): Promise<(path: string) => Tensor> {
  const read = parameterReader(options, stage, await stageResults(options, stage));
  const specs = new Map(options.model.parameters.map((spec) => [spec.path, spec]));
  return (path) => {
    const spec = specs.get(path);
    const value = spec && read(spec);
    if (value === undefined) throw new TrainingError(`Model ${options.model.name} has no parameter "${path}"`);
    return value;
  };
}

/** The results of a stage and of all that it and others need. */
async function stageResults(
  options: StageSelection,
  stage: string | undefined,
  others: readonly string[] = [],
): Promise<Results> {
  const results = new Map<string, { readonly file: SafetensorsFile; readonly seed: number }>();
  for (const next of requiredStages(options.model, [...(stage === undefined ? [] : [stage]), ...others])) {
    const result = await loadResult(options.host, resultFiles(options, next, results));
    if (result === undefined) {
      throw new TrainingError(`Stage "${next.name}" has not been trained in ${options.folder}`, "train it first");
    }
    results.set(next.name, result);
  }
  return results;
}

/** Runs one of a model's evaluations on what its stage left; the mean of every output. */
export async function runEvaluation(options: EvaluationSelection, name: string): Promise<Record<string, number>> {
  const spec = options.model.evaluations.find((candidate) => candidate.name === name);
  if (spec === undefined) {
    const known = options.model.evaluations.map((candidate) => candidate.name).join(", ");
    throw new TrainingError(
      `Model ${options.model.name} has no evaluation "${name}"`,
      known === "" ? undefined : `it has ${known}`,
    );
  }
  const prepared = prepareEvaluation(options, spec);
  const set = await options.programs.parameters();
  let executable: Executable | undefined;
  try {
    await loadStage(options, spec.after, set, [spec.on]);
    executable = await options.programs.evaluate(spec.on, spec.batch);
    executable.bind(set);
    return await evaluate(executable, prepared.binding, prepared.parts, spec.batch);
  } finally {
    executable?.free();
    set.free();
  }
}

function warnOfUnused(options: TrainingOptions, warn: (text: string) => void): void {
  if (options.weights === undefined) return;
  const paths = new Set(options.model.parameters.map(({ path }) => path));
  const unused = [...options.weights.entries.keys()].filter((name) => !paths.has(name));
  if (unused.length > 0)
    warn(
      `${options.weights.file}: ${unused.length} tensors are no parameters of the model, the first is "${unused[0]}"`,
    );
}
