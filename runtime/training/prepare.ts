import type { EvaluationSpec, TrainingStage } from "../../src/build/model.js";
import type { SafetensorsFile } from "../tensors/safetensors.js";
import { bindData, type DataBinding } from "./binding.js";
import type { StageFiles } from "./checkpoint.js";
import type { DataSource } from "./data.js";
import type { TrainingOptions } from "./options.js";
import { type MixturePart, mixture } from "./order.js";
import { stageIdentity, updatedParameters } from "./plan.js";

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

/** Finds and binds a stage's data and that of its evaluations. Throws TrainingError for what does not fit. */
export function prepareStage(options: DataOptions, stage: TrainingStage): PreparedStage {
  const parts = stageParts(options, stage);
  const evaluations = options.model.evaluations.filter(({ after }) => after === stage.name);
  return {
    stage,
    parts,
    binding: bind(options, stage.on, parts),
    evaluations: evaluations.map((spec) => prepareEvaluation(options, spec)),
  };
}

/** Finds and binds an evaluation's data. Throws TrainingError for what does not fit. */
export function prepareEvaluation(options: DataOptions, spec: EvaluationSpec): PreparedEvaluation {
  const parts = mixture(spec.data, spec.where, sourcesByName(options), `Evaluation "${spec.name}"`);
  return { spec, parts, binding: bind(options, spec.on, parts) };
}

/** What a stage's files must agree with; `previous` is the result of the stage before. */
export function stageFiles(
  options: Pick<TrainingOptions, "model" | "seed" | "folder" | "programs" | "weights">,
  { stage, parts }: Pick<PreparedStage, "stage" | "parts">,
  previous: SafetensorsFile | undefined,
): StageFiles {
  const rows = Object.fromEntries(parts.map(({ source, rows }) => [source.name, rows.length]));
  return {
    ...resultFiles(options, stage, previous, rows),
    machine: options.programs.identity,
    states: options.programs.states(stage),
  };
}

/** What a finished stage's result must agree with when it is used. */
export function resultFiles(
  options: Pick<TrainingOptions, "model" | "seed" | "folder" | "weights">,
  stage: TrainingStage,
  previous: SafetensorsFile | undefined,
  rows: Readonly<Record<string, number>> = {},
): Pick<StageFiles, "folder" | "identity" | "updated"> {
  const identity = stageIdentity(options.model, stage, {
    seed: options.seed,
    rows,
    ...(previous === undefined ? {} : { after: previous.digest() }),
    ...(options.weights === undefined ? {} : { weights: options.weights.digest() }),
  });
  return { folder: `${options.folder}/${stage.name}`, identity, updated: updatedParameters(options.model, stage) };
}
