import assert from "node:assert/strict";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import {
  conflictTasks,
  encode,
  genericTasks,
  instructionLength,
  pairs,
} from "../../examples/conflict-edit/instructions.js";
import { pairedWinRate, peakSignalToNoise, structuralSimilarity } from "../../examples/conflict-edit/metrics.js";
import { familyOf, loadPictures, pictureNumbers } from "../../examples/conflict-edit/pictures.js";

describe("conflict-edit data", () => {
  it("puts skin tones and genders of one emoji into one family", () => {
    assert.equal(familyOf("1f469-1f3fb-200d-1f4bb.svg"), familyOf("1f468-200d-1f4bb.svg"));
    assert.notEqual(familyOf("1f4bb.svg"), familyOf("1f4be.svg"));
  });

  it("reads a folder of pictures, crops and scales them, and names and skips a broken file", async () => {
    const folder = await mkdtemp(join(tmpdir(), "pictures-"));
    for (let i = 0; i < 24; i++) {
      const format = (["png", "jpeg", "webp"] as const)[i % 3]!;
      await sharp({ create: { width: 40 + i, height: 64, channels: 3, background: { r: 10 * i, g: 100, b: 50 } } })
        .toFormat(format)
        .toFile(join(folder, `picture${i}.${format}`));
    }
    await writeFile(join(folder, "broken.png"), "not a picture");
    const warnings: string[] = [];
    const pictures = await loadPictures(folder, (message) => warnings.push(message));
    assert.equal(pictures.names.length, 24);
    assert.equal(pictures.pixels.length, 24 * pictureNumbers);
    assert.equal(warnings.length, 1);
    assert.match(warnings[0]!, /broken\.png/);
    const all = [...pictures.splits.train, ...pictures.splits.validation, ...pictures.splits.test];
    assert.deepEqual(
      all.sort((a, b) => a - b),
      Array.from({ length: 24 }, (_, i) => i),
    );
  });

  it("says which folder is missing or empty", async () => {
    await assert.rejects(
      loadPictures("/no/such/folder", () => {}),
      /\/no\/such\/folder/,
    );
    const folder = await mkdtemp(join(tmpdir(), "pictures-"));
    await assert.rejects(
      loadPictures(folder, () => {}),
      /no pictures/,
    );
  });

  it("words every instruction within its length, and no conflicting task as a pretraining task", () => {
    const generic = new Set(genericTasks.flatMap((task) => task.phrases));
    for (const task of [...conflictTasks, ...genericTasks]) {
      for (const phrase of task.phrases) assert.ok(encode(phrase).length <= instructionLength, phrase);
    }
    for (const task of conflictTasks) for (const phrase of task.phrases) assert.ok(!generic.has(phrase), phrase);
    assert.throws(() => encode("paint a whale"), /paint/);
  });

  it("pairs tasks that undo each other: the source of one is the target of the other", () => {
    const picture = Float32Array.from({ length: pictureNumbers }, (_, i) => ((i * 7919) % 256) / 255);
    for (const { tasks } of pairs) {
      assert.deepEqual(tasks[0].source(picture), tasks[1].target(picture));
      assert.deepEqual(tasks[0].target(picture), tasks[1].source(picture));
      assert.notDeepEqual(tasks[0].source(picture), tasks[0].target(picture));
    }
  });

  it("scores: identical pictures have similarity 1, PSNR follows the error", () => {
    const picture = Float32Array.from({ length: pictureNumbers }, (_, i) => ((i * 31) % 97) / 96);
    assert.ok(Math.abs(structuralSimilarity(picture, picture) - 1) < 1e-12);
    assert.ok(
      structuralSimilarity(
        picture,
        picture.map((value) => 1 - value),
      ) < 0.2,
    );
    assert.equal(peakSignalToNoise(0.01), 20);
  });

  it("gives win rates with an interval that holds the mean, and draws pictures whole", () => {
    const ours = [1, 1, 1, 1, 5, 5];
    const theirs = [2, 2, 2, 2, 1, 1];
    const rate = pairedWinRate(ours, theirs, [0, 0, 1, 1, 2, 2]);
    assert.equal(rate.mean, 4 / 6);
    assert.ok(rate.low <= rate.mean && rate.mean <= rate.high);
    assert.equal(pairedWinRate([1, 1], [1, 1], [0, 1]).mean, 0.5);
  });
});
