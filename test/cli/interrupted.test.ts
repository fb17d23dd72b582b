import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { nodeHost } from "../../src/cli/host.js";
import { readCurves } from "../../src/index.js";
import { model, type Started, start, temporaryFolder, weft, weftProcess } from "./support.js";
import { tables } from "./training-data.js";

/** How often a run is interrupted or killed, over all tests here. */
const kills = Number(process.env.WEFT_KILLS ?? 3);

const steps = 1000;
const stages = ["base", "tune"];

describe("an interrupted training run", () => {
  let folder: string;
  let data: readonly string[];
  before(async () => {
    folder = await temporaryFolder();
    data = await tables(folder);
  });

  const command = (run: string, ...flags: readonly string[]): string[] => [
    ...["train", model("regression"), "tune", ...data, "--set", `steps=${steps}`, "--run", join(folder, run)],
    ...["--device", "cpu", "--threads", "2", "--checkpoint-every", "50", ...flags],
  ];
  const results = (run: string): Promise<Buffer[]> =>
    Promise.all(stages.map((stage) => readFile(join(folder, run, stage, "final.safetensors"))));

  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

  /** Sends a signal a while after the process began, or after its training did. */
  async function interrupt({ child, said, outcome }: Started, signal: NodeJS.Signals, wait: number, training: boolean) {
    if (training) await Promise.any([said(" steps\n"), said("goes on after step")]).catch(() => undefined);
    const timer = setTimeout(() => child.kill(signal), wait);
    const ended = await outcome;
    clearTimeout(timer);
    return ended;
  }

  /** Trains in a folder, at most so many times interrupted; returns when and how it was. */
  async function trainInterrupted(run: string, most: number, duration: number): Promise<string[]> {
    const moments: string[] = [];
    while (moments.length < most) {
      const signal = moments.length % 2 === 0 ? "SIGKILL" : "SIGINT";
      const training = moments.length % 3 !== 2;
      const wait = Math.random() * (training ? duration / 5 : duration / 2);
      const ended = await interrupt(await start(command(run, "--resume")), signal, wait, training);
      if (ended.code === 0) return moments;
      moments.push(`${signal} ${wait.toFixed(0)} ms after ${training ? "training" : "it"} began`);
      if (signal === "SIGKILL") assert.equal(ended.signal, "SIGKILL", `${moments}: ${ended.stderr}`);
      else if (ended.signal !== "SIGINT") {
        assert.equal(ended.code, 1, `${moments}: ${ended.stderr}`);
        assert.match(ended.stdout, /^stopped at step \d+ of (base|tune); go on with --resume\n$/);
      }
    }
    const last = await weftProcess(command(run, "--resume"));
    assert.equal(last.code, 0, `${moments}: ${last.stderr}`);
    return moments;
  }

  it("goes on with --resume after any signal at any moment, and ends with the same bytes as an unbroken one", async function () {
    this.timeout(60_000 + 10_000 * kills);
    const begun = performance.now();
    const unbroken = await weftProcess(command("unbroken"));
    assert.equal(unbroken.code, 0, unbroken.stderr);
    const duration = performance.now() - begun;
    const expected = await results("unbroken");

    const interrupted: number[] = [];
    // Now and then a run is over before its signal comes; then another one takes the kills that are left.
    for (let number = 0; sum(interrupted) < kills && number < kills + 2; number++) {
      const run = `broken-${number}`;
      const moments = await trainInterrupted(run, kills - sum(interrupted), duration);
      interrupted.push(moments.length);
      const found = await results(run);
      for (const [place, stage] of stages.entries()) {
        assert.ok(found[place]!.equals(expected[place]!), `${stage} differs after ${moments.join(", ")}`);
        const read = await readCurves(nodeHost(), join(folder, run, stage));
        assert.deepEqual(
          read.steps.map(({ step }) => step),
          Array.from({ length: steps }, (_, place) => place + 1),
          moments.join(", "),
        );
        const left = (await readdir(join(folder, run, stage))).filter((name) => !name.endsWith(".partial"));
        assert.deepEqual(left.sort(), ["final.safetensors", "metrics.jsonl"]);
      }
      assert.deepEqual((await readdir(join(folder, run))).sort(), stages);
    }
    assert.ok(sum(interrupted) > kills / 2, `of ${kills} signals only ${sum(interrupted)} came in time`);
  });

  it("keeps other processes out while it lasts, stops when asked to, and is not begun anew by mistake", async () => {
    // More steps than the test waits for.
    const long = [...command("busy"), "--set", "hidden=24", "--set", "dim=4"].map((part) =>
      part === `steps=${steps}` ? "steps=1000000" : part,
    );
    const first = await start(long);
    await first.said("saved");
    const second = await weft(...long, "--resume");
    assert.equal(second.code, 1);
    assert.match(second.stderr, new RegExp(`busy is in use: process ${first.child.pid} trains there`));

    first.child.kill("SIGINT");
    const stopped = await first.outcome;
    assert.equal(stopped.code, 1);
    const step = /^stopped at step (\d+) of base; go on with --resume\n$/.exec(stopped.stdout)?.[1];
    assert.ok(step, stopped.stdout);
    assert.ok(stopped.stderr.includes(`base: stopped after step ${step} of 1000000 (`), stopped.stderr);

    const anew = await weft(...long);
    assert.equal(anew.code, 1);
    assert.match(
      anew.stderr,
      /^weft: .*busy\/base holds an unfinished run; go on with --resume, or choose another folder with --run\n$/,
    );
    const other = await weft(...long, "--resume", "--seed", "5");
    assert.equal(other.code, 1);
    assert.match(other.stderr, /seed: was 0, is now 5/);
  });
});
