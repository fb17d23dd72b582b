/**
 * One backbone, pretrained once, and on top of it one generator for each interface, all trained alike. What is finished is kept in the run
 * folder, so a stopped run goes on interface by interface.
 */
import { join } from "node:path";
import {
  type Compiled,
  compile,
  type Model,
  nodeHost,
  type OpenDevice,
  type ParameterSet,
  readCurves,
  readSafetensors,
  type Setting,
  type TrainingPrograms,
  type TrainingReport,
  train,
  trainingPrograms,
} from "../../src/index.js";
import { evaluator, picturesOf } from "../conflict-edit/evaluate.js";
import { remembered } from "../conflict-edit/experiment.js";
import { instructionLength, vocabulary } from "../conflict-edit/instructions.js";
import { mean, peakSignalToNoise } from "../conflict-edit/metrics.js";
import type { Pictures } from "../conflict-edit/pictures.js";
import { type Scores, scorePictures } from "../conflict-edit/scores.js";
import { editSources, fromModel } from "../conflict-edit/sources.js";
import type { ComparedInterface } from "./interfaces.js";

export interface ZooOptions {
  /** Path of interface-zoo.weft. */
  readonly file: string;
  readonly folder: string;
  readonly interfaces: readonly ComparedInterface[];
  /** Steps of pretraining, and of every generator. */
  readonly pretrain: number;
  readonly steps: number;
  /** Held-out pictures at most; each stands with every task. */
  readonly heldOut: number;
  readonly seed: number;
  readonly pictures: Pictures;
  readonly open: OpenDevice;
  /** Further settings of the model. */
  readonly settings: Readonly<Record<string, Setting>>;
  readonly report: TrainingReport;
  readonly log: (line: string) => void;
  readonly signal?: AbortSignal;
}

/** Means over the held-out edits; PSNR in decibels, the mean of each edit's own. */
export interface Quality {
  readonly error: number;
  readonly psnr: number;
  readonly ssim: number;
}

export interface InterfaceResult extends Quality {
  readonly name: string;
  /** The interface with all its arguments. */
  readonly applied: string;
  /** Numbers in all slots of one instance's operator. */
  readonly generated: number;
  /** Trained numbers: those of the generator and of its encoder. */
  readonly trained: number;
  /** A tenth of all training steps took less. */
  readonly millisecondsPerStep: number;
  /** Folder of its stage, with the metrics of every step. */
  readonly stage: string;
}

export interface ZooResult {
  readonly edits: number;
  /** The sources themselves, and what the backbone makes of them without an operator. */
  readonly copy: Quality;
  readonly base: Quality;
  readonly interfaces: readonly InterfaceResult[];
}

const host = nodeHost();

/** The model with one of the interfaces; its settings name the rest. */
export function compileZoo(
  file: string,
  compared: ComparedInterface | undefined,
  settings: Readonly<Record<string, Setting>> = {},
): Promise<Compiled> {
  const chosen: Record<string, Setting> =
    compared === undefined ? {} : { change: compared.applied, sites: compared.sites };
  return compile(file, { settings: { words: vocabulary.length, length: instructionLength, ...settings, ...chosen } });
}

/** Numbers that one instance's operator holds, and numbers that are trained to write it. */
export function sizesOf(model: Model): { readonly generated: number; readonly trained: number } {
  const { update } = model.stages.find(({ name }) => name === "generate")!;
  const trained = model.parameters
    .filter(({ path, storage }) => storage === "param" && update.some((above) => path.startsWith(`${above}.`)))
    .reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0);
  return { generated: model.adaptations[0]!.grid.numbers, trained };
}

