/** What each optimiser does to one stretch of parameters. */
import type { OptimizerSpec } from "../build/model.js";
import type { GraphBuilder } from "../graph/builder.js";
import type { ValueId } from "../graph/node.js";
import { add, constant, divide, multiply, scale, sqrt, subtract } from "../primitives/operations.js";
import { biasCorrection } from "./scalars.js";
import type { OptimizerState } from "./states.js";

/** One stretch: f32 [elements] each, except `learningRate` f32 []. */
export interface Stretch {
  readonly parameters: ValueId;
  /** Clipped. */
  readonly gradients: ValueId;
  readonly learningRate: ValueId;
  state(name: OptimizerState): ValueId;
}

export interface Stepped {
  readonly parameters: ValueId;
  readonly states: ReadonlyMap<OptimizerState, ValueId>;
}

/** decay * old + (1 - decay) * fresh */
export const movingAverage = (b: GraphBuilder, decay: number, old: ValueId, fresh: ValueId): ValueId =>
  add(b, scale(b, old, decay), scale(b, fresh, 1 - decay));

export function step(b: GraphBuilder, optimizer: OptimizerSpec, stretch: Stretch): Stepped {
  switch (optimizer.kind) {
    case "sgd":
      return descend(b, optimizer, withPenalty(b, optimizer, stretch));
    case "adam":
      return adapt(b, optimizer, withPenalty(b, optimizer, stretch));
    case "adamw":
      return adapt(b, optimizer, withDecay(b, optimizer, stretch));
  }
}

/** L2 penalty: gradient + decay * parameter. */
function withPenalty(b: GraphBuilder, { weightDecay }: OptimizerSpec, stretch: Stretch): Stretch {
  if (weightDecay === 0) return stretch;
  return { ...stretch, gradients: add(b, stretch.gradients, scale(b, stretch.parameters, weightDecay)) };
}

/** Decoupled weight decay, before the step: parameter * (1 - rate * decay). Loshchilov and Hutter, arXiv:1711.05101. */
function withDecay(b: GraphBuilder, { weightDecay }: OptimizerSpec, stretch: Stretch): Stretch {
  if (weightDecay === 0) return stretch;
  const kept = subtract(b, constant(b, 1), scale(b, stretch.learningRate, weightDecay));
  return { ...stretch, parameters: multiply(b, stretch.parameters, kept) };
}

/** Stochastic gradient descent; the momentum is momentum * old + gradient, without dampening. */
function descend(b: GraphBuilder, { momentum }: OptimizerSpec, stretch: Stretch): Stepped {
  const { parameters, gradients, learningRate } = stretch;
  const direction = momentum === 0 ? gradients : add(b, scale(b, stretch.state("momentum"), momentum), gradients);
  return {
    parameters: subtract(b, parameters, multiply(b, direction, learningRate)),
    states: new Map(momentum === 0 ? [] : [["momentum", direction]]),
  };
}

/** Adam: Kingma and Ba, arXiv:1412.6980, algorithm 1. */
function adapt(b: GraphBuilder, { beta1, beta2, epsilon }: OptimizerSpec, stretch: Stretch): Stepped {
  const { parameters, gradients, learningRate } = stretch;
  const first = movingAverage(b, beta1, stretch.state("first_moment"), gradients);
  const second = movingAverage(b, beta2, stretch.state("second_moment"), multiply(b, gradients, gradients));
  const rate = divide(b, learningRate, biasCorrection(b, beta1));
  const spread = divide(b, constant(b, 1), sqrt(b, biasCorrection(b, beta2)));
  const root = add(b, multiply(b, sqrt(b, second), spread), constant(b, epsilon));
  return {
    parameters: subtract(b, parameters, divide(b, multiply(b, first, rate), root)),
    states: new Map([
      ["first_moment", first],
      ["second_moment", second],
    ]),
  };
}
