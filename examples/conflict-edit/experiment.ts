/**
 * The comparison: pretrain a backbone, train every variant on top of it with its own best learning rate, edit held-out pictures, and add the
 * controls. Everything that is finished is kept in the run folder, so a stopped run goes on variant by variant.
 */
import { join } from "node:path";
import {
  compile,
  type Model,
  nodeHost,
  type OpenDevice,
  type ParameterSet,
  readSafetensors,
  type Setting,
  type TrainingPrograms,
  type TrainingReport,
  train,
  trainingPrograms,
  writeSafetensors,
} from "../../src/index.js";
import type { Budget, Objective } from "./budgets.js";
import { averaged, evaluator, picturesOf, shuffled } from "./evaluate.js";
import { conflictTasks, instructionLength, vocabulary } from "./instructions.js";
import { mean, pictureAt } from "./metrics.js";
import { type Pictures, pictureNumbers, pictureSize } from "./pictures.js";
import { type Scores, type ScoresOfSeed, scorePictures } from "./scores.js";
import { editSources, type Row } from "./sources.js";
import { trainedVariants, type VariantName } from "./variants.js";

export interface ExperimentOptions {
  /** Path of conflict-edit.weft. */
  readonly file: string;
  readonly folder: string;
  readonly budget: Budget;
  readonly pictures: Pictures;
  readonly open: OpenDevice;
  /** Further settings of the model. */
  readonly settings: Readonly<Record<string, Setting>>;
  readonly report: TrainingReport;
  readonly log: (line: string) => void;
  readonly signal?: AbortSignal;
}

export interface ObjectiveResult {
  readonly objective: Objective;
  readonly seeds: readonly ScoresOfSeed[];
  readonly rows: readonly Row[];
  /** Validation error of every learning rate tried, and the one chosen. */
  readonly sweep: SweepResult;
  /** Stored numbers that each variant trains. */
  readonly trained: Readonly<Record<string, number>>;
}

export type SweepResult = Readonly<
  Record<string, { readonly chosen: number; readonly errors: Readonly<Record<string, number>> }>
>;

/** Rows of the contact sheet: the first held-out rows that show every task once, on different pictures. */
export const sheetRows: readonly number[] = conflictTasks.map((_, task) => task * conflictTasks.length + task);

const host = nodeHost();

export async function runObjective(options: ExperimentOptions, objective: Objective): Promise<ObjectiveResult> {
  const { budget, open } = options;
  const settings = {
    ...options.settings,
    flow: objective === "flow",
    words: vocabulary.length,
    tasks: conflictTasks.length,
    length: instructionLength,
  };
  const compiled = await compile(options.file, { model: "Editor", settings });
  const programs = trainingPrograms(compiled, open);
  const folder = join(options.folder, objective);
  const { pictures } = options;
  const limited: Pictures = {
    ...pictures,
    splits: {
      ...pictures.splits,
      test: pictures.splits.test.slice(0, budget.pictures),
      validation: pictures.splits.validation.slice(0, 40),
    },
  };
  const study: Study = { ...options, objective, model: compiled.model, programs, folder, data: editSources(limited) };

  const sweep = await runSweep(study);
  const seeds: ScoresOfSeed[] = [];
  for (const seed of budget.seeds) seeds.push(await runSeed(study, sweep, seed));
  return { objective, seeds, rows: study.data.rows.held_out, sweep, trained: trainedNumbers(study.model) };
}

interface Study extends ExperimentOptions {
  readonly objective: Objective;
  readonly model: Model;
  readonly programs: TrainingPrograms;
  readonly data: ReturnType<typeof editSources>;
}

const seedFolder = (study: Study, seed: number): string => join(study.folder, `seed-${seed}`);

/** Where the stage of a variant trained at some learning rate stands. */
export const variantFolder = (seedFolder: string, name: string, rate: number): string =>
  join(seedFolder, `${name}-${rate}`);

/** The model with the budget's steps. With a rate, a stage that starts from weights handed in rather than after another stage. */
function planned({ budget, model }: Study, name: string, rate?: number): Model {
  return {
    ...model,
    stages: model.stages.map((stage) => {
      if (stage.name !== name) return stage;
      if (rate === undefined) return { ...stage, steps: budget.pretrain };
      const { after: _, ...detached } = stage;
      return { ...detached, steps: budget.steps, optimizer: { ...stage.optimizer, learningRate: rate } };
    }),
    entryPoint: (entry, instances) => model.entryPoint(entry, instances),
  };
}

/** Trains a stage, or reads back what it left when it was trained before. The caller frees the parameters. */
async function trainStage(
  study: Study,
  model: Model,
  stage: string,
  seed: number,
  folder: string,
  weights?: string,
): Promise<ParameterSet> {
  const { signal, report, programs } = study;
  const result = await train({
    model,
    stage,
    seed,
    folder,
    host,
    programs,
    data: Object.values(study.data.sources),
    report,
    ...(signal === undefined ? {} : { signal }),
    ...(weights === undefined ? {} : { weights: readSafetensors(await host.readBytes(weights), weights) }),
  });
  if (!result.finished) {
    result.parameters.free();
    throw new Error(`stopped at step ${result.step} of ${stage}; run the same command again to go on`);
  }
  return result.parameters;
}

