import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import type { BuiltModel } from "../../src/build/build.js";
import { elementCount } from "../../src/graph/shape.js";
import { build } from "../build/support.js";
import { publishedName } from "./published.js";

describe("the published configuration", () => {
  let model: BuiltModel;
  before(async () => {
    const text = readFileSync(new URL("../../examples/hy-wu/hy-wu.weft", import.meta.url), "utf8");
    model = await build(text);
  });

  it("has a generator of 8,096,647,168 parameters in 779 tensors", () => {
    const generator = model.parameters.filter(({ path }) => path.startsWith("generator."));
    assert.equal(
      generator.reduce((sum, { shape }) => sum + elementCount(shape), 0),
      8_096_647_168,
    );
    assert.equal(generator.length, 779);
  });

  it("generates 722,993,152 numbers in 1379 tokens of 16 x 1024 for each of 32 layers", () => {
    const { grid } = model.adaptations[0]!;
    assert.deepEqual([grid.layers, grid.tokens, grid.rows, grid.columns], [32, 1379, 16, 1024]);
    assert.equal(grid.numbers, 722_993_152);
    assert.deepEqual(
      grid.kinds.map(({ slot, start, count }) => [slot, start, count]),
      [
        ["A", 0, 719],
        ["B", 719, 660],
      ],
    );
  });

  it("gives every module the tokens that the released code gives it", () => {
    const ranges = model.adaptations[0]!.grid.places.filter(({ layer }) => layer === 31).map(
      ({ site, slot, start, count, copies }) => [site.split(".").at(-1), slot, copies.length, start, start + count - 1],
    );
    assert.deepEqual(ranges, [
      ["qkv_proj", "A", 1, 0, 3],
      ["o_proj", "A", 1, 4, 7],
      ["gate_and_up_proj", "A", 1, 8, 11],
      ["down_proj", "A", 1, 12, 14],
      ["w1", "A", 64, 15, 270],
      ["w2", "A", 64, 271, 462],
      ["w3", "A", 64, 463, 718],
      ["qkv_proj", "B", 1, 719, 724],
      ["o_proj", "B", 1, 725, 728],
      ["gate_and_up_proj", "B", 1, 729, 734],
      ["down_proj", "B", 1, 735, 738],
      ["w1", "B", 64, 739, 930],
      ["w2", "B", 64, 931, 1186],
      ["w3", "B", 64, 1187, 1378],
    ]);
  });

  it("traces the generator without allocating anything", () => {
    const entry = model.entryPoint("operators");
    assert.deepEqual(entry.outputs[0]!.shape, [32, 1379, 16, 1024]);
    assert.ok(entry.graph.nodes.length < 10_000);
  });

  it("maps every stored tensor of the generator to its published name, each once", () => {
    const names = model.parameters
      .filter(({ path }) => path.startsWith("generator."))
      .map(({ path }) => publishedName(path));
    assert.ok(names.every((name) => /^(hidden_in|model)\./.test(name)));
    assert.equal(new Set(names).size, 779);
    assert.ok(names.includes("model.blocks.23.self_attn_cross.W_k.bias"));
  });
});
