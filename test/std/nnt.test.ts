import { strict as assert } from "node:assert";
import { initialValue } from "../../runtime/training/initialize.js";
import type { BuiltModel } from "../../src/build/build.js";
import { build, run } from "../build/support.js";

const wave = (count: number, seed: number): number[] =>
  Array.from({ length: count }, (_, place) => Math.sin(1 + seed * 2.3 + place * 1.7));

const initial = (model: BuiltModel): Record<string, number[]> =>
  Object.fromEntries(model.parameters.map((spec) => [spec.path, Array.from(initialValue(spec, 3).data)]));

const header = `import { Linear, MLP } from "std/layers"
import { LoRA } from "std/interfaces"
import { Flat, RankAnchored } from "std/layouts"
import { NNT } from "std/generators"

interface Scale() on Linear {
  slot gain: [base.out_features] = constant(1)
  forward(x) { base(x) * gain }
}
module Net() {
  blocks = [MLP(8, hidden: 12)] * 2
  forward(x: [n, 8]) -> [n, 8] {
    for block in blocks { x = x + block(x) }
    x
  }
}
`;

describe("NNT", () => {
  it("starts so that the adapted network equals its base, whatever the condition", async () => {
    for (const layout of ["RankAnchored(8)", "Flat(4, 8)"]) {
      const model = await build(`${header}
model M() {
  net = Net()
  memory = adapt { net.blocks[*].{up, down} with LoRA(rank: 4), net.blocks[*].down with Scale() } as ${layout}
  generator = NNT(memory.grid, pack: 2, heads: 2, depth: 1, condition: 3)
  fn base(x: [2, 8]) -> [2, 8] { net(x) }
  fn adapted(x: [2, 8], c: [4, 3]) -> [2, 8] { (net with memory(generator(c)))(x) }
  fn tokens(c: [4, 3]) -> memory.tokens { generator(c) }
}`);
      const stored = initial(model);
      const inputs = { x: wave(16, 1), c: wave(12, 2) };
      assert.deepEqual(run(model, "adapted", inputs, stored).output, run(model, "base", inputs, stored).output);
      // The A slots do differ from zero and from condition to condition.
      const one = run(model, "tokens", { c: wave(12, 2) }, stored).output!;
      const two = run(model, "tokens", { c: wave(12, 5) }, stored).output!;
      assert.ok(one.some((number, place) => number !== 0 && number !== two[place]));
    }
  });

  it("does not see conditions that are masked out", async () => {
    const model = await build(`${header}
model M() {
  net = Net()
  memory = adapt net.blocks[*].{up, down} with LoRA(rank: 4) as RankAnchored(8)
  generator = NNT(memory.grid, pack: 2, heads: 2, depth: 2, condition: 3)
  fn padded(c: [6, 3], visible: bool[6]) -> memory.tokens { generator(c, mask: visible) }
  fn plain(c: [4, 3]) -> memory.tokens { generator(c) }
}`);
    const stored = Object.fromEntries(
      Object.entries(initial(model)).map(([path, numbers], place) => [path, wave(numbers.length, place)]),
    );
    const c = wave(12, 2);
    const padded = run(model, "padded", { c: [...c, ...wave(6, 7)], visible: [1, 1, 1, 1, 0, 0] }, stored).output!;
    const plain = run(model, "plain", { c }, stored).output!;
    for (const [place, number] of padded.entries()) assert.ok(Math.abs(number - plain[place]!) < 1e-9);
    const seen = run(model, "padded", { c: [...c, ...wave(6, 7)], visible: [1, 1, 1, 1, 1, 0] }, stored).output!;
    assert.ok(seen.some((number, place) => Math.abs(number - plain[place]!) > 1e-6));
  });

  it("lets present tokens of a ragged grid attend only to present ones", async () => {
    const model = await build(`${header}
model M() {
  big   = [Linear(8, 16)] * 1
  small = [Linear(8, 8)] * 2
  memory = adapt { big[*] with LoRA(rank: 4), small[*] with LoRA(rank: 4) } as RankAnchored(8) ragged
  generator = NNT(memory.grid, pack: 2, heads: 2, depth: 1, condition: 3)
  fn tokens(c: [4, 3]) -> memory.tokens { generator(c) }
}`);
    // Tokens 0 to 2 belong to layer 0 alone, 3 and 4 to layers 1 and 2: the two never meet.
    const { grid } = model.adaptations[0]!;
    assert.deepEqual([grid.layers, grid.tokens], [3, 5]);
    const stored = Object.fromEntries(
      Object.entries(initial(model)).map(([path, numbers], place) => [path, wave(numbers.length, place)]),
    );
    const before = run(model, "tokens", { c: wave(12, 2) }, stored).output!;
    const token = grid.rows * grid.columns;
    const table = stored["generator.token_positions"]!.map((number, place) => (place < 3 * token ? number : -number));
    const after = run(model, "tokens", { c: wave(12, 2) }, { ...stored, "generator.token_positions": table }).output!;
    assert.deepEqual(after.slice(0, 3 * token), before.slice(0, 3 * token));
    assert.notDeepEqual(after.slice(8 * token, 10 * token), before.slice(8 * token, 10 * token));
  });
});