const pretrained = (study: Study, seed: number): Promise<ParameterSet> =>
  trainStage(study, planned(study, "pretrain"), "pretrain", seed, seedFolder(study, seed));

async function trainVariant(study: Study, name: string, rate: number, seed: number): Promise<ParameterSet> {
  const folder = variantFolder(seedFolder(study, seed), name, rate);
  const weights = join(seedFolder(study, seed), "pretrain", "final.safetensors");
  return trainStage(study, planned(study, name, rate), name, seed, folder, weights);
}

/**
 * Every variant at three learning rates on the first seed, at full length (short runs favour rates that are too high for long ones), judged by the
 * error on validation pictures. The chosen run is the first seed's result.
 */
async function runSweep(study: Study): Promise<SweepResult> {
  const { budget } = study;
  if (!budget.sweep)
    return Object.fromEntries(
      trainedVariants.map(({ name, learningRates }) => [name, { chosen: learningRates[1], errors: {} }]),
    );
  const seed = budget.seeds[0]!;
  const result: Record<string, { chosen: number; errors: Record<string, number> }> = {};
  (await pretrained(study, seed)).free();
  const targets = await picturesOf(study.data.sources.validation, "target");
  for (const variant of trainedVariants) {
    const errors: Record<string, number> = {};
    for (const rate of variant.learningRates) {
      const path = join(variantFolder(seedFolder(study, seed), variant.name, rate), "validation.json");
      errors[rate] = await remembered(path, async () => {
        study.log(`${study.objective}, seed ${seed}: ${variant.title}, learning rate ${rate}`);
        const set = await trainVariant(study, variant.name, rate, seed);
        const edited = await evaluator(study.model, study.programs, study.data.sources.validation)
          .edit(variant.edit, set)
          .finally(() => set.free());
        return mean(scorePictures(edited, targets, study.data.rows.validation.length).errors);
      });
    }
    const chosen = variant.learningRates.reduce((best, rate) => (errors[rate]! < errors[best]! ? rate : best));
    result[variant.name] = { chosen, errors };
  }
  return result;
}

async function runSeed(study: Study, sweep: SweepResult, seed: number): Promise<ScoresOfSeed> {
  const { data } = study;
  const folder = seedFolder(study, seed);
  const rows = data.rows.held_out;
  const editor = evaluator(study.model, study.programs, data.sources.held_out);
  const targets = await picturesOf(data.sources.held_out, "target");
  const scores: Partial<Record<VariantName, Scores>> = {};

  /** Scores are kept as soon as they are there, and with them the pictures of the contact sheet. */
  const score = async (name: VariantName, edit: () => Promise<Float32Array>): Promise<void> => {
    scores[name] = await remembered(join(folder, `scores-${name}.json`), async () => {
      const edited = await edit();
      await saveSheet(join(folder, `sheet-${name}.safetensors`), edited);
      return scorePictures(edited, targets, rows.length);
    });
  };
  await saveSheet(join(folder, "sheet-target.safetensors"), targets);
  await score("copy", () => picturesOf(data.sources.held_out, "source"));
  await score("base", async () => {
    const set = await pretrained(study, seed);
    return editor.edit("base_edit", set).finally(() => set.free());
  });
  for (const { name, title, edit } of trainedVariants) {
    await score(name, async () => {
      study.log(`${study.objective}, seed ${seed}: ${title}`);
      const set = await trainVariant(study, name, sweep[name]!.chosen, seed);
      return editor.edit(edit, set).finally(() => set.free());
    });
  }
  const controls: readonly [VariantName, (tokens: Float32Array) => Float32Array][] = [
    ["average", (tokens) => averaged(tokens, rows.length)],
    ["shuffle", (tokens) => shuffled(tokens, rows, false)],
    ["shuffle_within_task", (tokens) => shuffled(tokens, rows, true)],
  ];
  for (const [name, change] of controls) {
    await score(name, async () => {
      const set = await trainVariant(study, "full", sweep.full!.chosen, seed);
      try {
        return await editor.edit("edit_with", set, change(await editor.outputs("operators", set)));
      } finally {
        set.free();
      }
    });
  }
  return scores;
}

async function saveSheet(path: string, edited: Float32Array): Promise<void> {
  const pictures = new Float32Array(sheetRows.length * pictureNumbers);
  for (const [place, row] of sheetRows.entries()) pictures.set(pictureAt(edited, row), place * pictureNumbers);
  const tensor = { dtype: "f32", shape: [sheetRows.length, 3, pictureSize, pictureSize], data: pictures } as const;
  await host.writeBytes(path, writeSafetensors(new Map([["pictures", tensor]])));
}

/** A JSON value that is computed once and kept in a file. */
export async function remembered<T>(path: string, compute: () => Promise<T>): Promise<T> {
  if (await host.exists(path)) return JSON.parse(await host.readText(path)) as T;
  const value = await compute();
  await host.writeBytes(path, new TextEncoder().encode(JSON.stringify(value)));
  return value;
}

function trainedNumbers(model: Model): Record<string, number> {
  return Object.fromEntries(
    model.stages.map((stage) => [
      stage.name,
      model.parameters
        .filter(({ path }) => stage.update.some((above) => path === above || path.startsWith(`${above}.`)))
        .reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0),
    ]),
  );
}
