/** Optimisers and learning-rate schedules, as written in `train` blocks. */
import { buildMessages as messages } from "../../../dsl/diagnostics/messages/build.js";
import { fail } from "../context.js";
import type { OptimizerSpec } from "../model.js";
import type { Arguments, Builtin } from "./arguments.js";

function optimizer(kind: OptimizerSpec["kind"], parameters: readonly string[]): Builtin {
  return {
    parameters: ["learning_rate", ...parameters.map((name) => `${name}?`)],
    run: (given) => ({
      kind: "optimizer",
      optimizer: {
        kind,
        learningRate: given.number("learning_rate"),
        momentum: given.number("momentum", 0),
        beta1: given.number("beta1", 0.9),
        beta2: given.number("beta2", 0.999),
        epsilon: given.number("epsilon", 1e-8),
        weightDecay: given.number("weight_decay", kind === "adamw" ? 0.01 : 0),
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
        warmup: given.int("warmup", 0),
        from: given.number("from", 0),
        final: given.number("final", 0),
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
    run: (given) => fail(given.context, messages.notSupported, given.span, { what: "`sample` and its solvers" }),
  },
};
