import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { conflictTasks } from "../../examples/conflict-edit/instructions.js";
import { compileZoo, runZoo, sizesOf, type ZooOptions } from "../../examples/interface-zoo/experiment.js";
import { budget, type ComparedInterface, comparedInterfaces } from "../../examples/interface-zoo/interfaces.js";
import { writeResults } from "../../examples/interface-zoo/results.js";
import { format, type OpenDevice, openDevice } from "../../src/index.js";
import { randomPictures } from "./pictures.js";

const file = "examples/interface-zoo/interface-zoo.weft";

const named = (name: string): ComparedInterface => comparedInterfaces.find((compared) => compared.name === name)!;

const numbersOf = async (compared: ComparedInterface): Promise<number> =>
  sizesOf((await compileZoo(file, compared)).model).generated;

describe("the interface zoo", () => {
  it("is formatted", async () => {
    const text = await readFile(file, "utf8");
    assert.deepEqual(format(text, file), { text });
  });

  for (const compared of comparedInterfaces) {
    it(`builds ${compared.applied} in the largest size that keeps to the budget`, async () => {
      const { model } = await compileZoo(file, compared);
      assert.deepEqual(
        model.entryPoint("loss").outputs.map(({ shape }) => shape),
        [[]],
      );
      const { generated } = sizesOf(model);
      assert.ok(generated <= budget, `${generated}`);
      if (compared.larger === undefined) return;
      const larger = await numbersOf({ ...compared, applied: compared.larger });
      assert.ok(larger > budget, `${compared.larger}: ${larger}`);
    });
  }

  it("has generators of one design: as wide and as deep, whatever they write", async () => {
    const blocks = async (compared: ComparedInterface): Promise<unknown[]> =>
      (await compileZoo(file, compared)).model.parameters
        .filter(({ path }) => path.startsWith("generator.blocks."))
        .map(({ path, shape }) => [path, shape]);
    const [first, ...others] = [named("LoRA"), named("IA3"), named("Adapter"), named("Prefix")];
    for (const other of others) assert.deepEqual(await blocks(other), await blocks(first!), other.name);
  });

  describe("runs", function () {
    this.timeout(60_000);
    let open: OpenDevice;
    let folder: string;
    before(async () => {
      open = await openDevice("cpu");
      folder = await mkdtemp(join(tmpdir(), "interface-zoo-"));
    });
    after(async () => {
      await open.device.close();
      await rm(folder, { recursive: true });
    });

    const stages: string[] = [];
    const optionsFor = (...names: readonly string[]): ZooOptions => ({
      file,
      folder,
      interfaces: names.map(named),
      pretrain: 2,
      steps: 2,
      heldOut: 2,
      seed: 1,
      pictures: randomPictures(9),
      open,
      settings: { dim: 32, depth: 1, heads: 2, columns: 16, generator_depth: 1, condition: 16 },
      report: (event) => {
        if (event.kind === "stage") stages.push(event.stage);
      },
      log: () => {},
    });

    it("all interfaces on one backbone, and goes on with those that are missing", async () => {
      const first = await runZoo(optionsFor("LoRA", "OFT"));
      assert.deepEqual(stages.splice(0), ["pretrain", "generate", "generate"]);
      const all = await runZoo(optionsFor("LoRA", "OFT", "Prefix"));
      assert.deepEqual(stages.splice(0), ["generate"]);
      assert.deepEqual(all.interfaces.slice(0, 2), first.interfaces);
      assert.equal(all.edits, 2 * conflictTasks.length);
      for (const { name, psnr, ssim, trained, millisecondsPerStep } of all.interfaces) {
        assert.ok(Number.isFinite(psnr) && ssim <= 1 && trained > 0 && millisecondsPerStep > 0, name);
      }
      assert.equal(
        new Set([all.base, ...all.interfaces].map(({ error }) => error)).size,
        4,
        "each has edits of its own",
      );
    });

    it("write a table, a file of results and a page that stands alone", async () => {
      const options = optionsFor("LoRA", "OFT");
      const printed: string[] = [];
      await writeResults(options, await runZoo(options), (text) => printed.push(text));
      assert.match(printed.join("\n"), /^LoRA .* LoRA\(rank: 2, alpha: 2\.0, std: 0\.1\)$/m);
      const results = JSON.parse(await readFile(join(folder, "results.json"), "utf8"));
      assert.deepEqual([results.budget, results.steps, results.interfaces.length], [budget, 2, 2]);
      const report = await readFile(join(folder, "report.html"), "utf8");
      assert.match(report, /Loss curves/);
      assert.ok(!/<script|src="http/.test(report));
    });
  });
});
