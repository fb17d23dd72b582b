import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { availableParallelism, loadavg } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { builtPackage, temporaryFolder } from "../cli/support.js";

const run = promisify(execFile);

describe("the time to the first step of the conflict-edit example's generator", () => {
  let script: string;
  before(async () => {
    const folder = await builtPackage();
    const index = pathToFileURL(join(folder, "dist/src/index.js")).href;
    const model = join(folder, "dist/examples/conflict-edit/conflict-edit.weft");
    script = `
      const { compile, openDevice, trainingPrograms } = await import(${JSON.stringify(index)});
      const begun = performance.now();
      const compiled = await compile(${JSON.stringify(model)});
      const open = await openDevice("cpu");
      const stage = compiled.model.stages.find(({ name }) => name === "full");
      const programs = trainingPrograms(compiled, open);
      compiled.model.entryPoint(stage.on);
      const step = await programs.step(stage);
      console.log(JSON.stringify({ seconds: (performance.now() - begun) / 1000, launches: step.program.step.length, batch: step.program.batch }));
      step.free();
      await open.device.close();`;
  });

  async function measure(cache: string): Promise<number> {
    const environment = { ...process.env, WEFT_CACHE: cache };
    const { stdout } = await run(process.execPath, ["--input-type=module", "-e", script], { env: environment });
    const { seconds, launches, batch } = JSON.parse(stdout) as Record<"seconds" | "launches" | "batch", number>;
    assert.ok(launches > 100 && batch === 16);
    return seconds;
  }

  /** Where other work is waiting for the processors, as much more time is given. */
  const share = (): number => Math.max(1, loadavg()[0]! / availableParallelism());

  it("is under ten seconds with nothing compiled before, and under one in the processes after", async function () {
    this.timeout(120_000);
    const cache = await temporaryFolder();
    const cold = await measure(cache);
    assert.ok(cold < 10 * share(), `cold: ${cold} s`);
    // The median of three; two that are quick are enough to know it.
    const warm = [await measure(cache), await measure(cache)];
    if (!warm.every((seconds) => seconds < share())) warm.push(await measure(cache));
    assert.ok(warm.filter((seconds) => seconds < share()).length >= 2, `warm: ${warm.join(", ")} s`);
  });
});
