import assert from "node:assert/strict";
import { drawInto, normalsFromWords, philox, uniformFromWord } from "../../src/primitives/philox.js";

const ones = 0xffffffff;

describe("Philox-4x32-10", () => {
  it("gives the known answers of Random123", () => {
    assert.deepEqual(philox([0, 0, 0, 0], [0, 0]), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
    assert.deepEqual(philox([ones, ones, ones, ones], [ones, ones]), [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]);
    assert.deepEqual(
      philox([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]),
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    );
  });

  it("takes negative numbers as their 32 bits", () => {
    assert.deepEqual(philox([-1, -1, -1, -1], [-1, -1]), philox([ones, ones, ones, ones], [ones, ones]));
  });

  it("maps words to [0, 1) by their upper 24 bits", () => {
    assert.equal(uniformFromWord(0), 0);
    assert.equal(uniformFromWord(ones), 1 - 2 ** -24);
    assert.equal(uniformFromWord(0x80000000), 0.5);
    assert.equal(uniformFromWord(0xff), 0);
  });

  it("keeps normals finite for every word", () => {
    for (const radius of [0, ones]) {
      for (const angle of [0, ones]) assert.ok(normalsFromWords(radius, angle).every(Number.isFinite));
    }
  });

  it("draws elements from words of their own counter, whatever their number", () => {
    const stream = { seed: 5, key: 77, row: 3, step: 9 };
    const words = [0, 1].flatMap((block) => philox([block, 3, 9, 0], [5, 77]));
    const uniforms = new Float64Array(8);
    drawInto("uniform", stream, uniforms, 1, 7);
    assert.deepEqual([...uniforms], [0, ...words.slice(0, 7).map(uniformFromWord)]);
    const normals = new Float64Array(6);
    drawInto("normal", stream, normals, 0, 6);
    const pairs = [normalsFromWords(words[0]!, words[1]!), normalsFromWords(words[2]!, words[3]!)];
    assert.deepEqual([...normals], [...pairs.flat(), ...normalsFromWords(words[4]!, words[5]!)]);
  });

  it("draws normals with mean 0 and variance 1", () => {
    const draws = new Float64Array(20000);
    drawInto("normal", { seed: 1, key: 2, row: 0, step: 0 }, draws, 0, draws.length);
    const mean = draws.reduce((sum, x) => sum + x, 0) / draws.length;
    const variance = draws.reduce((sum, x) => sum + (x - mean) ** 2, 0) / draws.length;
    assert.ok(Math.abs(mean) < 0.03, `mean ${mean}`);
    assert.ok(Math.abs(variance - 1) < 0.04, `variance ${variance}`);
  });
});
