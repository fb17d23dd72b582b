import type { TrainingStage } from "../../src/build/model.js";
import type { ParameterLayout, ParameterPlace } from "../../src/kernels/layout.js";
import type { Executable, ParameterSet } from "../device.js";

/** Output of step and accumulate programs, f32 []: the mean of the entry point's value over the batch's instance weights. */
export const lossOutput = "loss";

/** Output of step programs, f32 []: the global norm of the step's whole gradient before clipping. */
export const gradientNormOutput = "gradient_norm";

/** Name of the optimiser state that holds the exponential moving average of the parameters, for stages with `ema`. */
export const averageState = "average";

/** A number that an optimiser keeps beside every number it updates, such as "first_moment" or "average". */
export interface OptimizerState {
  readonly name: string;
  /** Updated parameters; offsets in bytes from the start of the `optimizer` segment. */
  readonly places: readonly ParameterPlace[];
}

/**
 * What training asks of the compiler: a model's programs on one device. Training has them loaded, binds them to one parameter set, and frees
 * them.
 *
 * Contract of the programs: inputs are the entry point's (perInstance ones [batch, ...shape]), `instance_weight` (f32 [batch]) and, where a
 * stage accumulates, `micro_batch` (i32 [], the part of the step, from 0; part 0 forgets what the `gradients` segment held). Scalars are
 * seed, step (from 0), learning_rate, row_offset (of the part's first row in the step). Inputs that a program does not list are not
 * handed over.
 */
export interface TrainingPrograms {
  readonly layout: ParameterLayout;
  /** Recorded in checkpoints; a change is reported, since results may then differ in their last bits. */
  readonly identity: {
    /** Hash of the model's source text. */
    readonly source: string;
    /** Hash of the schedule table. */
    readonly schedules: string;
    readonly threads: number;
  };
  /** A parameter set of this model, zero until written. */
  parameters(): Promise<ParameterSet>;
  /** The program of one whole step, or of its last part when the stage accumulates. Outputs `loss` and `gradient_norm`. */
  step(stage: TrainingStage): Promise<Executable>;
  /** The program of the other parts of a step. Output `loss`. Asked for only when `stage.accumulate` is above 1. */
  accumulate(stage: TrainingStage): Promise<Executable>;
  /** Where the optimiser keeps its states. */
  states(stage: TrainingStage): readonly OptimizerState[];
  /**
   * The program of an entry point without updates. Outputs with one number per instance, [batch], or a mean weighted by
   * `instance_weight`, [], are measured; others are left aside.
   */
  evaluate(entry: string, batch: number): Promise<Executable>;
}

/**
 * States that lie one after the other in the `optimizer` segment, each laid out like the whole `parameters` segment: state i of a
 * parameter stands at i * layout.bytes + its offset.
 */
export function statesInOrder(
  names: readonly string[],
  layout: ParameterLayout,
  updated: readonly string[],
): OptimizerState[] {
  const chosen = new Set(updated);
  const places = layout.places.filter((place) => chosen.has(place.path));
  return names.map((name, index) => ({
    name,
    places: places.map((place) => ({ ...place, offset: index * layout.bytes + place.offset })),
  }));
}

/** A stage's programs, loaded. */
export interface StagePrograms {
  readonly step: Executable;
  readonly accumulate?: Executable;
}
