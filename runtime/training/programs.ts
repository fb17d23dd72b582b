import type { TrainingStage } from "../../src/build/model.js";
import type { ParameterLayout, ParameterPlace } from "../../src/kernels/layout.js";
import type { Executable, ParameterSet } from "../device.js";

/** Output of step and accumulate programs, f32 []: the mean of the entry point's value over the batch's instance weights. */
export const lossOutput = "loss";

/** Output of step programs, f32 []: the global norm of the step's whole gradient before clipping. */
export const gradientNormOutput = "gradient_norm";

/** Name of the optimiser state that holds the exponential moving average of the parameters, for stages with `ema`. */
export const averageState = "average";

/** One number per updated parameter that an optimiser keeps: "momentum", "variance", "average". */
export interface OptimizerState {
  readonly name: string;
  /** Updated parameters; offsets in bytes from the start of the `optimizer` segment. */
  readonly places: readonly ParameterPlace[];
}

/**
 * What training asks of the compiler: a model's programs on one device. Training has them loaded, binds them to one parameter set, and frees
 * them.
 *
 * Contract of the programs: inputs are the entry point's (perInstance ones [batch, ...shape]) and `instance_weight`, f32 [batch]. Scalars are
 * seed, step (from 0), learning_rate, row_offset. Between steps the `gradients` segment is zero where a stage accumulates: accumulate
 * programs add to it, the step program adds its own part, divides by the stage's `accumulate`, updates, and clears it.
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
  /** The program of one whole step (or of its last part, when the stage accumulates). Outputs `loss` and `gradient_norm`. */
  step(stage: TrainingStage): Promise<Executable>;
  /** The program of the other parts of a step. Output `loss`. Asked for only when `stage.accumulate` is above 1. */
  accumulate(stage: TrainingStage): Promise<Executable>;
  /** Where the optimiser keeps its states. */
  states(stage: TrainingStage): readonly OptimizerState[];
  /** The program of an entry point without updates. Its outputs are the entry point's, [batch, ...shape] or, where no instance enters, [...shape]. */
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
