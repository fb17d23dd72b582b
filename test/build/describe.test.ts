import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import { describeModel } from "../../src/build/describe.js";
import { build } from "./support.js";

describe("the description of a model", () => {
  it("counts parameters per module, describes grids and gives signatures", async () => {
    const description = describeModel(
      await build(`
import { Linear, MLP } from "std/layers"
import { LoRA } from "std/interfaces"
import { Flat } from "std/layouts"
module Net() {
  frozen scale: [5] = ones()
  blocks = [MLP(4, hidden: 8)] * 2
  head = Linear(4, 3, use_bias: false)
}
model M(rank: int = 2) {
  net = Net()
  memory = adapt net.blocks[*].{up, down} with LoRA(rank: rank) as Flat(rank, 5)
  fn f(words: int[..5], shared y: [4], t: memory.tokens) -> [3] {
    let x = y
    for block in (net with memory(t)).blocks { x = block(x) }
    net.head(x)
  }
}`),
    );
    const mlp = 4 * 8 + 8 + 8 * 4 + 4;
    assert.deepEqual(description.modules, [
      { path: "net", kind: "Net", depth: 0, tensors: 10, parameters: 2 * mlp + 12, frozen: 5 },
      { path: "net.blocks", kind: "2 x MLP", depth: 1, tensors: 8, parameters: 2 * mlp, frozen: 0 },
      { path: "net.head", kind: "Linear", depth: 1, tensors: 1, parameters: 12, frozen: 0 },
    ]);
    assert.deepEqual([description.parameters, description.frozen], [2 * mlp + 12, 5]);
    const [memory] = description.adaptations;
    assert.deepEqual(memory!.kinds, [
      { name: "LoRA.A", start: 0, count: 3, starts: "normal(0.02)" },
      { name: "LoRA.B", start: 3, count: 3, starts: "zeros()" },
    ]);
    assert.deepEqual([memory!.numbers, memory!.capacity], [2 * 2 * 24, 2 * 6 * 2 * 5]);
    assert.deepEqual(memory!.places[1], {
      site: "net.blocks.0.down",
      slot: "LoRA.A",
      copies: 1,
      modules: 1,
      shape: "[2, 8]",
      start: 1,
      count: 2,
    });
    assert.deepEqual(
      description.entryPoints.map(({ name, signature }) => [name, signature]),
      [["f", "(words: int[..5], shared y: [4], t: [2, 6, 2, 5]) -> [3]"]],
    );
  });

  it("of the published configuration is ready in seconds", async () => {
    const text = readFileSync(new URL("../../examples/hy-wu/hy-wu.weft", import.meta.url), "utf8");
    const description = describeModel(await build(text, { settings: { blocks: 2 } }));
    const generator = description.modules.find(({ path }) => path === "generator");
    assert.equal(generator!.parameters, 8_096_647_168 - 22 * 335_630_336);
    assert.equal(description.entryPoints[0]!.signature, "(condition: [6700, 4096]) -> [32, 1379, 16, 1024]");
  }).timeout(30_000);
});
