import assert from "node:assert/strict";
import { measureDispatch } from "../../bench/webgpu/dispatch-cost.js";

describe("host time of WebGPU dispatches", () => {
  it("stays within 1.4 of a bare loop over the same pipelines and bind groups", async () => {
    const { steps, bare } = await measureDispatch({ rounds: 12, stepsPerRound: 10 });
    const ratio = Math.min(...steps) / Math.min(...bare);
    assert.ok(ratio <= 1.4, `a dispatch takes ${Math.min(...steps)} ns, in a bare loop ${Math.min(...bare)} ns`);
  });
});
