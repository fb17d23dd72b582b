import { strict as assert } from "node:assert";
import { render } from "../../dsl/diagnostics/render.js";
import { format } from "../../dsl/syntax/format.js";
import type { Setting } from "../../src/build/model.js";
import { build, diagnosticsOf, run, sourcesOf } from "./support.js";

const file = (parameters: string, change: string, layout = "Flat(1, 4)"): string => `import { Linear } from "std/layers"
import { DoRA, LoRA as LowRank } from "std/interfaces"
import { Flat, RankAnchored } from "std/layouts"

/// Not the one of the standard library.
interface FiLM(by: float = 1.0, words: list = [1, 2], name: string = "", activation: function = relu) on Linear {
  slot offset: [base.out_features] = zeros()

  forward(x) { base(x) + by * offset }
}

model M(${parameters}) {
  maps   = [Linear(4, 4, use_bias: false)] * 2
  memory = adapt { maps[0] with ${change}, maps[1] with ${change} } as ${layout} ragged

  fn f(x: [4], t: memory.tokens) -> [4] { (maps[1] with memory(t))((maps[0] with memory(t))(x)) }
}
`;

const open = file("change: interface = LowRank(rank: 2, alpha: 2.0)", "change");
const set = (change: Setting) => build(open, { settings: { change } });
const kindsOf = async (change: Setting) => (await set(change)).adaptations[0]!.grid.kinds.map((kind) => kind.interface);

const identity = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
const weights = { "maps.0.weight": identity, "maps.1.weight": identity };

describe("interfaces as parameters", () => {
  it("adapt as the interface itself does, also through modules", async () => {
    const inModule = `import { Linear } from "std/layers"
import { LoRA } from "std/interfaces"
import { Flat } from "std/layouts"

module Inner(change: interface) {
  map    = Linear(4, 4)
  memory = adapt map with change as Flat(1, 4)
}
model M(rank: int = 2) {
  inner = [Inner(LoRA(rank: rank)), Inner(LoRA(rank: 3))]
  fn f(x: [4]) -> [4] { x }
}
`;
    const own = (await build(file("rank: int = 2", "LowRank(rank: rank, alpha: 2.0)"))).adaptations[0]!.grid;
    assert.deepEqual((await build(open)).adaptations[0]!.grid, own);
    const model = await build(inModule, { settings: { rank: 5 } });
    assert.deepEqual(
      model.adaptations.map(({ path, grid }) => [path, grid.numbers]),
      [
        ["inner.0.memory", 40],
        ["inner.1.memory", 24],
      ],
    );
  });

  it("are set by a text: of the file by their names there, or else of the standard library", async () => {
    assert.deepEqual(await kindsOf("LowRank(1)"), ["LoRA", "LoRA", "LoRA_2", "LoRA_2"]);
    assert.deepEqual(await kindsOf("BitFit"), ["BitFit", "BitFit_2"]);
    assert.deepEqual(await kindsOf(" OFT(block: 2)\n"), ["OFT", "OFT_2"]);
    const model = await set("FiLM(by: -3)");
    const tokens = [0, 0, 0, 1, 1, 0, 0, 0];
    assert.deepEqual(run(model, "f", { x: [1, 2, 3, 4], t: tokens }, weights).output, [-2, 2, 3, 1]);
  });

  it("are told with all their arguments, so that models that differ can be told apart", async () => {
    const told = async (change: Setting) => (await set(change)).settings.change;
    assert.equal((await build(open)).settings.change, "LoRA(rank: 2, alpha: 2.0, std: 0.02)");
    assert.equal(await told("OFT(block: 4)"), "OFT(block: 4, steps: 8)");
    assert.equal(await told("BitFit"), "BitFit()");
    const film = 'FiLM(by: -0.5, words: [3, -4, [true]], name: "a \\"b\\"", activation: gelu)';
    assert.equal(await told(film), film);
  });

  it("store tensors of their own below the adaptation, as interfaces do", async () => {
    const stored = (await set("VeRA(rank: 3)")).parameters.map(({ path }) => path);
    assert.deepEqual(stored, [
      "maps.0.weight",
      "maps.1.weight",
      "memory.VeRA.A",
      "memory.VeRA.B",
      "memory.VeRA_2.A",
      "memory.VeRA_2.B",
    ]);
  });

  it("are words of the language to the formatter", () => {
    const text = "model M(change: interface) {\n  fn f(interface: [2]) -> [2] { interface }\n}\n";
    assert.deepEqual(format(text.replace(": interface", " :interface"), "model.weft"), { text });
  });

  const mistakes: readonly (readonly [string, Setting, RegExp])[] = [
    [
      "an unknown name",
      "HAR",
      /^W398 there is no interface `HAR` Did you mean `HRA`\? There are DoRA, LowRank, FiLM, LoRA, .*OFT/,
    ],
    ["a name that is nearly one", "Bitfit", /^W398 .* Did you mean `BitFit`\?/],
    ["a module", "Linear(4, 4)", /^W398 `Linear` is a module, not an interface /],
    ["an argument that it has not", "OFT(blok: 4)", /^W317 OFT takes no `blok`.* It takes `block` and `steps`/],
    ["too many arguments", "BitFit(1)", /^W318 BitFit takes 0 arguments, not 1/],
    ["an argument of another kind", 'OFT("4")', /^W319 `block` must be an int, but it is the string "4"/],
    ["what must be computed", "OFT(block: 2 + 2)", /^W399 `2 \+ 2` stands in a setting/],
    ["a name of the model's", "OFT(block: maps)", /^W399 `maps` stands in a setting/],
    ["what a list computes", "FiLM(words: [1, -f()])", /^W399 `-f\(\)` stands in a setting/],
    ["no name", "4", /^W384 `change` is an interface, but it is set to 4 .*OFT\(block: 4\)/],
    ["a number", 4, /^W384 `change` is an interface, but it is set to 4 /],
    ["nothing", "", /^W101 expected an expression/],
    ["half a call", "OFT(block: 4", /^W104 this `\(` is never closed/],
    ["two interfaces", "OFT(4), BitFit()", /^W101 expected the end of the line after `\)`, but found `,`/],
    ["sizes that do not fit", "OFT(block: 3)", /^W310 block 3 does not divide in_features 4/],
    ["modules that it is not on", "NormTuning", /^W356 NormTuning does not apply to `maps\.0`/],
  ];
  for (const [what, change, expected] of mistakes) {
    it(`refuses ${what}`, async () => {
      const found = await diagnosticsOf(open, { settings: { change } });
      assert.equal(found.length, 1);
      assert.match(`${found[0]!.code} ${found[0]!.message} ${found[0]!.help ?? ""}`, expected);
    });
  }

  it("points into the setting's text", async () => {
    const found = await diagnosticsOf(open, { settings: { change: "OFT(blok: 4)" } });
    const sources = new Map([...(await sourcesOf(open)), ["setting change", "OFT(blok: 4)"]]);
    assert.match(
      render(found, sources, { color: false }),
      / --> setting change:1:5\n {2}\|\n1 \| OFT\(blok: 4\)\n {2}\| {5}\^\^\^\^\n/,
    );
  });

  for (const [what, value] of [
    ["an interface without its arguments", "DoRA"],
    ["a number", "4"],
  ]) {
    it(`refuses ${what} as a default`, async () => {
      const [found] = await diagnosticsOf(file(`change: interface = ${value}`, "change"));
      assert.match(`${found!.code} ${found!.message}`, /^W230 `change` is an interface with its arguments, but/);
    });
  }

  it("refuses them where other values are wanted", async () => {
    const [found] = await diagnosticsOf(file("change: int = DoRA()", "DoRA()"));
    assert.match(`${found!.code} ${found!.message}`, /^W230 `change` is an int, but this is the interface `DoRA`/);
  });
});

