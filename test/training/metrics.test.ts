import assert from "node:assert/strict";
import { readCurves } from "../../runtime/training/curves.js";
import { openMetrics } from "../../runtime/training/metrics.js";
import { memoryHost } from "./memory-host.js";

const line = (step: number) => ({
  step,
  loss: 1 / step,
  gradient_norm: 0.1,
  learning_rate: 0.01,
  seconds: step,
  examples_per_second: 8,
});
const path = "run/base/metrics.jsonl";

describe("metrics", () => {
  it("are empty where nothing was recorded", async () => {
    assert.deepEqual(await readCurves(memoryHost(), "run/base"), { steps: [], evaluations: [] });
  });

  it("are read without the line that a crash tore", async () => {
    const host = memoryHost();
    await host.appendText(
      path,
      `${JSON.stringify(line(1))}\n{"step":1,"evaluation":"quality","values":{"output":3}}\n{"step":2,"loss":0.5,"gra`,
    );
    const curves = await readCurves(host, "run/base");
    assert.deepEqual(curves.steps, [line(1)]);
    assert.deepEqual(curves.evaluations, [{ step: 1, evaluation: "quality", values: { output: 3 } }]);
  });

  it("give numbers that are not finite as NaN", async () => {
    const host = memoryHost();
    const log = await openMetrics(host, "run/base", 0);
    log.write({ step: 1, evaluation: "quality", values: { output: Number.NaN } });
    await log.flush();
    assert.deepEqual((await readCurves(host, "run/base")).evaluations[0]!.values, { output: Number.NaN });
  });

  it("are cut where the steps run again, so that none appears twice", async () => {
    const host = memoryHost();
    const first = await openMetrics(host, "run/base", 0);
    for (const step of [1, 2, 3, 4]) first.write(line(step));
    first.write({ step: 4, evaluation: "quality", values: { output: 1 } });
    await first.flush();
    await host.appendText(path, '{"step":5,"lo');
    const second = await openMetrics(host, "run/base", 3);
    for (const step of [4, 5]) second.write(line(step));
    await second.flush();
    const { steps, evaluations } = await readCurves(host, "run/base");
    assert.deepEqual(
      steps.map(({ step }) => step),
      [1, 2, 3, 4, 5],
    );
    assert.deepEqual(evaluations, []);
  });

  it("keep every 32-bit float apart", async () => {
    const host = memoryHost();
    const log = await openMetrics(host, "run/base", 0);
    const losses = [Math.fround(0.1), Math.fround(1 / 3), 1.1754943508222875e-38, 3.4028234663852886e38];
    losses.forEach((loss, index) => {
      log.write({ ...line(index + 1), loss });
    });
    await log.flush();
    assert.deepEqual(
      (await readCurves(host, "run/base")).steps.map(({ loss }) => Math.fround(loss)),
      losses,
    );
  });

  it("say when they could not be written", async () => {
    const host = { ...memoryHost(), appendText: async () => Promise.reject(new Error("the disk is full")) };
    const log = await openMetrics(host, "run/base", 0);
    log.write(line(1));
    await assert.rejects(log.flush(), /the disk is full/);
  });
});
