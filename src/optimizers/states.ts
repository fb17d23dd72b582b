import type { OptimizerSpec } from "../build/model.js";

/** A tensor with the layout of the parameters that an optimiser keeps between steps. All start at zero. */
export type OptimizerState = "first_moment" | "second_moment" | "momentum" | "average";

/**
 * The states in the order in which the `optimizer` segment holds them. `average` is the exponential moving average of the
 * parameters; it takes their values in step 0.
 */
export function optimizerStates(
  optimizer: Pick<OptimizerSpec, "kind" | "momentum">,
  ema: number | undefined,
): readonly OptimizerState[] {
  const average: readonly OptimizerState[] = ema === undefined ? [] : ["average"];
  switch (optimizer.kind) {
    case "sgd":
      return optimizer.momentum === 0 ? average : ["momentum", ...average];
    case "adam":
    case "adamw":
      return ["first_moment", "second_moment", ...average];
  }
}
