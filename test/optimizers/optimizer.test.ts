import assert from "node:assert/strict";
import { environmentOf } from "../../runtime/reference/environment.js";
import { interpret } from "../../runtime/reference/interpreter.js";
import type { OptimizerSpec } from "../../src/build/model.js";
import { verify } from "../../src/graph/verify.js";
import { type OptimizerGraphOptions, optimizerGraph } from "../../src/optimizers/optimizer.js";
import { optimizerStates } from "../../src/optimizers/states.js";
import { simplify } from "../../src/passes/simplify.js";

const spec = (changes: Partial<OptimizerSpec>): OptimizerSpec => ({
  kind: "sgd",
  learningRate: 0.1,
  momentum: 0,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
  ...changes,
});

const start = [0.5, -1.5, 2, 0.25, -0.75];
const learningRate = 0.1;

/** Gradients of a step. */
const gradientsOf = (step: number): number[] => start.map((_, index) => Math.sin(1 + step * 3 + index));

interface Memory {
  readonly parameters: Float64Array;
  readonly gradients: Float64Array;
  readonly optimizer: Float64Array;
}

/** Runs the graph over two stretches of segments in memory, as a device would; numbers 3.. of the parameters are not updated. */
function run(
  options: Pick<OptimizerGraphOptions, "optimizer" | "clip" | "ema">,
  gradients: readonly (readonly number[])[],
): { parameters: number[]; states: Record<string, number[]>; norms: number[] } {
  const ranges = [
    { offset: 0, elements: 2 },
    { offset: 4, elements: 1 },
  ];
  const stateStride = start.length;
  const graph = simplify(optimizerGraph({ ...options, ranges, stateStride }));
  verify(graph);
  const names = optimizerStates(options.optimizer, options.ema);
  const memory: Memory = {
    parameters: Float64Array.from(start),
    gradients: new Float64Array(stateStride),
    optimizer: new Float64Array(stateStride * names.length),
  };
  const norms = gradients.map((numbers, step) => {
    memory.gradients.set(numbers);
    const stored = new Map<string, Float64Array>();
    const places = new Map<string, Float64Array>();
    for (const node of graph.nodes) {
      if (node.primitive !== "range") continue;
      const { name, segment, offset, shape } = node.attributes;
      const place = memory[segment].subarray(offset, offset + shape[0]!);
      places.set(name, place);
      stored.set(name, place.slice());
    }
    const environment = environmentOf({ stored, scalars: { step, learning_rate: learningRate } });
    const { outputs, updates } = interpret(graph, environment);
    for (const [name, value] of updates) places.get(name)!.set(value.data);
    return outputs.get("gradient_norm")!.data[0]!;
  });
  const states = names.map((name, index) => {
    const data = memory.optimizer.subarray(index * stateStride, (index + 1) * stateStride);
    return [name, [...data]] as [string, number[]];
  });
  return { parameters: [...memory.parameters], states: Object.fromEntries(states), norms };
}

const updated = [0, 1, 4];
const steps = [0, 1, 2, 3, 4].map(gradientsOf);

function assertNear(actual: readonly number[], expected: readonly number[]): void {
  actual.forEach((number, index) => {
    assert.ok(Math.abs(number - expected[index]!) < 1e-12, `${actual} instead of ${expected}`);
  });
}

/** What each parameter becomes when `change` is applied to it alone, step by step; the others stay. */
const each = (change: (p: number, gradients: readonly number[]) => number): number[] =>
  start.map((p, index) =>
    updated.includes(index)
      ? change(
          p,
          steps.map((gradients) => gradients[index]!),
        )
      : p,
  );

/** Adam written as its paper has it. */
function adam(p: number, gradients: readonly number[], { penalty = 0, decay = 0 }): number {
  let [m, v] = [0, 0];
  gradients.forEach((gradient, index) => {
    const t = index + 1;
    const g = gradient + penalty * p;
    p -= learningRate * decay * p;
    m = 0.9 * m + 0.1 * g;
    v = 0.999 * v + 0.001 * g ** 2;
    p -= (learningRate * (m / (1 - 0.9 ** t))) / (Math.sqrt(v / (1 - 0.999 ** t)) + 1e-8);
  });
  return p;
}

