import type { EvaluationSpec, Stage, TrainingStage } from "../../src/build/model.js";
import { stagesBefore } from "../../src/build/stage-order.js";
import { bindData, type DataBinding } from "./binding.js";
import type { StageFiles } from "./checkpoint.js";
import type { DataSource } from "./data.js";
import type { TrainingOptions } from "./options.js";
import { type MixturePart, mixture } from "./order.js";
import { stageIdentity, updatedParameters } from "./plan.js";
import type { Results } from "./state.js";
import { sumStates } from "./sums.js";

/** An evaluation with its data bound. */
export interface PreparedEvaluation {
  readonly spec: EvaluationSpec;
  readonly parts: readonly MixturePart[];
  readonly binding: DataBinding;
}

/** A stage with its data bound; all that can be found wrong before the first step has been looked for. */
export interface Prepared<S extends Stage> {
  readonly stage: S;
  readonly parts: readonly MixturePart[];
  readonly binding: DataBinding;
  readonly evaluations: readonly PreparedEvaluation[];
}

export type PreparedStage = Prepared<TrainingStage>;

type DataOptions = Pick<TrainingOptions, "model" | "seed" | "data" | "given">;

function sourcesByName(options: DataOptions): Map<string, DataSource> {
  return new Map(options.data.map((source) => [source.name, source]));
}

function stageParts(options: DataOptions, stage: Stage): MixturePart[] {
  return mixture(stage.data, stage.where, sourcesByName(options), `Stage "${stage.name}"`);
}

function bind(options: DataOptions, entry: string, batch: number, parts: readonly MixturePart[]): DataBinding {
  return bindData(
    options.model.entryPoint(entry, batch),
    parts.map(({ source }) => source),
    options.seed,
    options.given,
  );
}

/** Finds and binds a stage's data and that of its evaluations. Throws TrainingError for what does not fit. */
export function prepareStage<S extends Stage>(options: DataOptions, stage: S): Prepared<S> {
  const parts = stageParts(options, stage);
  const evaluations = options.model.evaluations.filter(({ after }) => after === stage.name);
  return {
    stage,
    parts,
    binding: bind(options, stage.kind === "train" ? stage.on : stage.mean, stage.batch, parts),
    evaluations: evaluations.map((spec) => prepareEvaluation(options, spec)),
  };
}

/** Finds and binds an evaluation's data. Throws TrainingError for what does not fit. */
export function prepareEvaluation(options: DataOptions, spec: EvaluationSpec): PreparedEvaluation {
  const parts = mixture(spec.data, spec.where, sourcesByName(options), `Evaluation "${spec.name}"`);
  return { spec, parts, binding: bind(options, spec.on, spec.batch, parts) };
}

/** What a stage's files must agree with; `results` are those of the stages before. */
export function stageFiles(
  options: Pick<TrainingOptions, "model" | "seed" | "folder" | "programs" | "weights">,
  { stage, parts }: Pick<Prepared<Stage>, "stage" | "parts">,
  results: Results,
): StageFiles {
  const rows = Object.fromEntries(parts.map(({ source, rows }) => [source.name, rows.length]));
  const files = resultFiles(options, stage, results, rows);
  const states = stage.kind === "train" ? options.programs.states(stage) : sumStates(files.updated[0]!, parts.length);
  return { ...files, machine: options.programs.identity, states };
}

/** What a finished stage's result must agree with when it is used. */
export function resultFiles(
  options: Pick<TrainingOptions, "model" | "seed" | "folder" | "weights">,
  stage: Stage,
  results: Results,
  rows: Readonly<Record<string, number>> = {},
): Pick<StageFiles, "folder" | "identity" | "updated"> {
  const needed = stagesBefore(options.model, stage).map((name) => [name, results.get(name)!.file.digest()] as const);
  const identity = stageIdentity(options.model, stage, {
    seed: options.seed,
    rows,
    results: Object.fromEntries(needed),
    ...(options.weights === undefined ? {} : { weights: options.weights.digest() }),
  });
  return { folder: `${options.folder}/${stage.name}`, identity, updated: updatedParameters(options.model, stage) };
}
