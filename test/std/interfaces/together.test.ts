import { strict as assert } from "node:assert";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { environmentOf } from "../../../runtime/reference/environment.js";
import { evaluate } from "../../../runtime/reference/interpreter.js";
import { initialValue } from "../../../runtime/training/initialize.js";
import type { BuiltModel } from "../../../src/build/build.js";
import { detokenizeGraph, tokenizeGraph } from "../../../src/build/slots.js";
import { elementCount } from "../../../src/graph/shape.js";
import { build } from "../../build/support.js";
import { temporaryFolder, weft } from "../../cli/support.js";
import { codeBlocks } from "../../docs/blocks.js";
import { cases } from "./cases.js";
import { imports, wave } from "./trial.js";

/** All interfaces of a linear map whose settings go with 8 inputs and outputs, every second one twice. */
const applied = cases
  .filter(({ module, name }) => module.startsWith("Linear(") && name !== "ConvAdapter")
  .flatMap(({ name, settings }, place) => new Array<string>(1 + (place % 2)).fill(`${name}(${settings})`));

const text = (layout: string) => `${imports}
module Two() {
  maps = [Linear(8, 8)] * 2

  forward(x: [n, 8]) -> [n, 8] { maps[1](maps[0](x)) }
}

model M() {
  net = Two()
  all = adapt { ${applied.map((written) => `net.maps[*] with ${written}`).join(", ")} } as ${layout}
  ${applied.map((written, place) => `one_${place} = adapt net.maps[*] with ${written} as Flat(1, 6)`).join("\n  ")}
  param stored: all.tokens = all.initial()

  fn base(x: [3, 8]) -> [3, 8] { net(x) }
  fn at_start(x: [3, 8]) -> [3, 8] { (net with all(stored))(x) }
  fn in_one(x: [3, 8], t: all.tokens) -> [3, 8] { (net with all(t))(x) }
  fn one_by_one(x: [3, 8], ${applied.map((_, place) => `t${place}: one_${place}.tokens`).join(", ")}) -> [3, 8] {
    (net${applied.map((_, place) => ` with one_${place}(t${place})`).join("")})(x)
  }
}
`;

type Numbers = ReadonlyMap<string, Float64Array>;

/** Slots of the grid `all`, some way off their start, by name: `net.maps.0.INTERFACE.SLOT`. */
const slotsOf = (model: BuiltModel): Numbers =>
  new Map(
    model.adaptations[0]!.grid.places.map(({ site, interface: owner, slot, shape }, place) => {
      const kind = model.adaptations[0]!.grid.kinds.find((other) => other.interface === owner && other.slot === slot)!;
      const start = kind.initializer.kind === "constant" ? kind.initializer.value : 0;
      const values = wave(elementCount(shape), place).map((number) => start + 0.2 * number);
      return [`${site}.${owner}.${slot}`, Float64Array.from(values)];
    }),
  );

const tokensOf = (model: BuiltModel, path: string, inputs: Numbers): Float64Array =>
  evaluate(tokenizeGraph(model, path), environmentOf({ inputs })).get("tokens")!.data;

describe("interfaces together", () => {
  for (const layout of ["Flat(1, 6)", "Flat(3, 5)", "Flat(16, 64)"]) {
    it(`stand in one grid, each slot in tokens of its own, whatever their shapes: ${layout}`, async () => {
      const model = await build(text(layout));
      const slots = slotsOf(model);
      const tokens = tokensOf(model, "all", slots);
      const back = evaluate(detokenizeGraph(model, "all"), environmentOf({ inputs: new Map([["tokens", tokens]]) }));
      assert.deepEqual([...back.keys()].sort(), [...slots.keys()].sort());
      for (const [name, { data }] of back) assert.deepEqual([...data], [...slots.get(name)!], name);
      const { grid } = model.adaptations[0]!;
      assert.equal(
        grid.numbers,
        [...slots.values()].reduce((sum, { length }) => sum + length, 0),
      );
    });
  }

  it("give in one grid what they give one after the other, and start as the base", async () => {
    const model = await build(text("Flat(3, 5)"));
    const slots = slotsOf(model);
    const owners = [...new Set(model.adaptations[0]!.grid.kinds.map((kind) => kind.interface))];
    assert.equal(owners.length, applied.length);
    const inputs = new Map([
      ["x", Float64Array.from(wave(24, 3))],
      ["t", tokensOf(model, "all", slots)],
    ]);
    const sources = new Map<string, string>();
    for (const [place, owner] of owners.entries()) {
      const own = [...slots].flatMap(([name, data]) =>
        name.includes(`.${owner}.`) ? [[name.replace(`.${owner}.`, "."), data] as const] : [],
      );
      inputs.set(`t${place}`, tokensOf(model, `one_${place}`, new Map(own)));
      // What an interface stores by itself is stored once for each adaptation; here all are given the same.
      sources.set(`one_${place}.${owner.replace(/_\d+$/, "")}.`, `all.${owner}.`);
    }
    const stored = new Map(
      model.parameters.map((spec) => [spec.path, Float64Array.from(initialValue(spec, 1).data)] as const),
    );
    for (const path of stored.keys()) {
      const [prefix, source] = [...sources].find(([start]) => path.startsWith(start)) ?? [];
      if (prefix !== undefined) stored.set(path, stored.get(path.replace(prefix, source!))!);
    }
    const result = (entry: string) =>
      evaluate(model.entryPoint(entry).graph, environmentOf({ inputs, stored })).get("output")!.data;
    const assertNear = (found: Float64Array, expected: Float64Array) => {
      for (const [place, number] of expected.entries()) {
        assert.ok(Math.abs(found[place]! - number) <= 1e-9 * Math.max(1, Math.abs(number)), `${found} and ${expected}`);
      }
    };
    assertNear(result("in_one"), result("one_by_one"));
    assertNear(result("at_start"), result("base"));
    assert.ok(result("in_one").some((number, place) => Math.abs(number - result("base")[place]!) > 0.01));
  });

  it("are shown as tables by `weft check`", async () => {
    const file = join(await temporaryFolder(), "several.weft");
    await writeFile(file, codeBlocks("docs/interfaces.md").find((block) => block.text.includes("model Several"))!.text);
    const { code, stdout, stderr } = await weft("check", file);
    assert.equal(code, 0, stderr);
    const lines = stdout.split("\n").map((line) => line.trim().replace(/\s{2,}/g, " | "));
    for (const line of [
      "mixed: 2 layers x 12 tokens x 4 x 16  (Flat; 1,024 generated numbers, 512 padding)",
      "0-0 | LoRA.A | net.blocks.0.attn.q | 1, each for 2 modules | [4, 16] | 1",
      "7-7 | HRA.apart | net.blocks.0.attn.v | 2 | [1, 16] | 1",
      "10-10 | NormTuning.offset | net.blocks.0.norm1 | 2 | [16] | 1",
      "prompt: 1 layers x 3 tokens x 1 x 16  (Flat; 48 generated numbers)",
      "8-9 | NormTuning.gain | constant(1)",
      "mixed: net.blocks.0.attn.q.forward | LoRA | 8 | proven by substitution",
      "always: net.blocks.0.mlp.down.forward | DoRA | 4 | proven by substitution",
    ]) {
      const wanted = line.replace(/\s{2,}/g, " | ");
      assert.ok(lines.includes(wanted), `no line "${wanted}" in\n${stdout}`);
    }
  });
});
