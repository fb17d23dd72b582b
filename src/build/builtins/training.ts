/** Optimisers and learning-rate schedules, as written in `train` blocks, and solvers of `sample` blocks. */
import type { OptimizerSpec } from "../model.js";
import type { Arguments, Builtin } from "./arguments.js";

function notNegative(given: Arguments, name: string, fallback: number): number {
  const value = given.number(name, fallback);
  return value >= 0 ? value : given.refuse(name, "at least 0");
}

/** What a moving average keeps of its past at each step: with 1 it would never learn. */
function decay(given: Arguments, name: string, fallback: number): number {
  const value = given.number(name, fallback);
  return value >= 0 && value < 1 ? value : given.refuse(name, "at least 0 and below 1");
}

function fraction(given: Arguments, name: string): number {
  const value = given.number(name, 0);
  return value >= 0 && value <= 1 ? value : given.refuse(name, "from 0 to 1");
}

function optimizer(kind: OptimizerSpec["kind"], parameters: readonly string[]): Builtin {
  return {
    parameters: ["learning_rate", ...parameters.map((name) => `${name}?`)],
    run: (given) => ({
      kind: "optimizer",
      optimizer: {
        kind,
        learningRate: notNegative(given, "learning_rate", 0),
        momentum: decay(given, "momentum", 0),
        beta1: decay(given, "beta1", 0.9),
        beta2: decay(given, "beta2", 0.999),
        epsilon: notNegative(given, "epsilon", 1e-8),
        weightDecay: notNegative(given, "weight_decay", kind === "adamw" ? 0.01 : 0),
      },
    }),
  };
}

function schedule(kind: "linear" | "cosine", parameters: readonly string[]): Builtin {
  return {
    parameters,
    run: (given: Arguments) => ({
      kind: "schedule",
      schedule: {
        kind,
        warmup: given.has("warmup") ? given.size("warmup") : 0,
        from: fraction(given, "from"),
        final: notNegative(given, "final", 0),
      },
    }),
  };
}

export const trainingBuiltins: Readonly<Record<string, Builtin>> = {
  sgd: optimizer("sgd", ["momentum"]),
  adam: optimizer("adam", ["beta1", "beta2", "epsilon"]),
  adamw: optimizer("adamw", ["weight_decay", "beta1", "beta2", "epsilon"]),
  linear: schedule("linear", ["warmup?", "from?", "final?"]),
  cosine: schedule("cosine", ["warmup?", "final?"]),
  euler: {
    parameters: ["steps"],
    run: (given) => {
      const steps = given.int("steps");
      return steps >= 1
        ? { kind: "solver", solver: { kind: "euler", steps } }
        : given.refuse("steps", "an int of at least 1");
    },
  },
};
