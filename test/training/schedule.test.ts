import assert from "node:assert/strict";
import { learningRate, scheduleFactor } from "../../runtime/training/schedule.js";
import type { ScheduleSpec } from "../../src/build/model.js";
import { adamw } from "./linear-model.js";

const schedule = (changes: Partial<ScheduleSpec>): ScheduleSpec => ({
  kind: "constant",
  warmup: 0,
  from: 0,
  final: 0,
  ...changes,
});
const factors = (changes: Partial<ScheduleSpec>, steps: number): number[] =>
  Array.from({ length: steps }, (_, step) => Number(scheduleFactor(schedule(changes), step, steps).toFixed(6)));

describe("the learning rate's schedule", () => {
  it("is constant", () => {
    assert.deepEqual(factors({}, 4), [1, 1, 1, 1]);
  });

  it("rises linearly through the warm-up, from its first step on", () => {
    assert.deepEqual(factors({ warmup: 4 }, 6), [0.25, 0.5, 0.75, 1, 1, 1]);
  });

  it("falls linearly from a fraction of all steps", () => {
    assert.deepEqual(factors({ kind: "linear", from: 0.5 }, 8), [1, 1, 1, 1, 1, 0.75, 0.5, 0.25]);
    assert.deepEqual(factors({ kind: "linear", from: 0.5, final: 0.2 }, 4), [1, 1, 1, 0.6]);
  });

  it("falls along half a cosine after the warm-up", () => {
    assert.deepEqual(factors({ kind: "cosine", warmup: 1 }, 5), [1, 1, 0.853553, 0.5, 0.146447]);
    assert.deepEqual(factors({ kind: "cosine", final: 0.5 }, 4), [1, 0.926777, 0.75, 0.573223]);
  });

  it("stays in range when the warm-up is longer than the stage", () => {
    assert.deepEqual(factors({ kind: "cosine", warmup: 10 }, 3), [0.1, 0.2, 0.3]);
    assert.deepEqual(factors({ kind: "linear", warmup: 3 }, 3), [0.333333, 0.666667, 1]);
  });

  it("scales the optimiser's rate, as a 32-bit float", () => {
    const rate = learningRate({ ...adamw, learningRate: 0.1 }, schedule({ warmup: 3 }), 0, 10);
    assert.equal(rate, Math.fround(0.1 / 3));
  });
});
