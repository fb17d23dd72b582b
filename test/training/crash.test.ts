import assert from "node:assert/strict";
import type { Host } from "../../dsl/host.js";
import { readCurves } from "../../runtime/training/curves.js";
import { train } from "../../runtime/training/train.js";
import { baseStage, fakePrograms, linearModel, points } from "./linear-model.js";
import { memoryHost } from "./memory-host.js";

type Change = "before" | "after";

/** The host, until its `last`-th change of a file: that one fails (before or after it happened; appended text may be half there), and so do all later. */
function crashing(host: Host, last: number, change: Change): Host {
  let changes = 0;
  const guarded = async (action: () => Promise<void>, half: () => Promise<void> = async () => {}): Promise<void> => {
    changes++;
    if (changes < last) return action();
    if (changes === last) await (change === "after" ? action() : half());
    throw new Error("crash");
  };
  return {
    ...host,
    writeBytes: (path, bytes) => guarded(() => host.writeBytes(path, bytes)),
    appendText: (path, text) =>
      guarded(
        () => host.appendText(path, text),
        () => host.appendText(path, text.slice(0, text.length / 2)),
      ),
    remove: (path) => guarded(() => host.remove(path)),
  };
}

describe("a crash at every change of a file", () => {
  const model = linearModel({
    stages: [
      { ...baseStage, steps: 9 },
      { ...baseStage, name: "shift", update: ["shift"], after: "base", steps: 5 },
    ],
    evaluations: [
      {
        name: "quality",
        on: "loss",
        after: "base",
        data: [{ name: "points", weight: 1 }],
        where: [],
        batch: 16,
        every: 4,
        span: baseStage.span,
      },
    ],
  });
  const run = (host: Host) =>
    train({
      model,
      stage: "shift",
      seed: 1,
      folder: "run",
      host,
      programs: fakePrograms(model),
      data: [points()],
      checkpoint: { steps: 2 },
    });
  const results = (host: ReturnType<typeof memoryHost>) =>
    ["base", "shift"].map((stage) => host.files.get(`run/${stage}/final.safetensors`));

  for (const change of ["before", "after"] as const) {
    it(`${change} it is done: the run goes on and ends with the same bytes and metrics`, async () => {
      const unbroken = memoryHost();
      await run(unbroken);
      const curves = async (host: Host) => {
        const { steps, evaluations } = await readCurves(host, "run/base");
        return { losses: steps.map(({ step, loss }) => [step, loss]), evaluations };
      };
      const expected = await curves(unbroken);
      assert.equal(expected.evaluations.length, 3);
      let crashes = 0;
      for (let last = 1; ; last++) {
        const host = memoryHost();
        try {
          await run(crashing(host, last, change));
          break;
        } catch (error) {
          assert.equal((error as Error).message, "crash");
        }
        crashes++;
        await run(host);
        assert.deepEqual(results(host), results(unbroken), `crash at change ${last}`);
        assert.deepEqual(await curves(host), expected, `crash at change ${last}`);
        assert.deepEqual(
          await host.list("run/base"),
          ["final.safetensors", "metrics.jsonl"],
          `crash at change ${last}`,
        );
      }
      assert.ok(crashes > 10, `${crashes} crashes`);
    });
  }
});