export async function runZoo(options: ZooOptions): Promise<ZooResult> {
  const { interfaces, pictures, heldOut, file, settings, log } = options;
  const folder = join(options.folder, `seed-${options.seed}`);
  const { sources, rows } = editSources({
    ...pictures,
    splits: { ...pictures.splits, test: pictures.splits.test.slice(0, heldOut) },
  });
  const data = Object.values(sources);
  const targets = await picturesOf(sources.held_out, "target");
  const score = (edited: Float32Array): Quality => qualityOf(scorePictures(edited, targets, rows.held_out.length));

  const backbone = await compileZoo(file, undefined, settings);
  const programs = trainingPrograms(backbone, options.open);
  const set = await trainStage(options, data, backbone.model, programs, "pretrain", join(folder, "backbone"));
  const edit = (model: Model, by: TrainingPrograms, entry: string, of: ParameterSet): Promise<Float32Array> =>
    evaluator(model, by, sources.held_out).outputs(entry, of).then(fromModel);
  const base = await remembered(join(folder, "backbone", "quality.json"), async () =>
    score(await edit(backbone.model, programs, "base_edit", set)),
  ).finally(() => set.free());

  const results: InterfaceResult[] = [];
  for (const compared of interfaces) {
    const own = join(folder, `steps-${options.steps}`, folderName(compared.applied));
    const result = await remembered(join(own, "result.json"), async (): Promise<InterfaceResult> => {
      log(`${compared.name}: ${compared.applied}`);
      const compiled = await compileZoo(file, compared, settings);
      const { model } = compiled;
      const training = trainingPrograms(compiled, options.open);
      const weights = join(folder, "backbone", "pretrain", "final.safetensors");
      const trained = await trainStage(options, data, model, training, "generate", own, weights);
      try {
        return {
          name: compared.name,
          applied: `${model.settings.change}`,
          ...sizesOf(model),
          ...score(await edit(model, training, "edit", trained)),
          millisecondsPerStep: await timePerStep(join(own, "generate")),
          stage: join(own, "generate"),
        };
      } finally {
        trained.free();
      }
    });
    log(`${compared.name}: ${result.psnr.toFixed(2)} dB, ${result.millisecondsPerStep.toFixed(0)} ms a step`);
    results.push(result);
  }
  const copy = score(await picturesOf(sources.held_out, "source"));
  return { edits: rows.held_out.length, copy, base, interfaces: results };
}

/** `OFT(block: 8)` as the name of a folder. */
const folderName = (applied: string): string => applied.replace(/[^A-Za-z0-9.]+/g, "-").replace(/-$/, "");

/** Trains a stage from the given weights, or reads back what it left when it was trained before. The caller frees the parameters. */
async function trainStage(
  options: ZooOptions,
  data: Parameters<typeof train>[0]["data"],
  model: Model,
  programs: TrainingPrograms,
  name: "pretrain" | "generate",
  folder: string,
  weights?: string,
): Promise<ParameterSet> {
  const { seed, signal, report, pretrain, steps } = options;
  const { after: _, ...stage } = model.stages.find((candidate) => candidate.name === name)!;
  const planned = { ...stage, steps: name === "pretrain" ? pretrain : steps };
  const alone = {
    ...model,
    stages: [planned],
    evaluations: [],
    entryPoint: (entry: string, instances?: number) => model.entryPoint(entry, instances),
  };
  const result = await train({
    model: alone,
    stage: name,
    seed,
    folder,
    host,
    programs,
    data,
    report,
    ...(signal === undefined ? {} : { signal }),
    ...(weights === undefined ? {} : { weights: readSafetensors(await host.readBytes(weights), weights) }),
  });
  if (result.finished) return result.parameters;
  result.parameters.free();
  throw new Error(`stopped at step ${result.step} of ${name}; run the same command again to go on`);
}

const qualityOf = ({ errors, similarities }: Scores): Quality => ({
  error: mean(errors),
  psnr: mean(errors.map(peakSignalToNoise)),
  ssim: mean(similarities),
});

/** What a tenth of the steps stay below, in milliseconds: other work on the machine slows a step, and nothing speeds it up. */
async function timePerStep(stage: string): Promise<number> {
  const { steps } = await readCurves(host, stage);
  const times = steps.map(({ seconds }, place) => seconds - (steps[place - 1]?.seconds ?? 0)).sort((a, b) => a - b);
  return 1000 * (times[Math.floor(times.length / 10)] ?? Number.NaN);
}
