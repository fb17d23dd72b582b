import type { Host } from "../../dsl/host.js";
import type { Model } from "../../src/build/model.js";
import type { ParameterSet, TensorData } from "../device.js";
import type { SafetensorsFile } from "../tensors/safetensors.js";
import type { DataSource } from "./data.js";
import type { TrainingReport } from "./events.js";
import type { TrainingPrograms } from "./programs.js";

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
  /** By name of the evaluation, then by output; those at the end of the stage asked for. Empty when its result was reused. */
  readonly evaluations: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Holds the parameters as the stage left them; the caller frees it. */
  readonly parameters: ParameterSet;
}

/** How the run of one stage ended. */
export type Outcome = Pick<TrainingResult, "finished" | "step" | "file" | "evaluations">;

/** What finding a trained model's numbers needs; TrainingOptions do. */
export type StageSelection = Pick<TrainingOptions, "model" | "seed" | "folder" | "host" | "weights"> &
  Partial<TrainingOptions>;

/** What evaluating a trained model needs; TrainingOptions do. */
export type EvaluationSelection = StageSelection & Pick<TrainingOptions, "programs" | "data">;
