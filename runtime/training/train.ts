import type { Host } from "../../dsl/host.js";
import type { EvaluationSpec, Model, TrainingStage } from "../../src/build/model.js";
import type { Executable, ParameterSet, TensorData } from "../device.js";
import type { SafetensorsFile } from "../tensors/safetensors.js";
import { bindData, type DataBinding } from "./binding.js";
import { finalPath, loadFinal, type StageFiles } from "./checkpoint.js";
import type { DataSource } from "./data.js";
import { TrainingError } from "./errors.js";
import { evaluate } from "./evaluate.js";
import type { TrainingReport } from "./events.js";
import { type MixturePart, mixture } from "./order.js";
import { stageChain, stageIdentity, updatedParameters } from "./plan.js";
import type { TrainingPrograms } from "./programs.js";
import { runStage } from "./run-stage.js";
import { writeParameters } from "./state.js";

export interface TrainingOptions {
  readonly model: Model;
  /** The stage to reach; those it comes after are trained first, unless the folder holds their results. */
  readonly stage: string;
  /** Unsigned, 32 bits. Everything that is drawn follows from it. */
  readonly seed: number;
  /** `runs/NAME` */
  readonly folder: string;
  readonly host: Host;
  readonly programs: TrainingPrograms;
  readonly data: readonly DataSource[];
  /** Values of arguments marked `shared`. */
  readonly given?: Readonly<Record<string, TensorData>>;
  /** Weights from outside, by parameter path; the others start at their initial values. */
  readonly weights?: SafetensorsFile;
  /** Save after so many steps or seconds, whichever is first. Default: every 60 seconds. */
  readonly checkpoint?: { readonly steps?: number; readonly seconds?: number };
  /** Aborting it ends the run after the current step, with a checkpoint from which it can go on. */
  readonly signal?: AbortSignal;
  readonly report?: TrainingReport;
}

export interface TrainingResult {
  /** False when the run was stopped by its signal. */
  readonly finished: boolean;
  /** The stage that was reached, or in which the run stopped. */
  readonly stage: string;
  readonly step: number;
  /** The stage's result, or the checkpoint. */
  readonly file: string;
  /** By name of the evaluation, then by output; those at the end of the stage asked for. Absent when its result was reused. */
  readonly evaluations: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Holds the parameters as the stage left them; the caller frees it. */
  readonly parameters: ParameterSet;
}

/** An evaluation with its data bound. */
export interface PreparedEvaluation {
  readonly spec: EvaluationSpec;
  readonly parts: readonly MixturePart[];
  readonly binding: DataBinding;
}

/** A stage with its data bound; all that can be found wrong before the first step has been looked for. */
export interface PreparedStage {
  readonly stage: TrainingStage;
  readonly parts: readonly MixturePart[];
  readonly binding: DataBinding;
  readonly evaluations: readonly PreparedEvaluation[];
}

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

/** What reading a trained model needs; a part of TrainingOptions. */
export type StageSelection = Pick<
  TrainingOptions,
  "model" | "seed" | "folder" | "host" | "programs" | "data" | "given" | "weights" | "report"
>;

/**
 * Writes a model's parameters as a finished stage left them (without a name: as they start). Throws TrainingError when the stage, or one
 * before it, has not been trained in this folder.
 */
export async function loadStage(options: StageSelection, stage: string | undefined, set: ParameterSet): Promise<void> {
  const warn = (text: string): void => options.report?.({ kind: "warning", text });
  const results: SafetensorsFile[] = options.weights === undefined ? [] : [options.weights];
  let previous: SafetensorsFile | undefined;
  for (const next of stage === undefined ? [] : stageChain(options.model, stage)) {
    const files = stageFiles(options, { stage: next, parts: stageParts(options, next) }, previous);
    previous = await loadFinal(options.host, files, warn);
    if (previous === undefined) {
      throw new TrainingError(
        `Stage "${next.name}" has not been trained in ${options.folder}`,
        `train it first: stage ${next.name}`,
      );
    }
    results.push(previous);
  }
  await writeParameters(set, options.model.parameters, options.seed, results);
}

/** Runs one of a model's evaluations on what its stage left; the mean of every output. */
export async function runEvaluation(options: StageSelection, name: string): Promise<Record<string, number>> {
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

type DataOptions = Pick<TrainingOptions, "model" | "seed" | "data" | "given">;

function sourcesByName(options: DataOptions): Map<string, DataSource> {
  return new Map(options.data.map((source) => [source.name, source]));
}

function stageParts(options: DataOptions, stage: TrainingStage): MixturePart[] {
  return mixture(stage.data, stage.where, sourcesByName(options), `Stage "${stage.name}"`);
}

function bind(options: DataOptions, entry: string, parts: readonly MixturePart[]): DataBinding {
  return bindData(
    options.model.entryPoint(entry),
    parts.map(({ source }) => source),
    options.seed,
    options.given,
  );
}

function prepareStage(options: DataOptions, stage: TrainingStage): PreparedStage {
  const parts = stageParts(options, stage);
  const evaluations = options.model.evaluations.filter(({ after }) => after === stage.name);
  return {
    stage,
    parts,
    binding: bind(options, stage.on, parts),
    evaluations: evaluations.map((spec) => prepareEvaluation(options, spec)),
  };
}

function prepareEvaluation(options: DataOptions, spec: EvaluationSpec): PreparedEvaluation {
  const parts = mixture(spec.data, [], sourcesByName(options), `Evaluation "${spec.name}"`);
  return { spec, parts, binding: bind(options, spec.on, parts) };
}

function stageFiles(
  options: Pick<TrainingOptions, "model" | "seed" | "folder" | "programs" | "weights">,
  { stage, parts }: Pick<PreparedStage, "stage" | "parts">,
  previous: SafetensorsFile | undefined,
): StageFiles {
  const identity = stageIdentity(options.model, stage, {
    seed: options.seed,
    rows: Object.fromEntries(parts.map(({ source, rows }) => [source.name, rows.length])),
    ...(previous === undefined ? {} : { after: previous.digest() }),
    ...(options.weights === undefined ? {} : { weights: options.weights.digest() }),
  });
  return {
    folder: `${options.folder}/${stage.name}`,
    identity,
    machine: options.programs.identity,
    updated: updatedParameters(options.model, stage),
    states: options.programs.states(stage),
  };
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
