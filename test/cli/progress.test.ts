import assert from "node:assert/strict";
import { Writable } from "node:stream";
import type { TrainingEvent } from "../../runtime/training/events.js";
import { duration, showProgress } from "../../src/cli/progress.js";

function collecting(isTTY: boolean) {
  const pieces: string[] = [];
  const stream = new Writable({
    write(piece, _encoding, done) {
      pieces.push(String(piece));
      done();
    },
  });
  return { stream: Object.assign(stream, { isTTY, columns: 100 }), text: () => pieces.join("") };
}
const step = (number: number): TrainingEvent => ({
  kind: "step",
  stage: "edit",
  step: number,
  steps: 50,
  loss: 0.125,
  gradientNorm: 1,
  learningRate: 1e-3,
  examplesPerSecond: 321,
  secondsLeft: 75,
});
const evaluation: TrainingEvent = {
  kind: "evaluation",
  stage: "edit",
  step: 50,
  evaluation: "quality",
  values: { psnr: 25.5 },
};
const finished: TrainingEvent = {
  kind: "finished",
  stage: "edit",
  steps: 50,
  seconds: 3700,
  file: "runs/a/edit/final.safetensors",
};

describe("progress", () => {
  it("is a plain line now and then where there is no terminal", () => {
    const { stream, text } = collecting(false);
    let now = 0;
    const progress = showProgress(stream, () => now);
    progress.report({ kind: "stage", stage: "edit", step: 10, steps: 50 });
    for (let number = 11; number <= 50; number++) {
      progress.report(step(number));
      now += 1;
    }
    progress.report(evaluation);
    progress.report(finished);
    progress.close();
    assert.deepEqual(text().trimEnd().split("\n"), [
      "edit: goes on after step 10 of 50",
      ...[11, 21, 31, 41, 50].map((number) => `edit: step ${number}/50  loss 0.1250  321 examples/s  1 min 15 s left`),
      "edit: quality after step 50: psnr 25.5000",
      "edit: trained in 1 h 01 min (runs/a/edit/final.safetensors)",
    ]);
  });

  it("is a bar in a terminal, gives way to messages, and leaves the cursor as it was", () => {
    const { stream, text } = collecting(true);
    const progress = showProgress(
      Object.assign(stream, { cursorTo: () => true, clearLine: () => true, moveCursor: () => true }) as never,
    );
    progress.report({ kind: "stage", stage: "edit", step: 0, steps: 50 });
    progress.report(step(25));
    progress.report({ kind: "warning", text: "a checkpoint was torn" });
    progress.report(step(26));
    progress.report(finished);
    progress.close();
    assert.match(text(), /edit .*\/50/);
    assert.match(text(), /warning: a checkpoint was torn\n/);
    assert.match(text(), /edit: trained in 1 h 01 min \(.*\)\n/);
    const control = String.fromCharCode(27);
    assert.ok(text().lastIndexOf(`${control}[?25h`) > text().lastIndexOf(`${control}[?25l`));
  });

  it("shows times as people say them", () => {
    assert.deepEqual([4.4, 59.6, 61, 3599, 3660].map(duration), [
      "4 s",
      "1 min 00 s",
      "1 min 01 s",
      "59 min 59 s",
      "1 h 01 min",
    ]);
  });
});
