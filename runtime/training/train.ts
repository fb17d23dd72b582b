import type { TrainingStage } from "../../src/build/model.js";
import type { Executable, ParameterSet } from "../device.js";
import type { SafetensorsFile } from "../tensors/safetensors.js";
import type { Tensor } from "../tensors/tensor.js";
import { finalPath, loadFinal, loadResult, removeCheckpoints } from "./checkpoint.js";
import { TrainingError } from "./errors.js";
import { evaluate } from "./evaluate.js";
import type { EvaluationSelection, StageSelection, TrainingOptions, TrainingResult } from "./options.js";
import { stageChain } from "./plan.js";
import { prepareEvaluation, prepareStage, resultFiles, stageFiles } from "./prepare.js";
import { runStage } from "./run-stage.js";
import { parameterValue, writeParameters } from "./state.js";

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
  const prepared = stageChain(model, options.stage).map((stage) => prepareStage(options, stage));
  warnOfUnused(options, warn);

  const set = await programs.parameters();
  try {
    const results: SafetensorsFile[] = options.weights === undefined ? [] : [options.weights];
    let reached: { readonly stage: TrainingStage; readonly evaluations: TrainingResult["evaluations"] } | undefined;
    for (const next of prepared) {
      const files = stageFiles(options, next, reached === undefined ? undefined : results.at(-1));
      let evaluations: TrainingResult["evaluations"] = {};
      let final = await loadFinal(host, files, warn);
      if (final === undefined) {
        const restart = (): Promise<void> => writeParameters(set, model.parameters, options.seed, results);
        const outcome = await runStage({ options, prepared: next, files, set, restart, report, warn });
        if (!outcome.finished) return { ...outcome, stage: next.stage.name, evaluations: {}, parameters: set };
        evaluations = outcome.evaluations;
        final = await loadFinal(host, files, warn);
        if (final === undefined)
          throw new TrainingError(`${finalPath(files.folder)} could not be read back after it was written`);
      } else {
        // Left when a crash came between the result and the removal of its checkpoints.
        await removeCheckpoints(host, files.folder);
        report({ kind: "reused", stage: next.stage.name, file: final.file });
      }
      results.push(final);
      reached = { stage: next.stage, evaluations };
    }
    await writeParameters(set, model.parameters, options.seed, results);
    const { stage, evaluations } = reached!;
    return {
      finished: true,
      stage: stage.name,
      step: stage.steps,
      file: results.at(-1)!.file,
      evaluations,
      parameters: set,
    };
  } catch (error) {
    set.free();
    throw error;
  }
}

/**
 * Writes a model's parameters as a finished stage left them; those that no stage trained start as the run's seed says. Without a stage,
 * all stand as they start from `options.seed`. Throws TrainingError when the stage, or one before it, has not been trained in this
 * folder, or with other settings.
 */
export async function loadStage(options: StageSelection, stage: string | undefined, set: ParameterSet): Promise<void> {
  const { seed, results } = await stageResults(options, stage);
  await writeParameters(set, options.model.parameters, seed, results);
}

/** As `loadStage`, but on the host: each parameter's value is read, or drawn, when it is asked for. */
export async function readStage(options: StageSelection, stage: string | undefined): Promise<(path: string) => Tensor> {
  const { seed, results } = await stageResults(options, stage);
  const specs = new Map(options.model.parameters.map((spec) => [spec.path, spec]));
  return (path) => {
    const spec = specs.get(path);
    if (spec === undefined) throw new TrainingError(`Model ${options.model.name} has no parameter "${path}"`);
    return parameterValue(spec, seed, results);
  };
}

async function stageResults(
  options: StageSelection,
  stage: string | undefined,
): Promise<{ readonly seed: number; readonly results: readonly SafetensorsFile[] }> {
  const results: SafetensorsFile[] = options.weights === undefined ? [] : [options.weights];
  let seed = options.seed;
  let previous: SafetensorsFile | undefined;
  for (const next of stage === undefined ? [] : stageChain(options.model, stage)) {
    const result = await loadResult(options.host, resultFiles(options, next, previous));
    if (result === undefined) {
      throw new TrainingError(`Stage "${next.name}" has not been trained in ${options.folder}`, "train it first");
    }
    seed = result.seed;
    previous = result.file;
    results.push(result.file);
  }
  return { seed, results };
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
    await loadStage(options, spec.after, set);
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
