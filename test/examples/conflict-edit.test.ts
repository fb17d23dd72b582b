import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Budget } from "../../examples/conflict-edit/budgets.js";
import { averaged, shuffled } from "../../examples/conflict-edit/evaluate.js";
import { type ObjectiveResult, runObjective } from "../../examples/conflict-edit/experiment.js";
import { conflictTasks, vocabulary } from "../../examples/conflict-edit/instructions.js";
import { writeResults } from "../../examples/conflict-edit/results.js";
import { compile, format, openDevice } from "../../src/index.js";
import { randomPictures } from "./pictures.js";

const file = "examples/conflict-edit/conflict-edit.weft";

describe("the conflict-edit example", () => {
  it("is formatted, has room for its vocabulary and as many tasks as the data", async () => {
    const text = await readFile(file, "utf8");
    assert.deepEqual(format(text, file), { text });
    const { model } = await compile(file);
    assert.ok((model.settings.words as number) >= vocabulary.length);
    assert.equal(model.settings.tasks, conflictTasks.length);
  });

  it("has a static operator with as many numbers as its generator, within one rank", async () => {
    const { model } = await compile(file, { settings: { words: vocabulary.length } });
    const numbers = (stage: string): number => {
      const { update } = model.stages.find(({ name }) => name === stage)!;
      return model.parameters
        .filter(({ path }) => update.some((above) => path === above || path.startsWith(`${above}.`)))
        .reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0);
    };
    const oneRank = numbers("shared") / (model.settings.rank as number);
    assert.ok(Math.abs(numbers("wide") - numbers("full")) <= oneRank / 2, `${numbers("wide")} and ${numbers("full")}`);
  });

  it("runs all variants and controls, writes the results, and does nothing twice", async () => {
    const folder = await mkdtemp(join(tmpdir(), "conflict-edit-"));
    const open = await openDevice("cpu");
    try {
      const budget: Budget = {
        name: "short",
        seeds: [1, 2],
        objectives: ["flow"],
        pretrain: 3,
        steps: 2,
        sweep: true,
        pictures: 12,
      };
      let trained = 0;
      const run = (): Promise<ObjectiveResult> =>
        runObjective(
          {
            file,
            folder,
            budget,
            pictures: randomPictures(18),
            open,
            settings: {
              dim: 16,
              depth: 1,
              heads: 2,
              condition: 16,
              wide_rank: 3,
              generator_depth: 1,
              segment: 16,
              euler_steps: 2,
            },
            report: (event) => {
              if (event.kind === "stage") trained++;
            },
            log: () => {},
          },
          "flow",
        );
      const first = await run();
      // Two seeds are pretrained; five variants are trained at three learning rates on the first and at one on the second.
      assert.equal(trained, 2 + 15 + 5);
      const printed: string[] = [];
      await writeResults(folder, folder, budget, [first], (text) => printed.push(text));
      const results = JSON.parse(await readFile(join(folder, "results.json"), "utf8"));
      assert.equal(results.seeds, 2);
      for (const name of ["copy", "base", "single", "shared", "wide", "sft", "full", "average", "shuffle"]) {
        const variant = results.variants[name];
        assert.ok(Number.isFinite(variant.psnr.mean) && Number.isFinite(variant.psnr.sd), name);
        assert.ok(variant.ssim.mean <= 1, name);
        assert.ok(variant.winRate.low <= variant.winRate.mean && variant.winRate.mean <= variant.winRate.high, name);
        assert.deepEqual(
          Object.keys(variant.tasks),
          conflictTasks.map((task) => task.name),
          name,
        );
      }
      assert.match(printed.join("\n"), /Generated per instance/);
      const report = await readFile(join(folder, "report.html"), "utf8");
      assert.match(report, /Loss curves/);
      assert.ok(!/<script|src="http/.test(report), "the page stands alone");

      trained = 0;
      assert.deepEqual((await run()).seeds, first.seeds);
      assert.equal(trained, 0, "finished variants are not trained again");
    } finally {
      await open.device.close();
      await rm(folder, { recursive: true });
    }
  }).timeout(120_000);

  it("averages and shuffles operators: one for all, and never its own", () => {
    const tokens = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8);
    assert.deepEqual([...averaged(tokens, 4)], [4, 5, 4, 5, 4, 5, 4, 5]);
    const rows = [0, 0, 1, 1].map((task, picture) => ({ picture, task, phrase: "" }));
    const everywhere = shuffled(tokens, rows, false);
    for (let row = 0; row < 4; row++) assert.notEqual(everywhere[2 * row], tokens[2 * row]);
    assert.deepEqual([...shuffled(tokens, rows, true)], [3, 4, 1, 2, 7, 8, 5, 6]);
  });
});