describe("optimizerGraph", () => {
  it("descends along the gradient, on the stretches it is given only", () => {
    const { parameters } = run({ optimizer: spec({}) }, steps);
    assertNear(
      parameters,
      each((p, gradients) => gradients.reduce((value, gradient) => value - learningRate * gradient, p)),
    );
  });

  it("carries momentum", () => {
    const { parameters, states } = run({ optimizer: spec({ momentum: 0.9, weightDecay: 0.2 }) }, steps);
    const expected = each((p, gradients) => {
      let momentum = 0;
      for (const gradient of gradients) {
        momentum = 0.9 * momentum + gradient + 0.2 * p;
        p -= learningRate * momentum;
      }
      return p;
    });
    assertNear(parameters, expected);
    assert.deepEqual(Object.keys(states), ["momentum"]);
  });

  it("takes AdamW's steps, decaying weights before and apart from them", () => {
    const { parameters, states } = run({ optimizer: spec({ kind: "adamw", weightDecay: 0.3 }) }, steps);
    assertNear(
      parameters,
      each((p, gradients) => adam(p, gradients, { decay: 0.3 })),
    );
    assert.deepEqual(Object.keys(states), ["first_moment", "second_moment"]);
    assert.equal(states.first_moment![2], 0, "what is not updated has no moments");
  });

  it("takes Adam's steps, with weight decay in the gradient", () => {
    const { parameters } = run({ optimizer: spec({ kind: "adam", weightDecay: 0.3 }) }, steps);
    assertNear(
      parameters,
      each((p, gradients) => adam(p, gradients, { penalty: 0.3 })),
    );
  });

  it("keeps the first steps' digits in float32, where 1 - 0.999^t would lose them", () => {
    const ranges = [{ offset: 0, elements: 1 }];
    const graph = optimizerGraph({ optimizer: spec({ kind: "adamw" }), ranges, stateStride: 1 });
    const stored = new Map(
      graph.nodes.flatMap((node) => (node.primitive === "range" ? [[node.attributes.name, new Float64Array(1)]] : [])),
    );
    stored.get("gradients@0")!.fill(0.25);
    const environment = environmentOf({ stored, scalars: { step: 0, learning_rate: 1 } });
    const { updates } = interpret(graph, environment, (_, tensors) => {
      for (const { data } of tensors) data.set(Float32Array.from(data));
    });
    const exact = -0.25 / (0.25 + 1e-8);
    const actual = updates.get("parameters@0")!.data[0]!;
    assert.ok(Math.abs(actual / exact - 1) < 1e-6, `${actual}`);
  });

  it("reports the norm of all gradients and clips by it", () => {
    const norm = (numbers: readonly number[]) => Math.hypot(...updated.map((index) => numbers[index]!));
    const clipped = run({ optimizer: spec({}), clip: 0.5 }, steps);
    assertNear(clipped.norms, steps.map(norm));
    let expected = start;
    for (const gradients of steps) {
      const factor = Math.min(1, 0.5 / norm(gradients));
      expected = expected.map((p, index) =>
        updated.includes(index) ? p - learningRate * factor * gradients[index]! : p,
      );
    }
    assertNear(clipped.parameters, expected);
  });

  it("leaves short gradients, and none at all, unclipped", () => {
    const still = run({ optimizer: spec({}), clip: 100 }, [start.map(() => 0), ...steps]);
    assertNear(still.parameters, run({ optimizer: spec({}) }, steps).parameters);
  });

  it("averages the parameters from their value at step 0", () => {
    const { states } = run({ optimizer: spec({}), ema: 0.9 }, steps);
    const expected = each((p, gradients) => {
      let average = p;
      for (const gradient of gradients) {
        p -= learningRate * gradient;
        average = 0.9 * average + 0.1 * p;
      }
      return average;
    });
    assertNear(
      updated.map((index) => states.average![index]!),
      updated.map((index) => expected[index]!),
    );
  });

  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    it(`changes nothing when a gradient is ${bad}`, () => {
      const options = { optimizer: spec({ kind: "adamw" as const, weightDecay: 0.1 }), clip: 1, ema: 0.9 };
      const before = run(options, steps.slice(0, 2));
      const after = run(options, [...steps.slice(0, 2), [1, bad, 1, 1, 1]]);
      assert.deepEqual(after.parameters, before.parameters);
      assert.deepEqual(after.states, before.states);
      assert.ok(!Number.isFinite(after.norms[2]!));
    });
  }

  it("starts the average also when the first step is skipped", () => {
    const { states } = run({ optimizer: spec({}), ema: 0.9 }, [start.map(() => Number.NaN)]);
    assertNear(
      updated.map((index) => states.average![index]!),
      updated.map((index) => start[index]!),
    );
  });

  it("has nothing to do without parameters, and says so", () => {
    assert.throws(() => optimizerGraph({ optimizer: spec({}), ranges: [], stateStride: 1 }), /no parameters/);
  });
});
