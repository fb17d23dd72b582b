import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readCurves } from "../../runtime/training/curves.js";
import { nodeHost } from "../../src/cli/host.js";
import { run } from "./killed-run.js";

/** Kills in all; more of them in nightly runs. */
const kills = Number(process.env.WEFT_KILLS ?? 3);

/** Starts the run in another process; kills it so many milliseconds after it began to train. Whether it got to its end before. */
async function startAndKill(folder: string, after: number): Promise<boolean> {
  const script = fileURLToPath(new URL("killed-run.ts", import.meta.url));
  const child = spawn(process.execPath, ["--import", "tsx", script], {
    env: { ...process.env, WEFT_KILLED_RUN: folder },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let printed = "";
  let timer: NodeJS.Timeout | undefined;
  child.stdout.on("data", (text: Buffer) => {
    printed += text.toString();
    timer ??= setTimeout(() => child.kill("SIGKILL"), after);
  });
  const [code, signal] = await once(child, "close");
  clearTimeout(timer);
  assert.ok(code === 0 || signal === "SIGKILL", `the run ended with ${code ?? signal}`);
  return printed.includes("done");
}

describe("a run that is killed again and again", function () {
  this.timeout(30_000 + 10_000 * kills);
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "weft-kill-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it("ends with the bytes of an unbroken one", async () => {
    const unbroken = await run(join(folder, "unbroken"), 0);
    const broken = join(folder, "broken");
    let killed = 0;
    while (killed < kills) {
      // Once a run gets to its end, the next one starts afresh.
      if (await startAndKill(broken, 20 + Math.random() * 400)) {
        assert.deepEqual(await run(broken, 0), unbroken);
        await rm(broken, { recursive: true, force: true });
      } else {
        killed++;
      }
    }
    assert.deepEqual(await run(broken, 0), unbroken);
    for (const stage of ["base", "shift"]) {
      const { steps } = await readCurves(nodeHost(), join(broken, stage));
      assert.deepEqual(
        steps.map(({ step }) => step),
        Array.from({ length: 60 }, (_, index) => index + 1),
      );
      const left = (await readdir(join(broken, stage))).filter((name) => !/^\..*\.partial$/.test(name));
      assert.deepEqual(left.sort(), ["final.safetensors", "metrics.jsonl"]);
    }
  });
});