describe("layouts that keep an axis whole", () => {
  const anchored = file("change: interface = LowRank(rank: 2)", "change", "RankAnchored(segment: 4, flat_rows: 3)");
  const gridOf = async (change: string) => {
    const { grid } = (await build(anchored, { settings: { change } })).adaptations[0]!;
    return { rows: grid.rows, tokens: grid.tokens, numbers: grid.numbers };
  };

  it("take the parameter of the interfaces that have it, and flatten slots without that axis", async () => {
    assert.deepEqual(await gridOf("LowRank(rank: 4)"), { rows: 4, tokens: 4, numbers: 64 });
    assert.deepEqual(await gridOf("DoRA(rank: 2)"), { rows: 2, tokens: 6, numbers: 40 });
  });

  it("flatten and cut all slots where no interface has the parameter", async () => {
    assert.deepEqual(await gridOf("BitFit"), { rows: 3, tokens: 2, numbers: 8 });
    assert.deepEqual(await gridOf("OFT(block: 4)"), { rows: 3, tokens: 2, numbers: 12 });
  });

  it("say where the rows come from when a layout has none without that parameter", async () => {
    const own = `layout Rows(columns: int, anchor: axis = rank) {
  rows = anchor
  tokens(slot: [...]) -> [t, rows, columns] { reshape(slot, [-1, rows, columns]) }
}
`;
    const text = own + file("change: interface = LowRank(rank: 2)", "change", "Rows(4)");
    const [found] = await diagnosticsOf(text, { settings: { change: "BitFit" } });
    assert.match(found!.message, /`rows` of a layout must be a size of at least 1, but it is none/);
    assert.match(found!.labels[0]!.text, /no interface has a parameter rank/);
  });
});
