import assert from "node:assert/strict";
import { recognise } from "../../runtime/operators/export/recognise.js";
import { peftAdapter } from "../../runtime/operators/export/write-peft.js";
import { operatorSpace, startingTokens } from "../../runtime/operators/space.js";
import type { Tensor } from "../../runtime/tensors/tensor.js";
import { elementCount } from "../../src/graph/shape.js";
import { build } from "../build/support.js";
import { cases } from "../std/interfaces/cases.js";
import { buildTrial } from "../std/interfaces/trial.js";

const spaceOf = async (interfaces: string, applications: string, module = "Linear(8, 6)") =>
  operatorSpace(
    await build(`import { Linear } from "std/layers"
import { DoRA, IA3, LoRA, MiSS } from "std/interfaces"
import { Flat } from "std/layouts"
${interfaces}
model M() {
  maps   = [${module}] * 2
  memory = adapt { ${applications} } as Flat(1, 4) ragged
  fn run(x: [8], t: memory.tokens) { (maps[0] with memory(t))(x) + (maps[1] with memory(t))(x) }
}
`),
    "memory",
  );

const own = (body: string): string => `interface Own(alpha: float = 3.0) on Linear {\n${body}\n}\n`;

async function formOf(body: string): Promise<{ type: string; scale: number } | string> {
  const space = await spaceOf(own(body), "maps[*] with Own()");
  const found = recognise(space.sites()[0]!);
  return typeof found === "string" ? found : { type: found.form.type, scale: found.scale };
}

const nothing = (): never => assert.fail("no weights are wanted");

describe("the form of an interface", () => {
  it("is found by what it does, whatever its slots are called and however they lie", async () => {
    const low = (scale: string) => `  slot down: [base.in_features, 2] = normal(std: 0.1)
  slot up: [2, base.out_features] = zeros()
  forward(x) { base(x) + ${scale} x @ down @ up }`;
    assert.deepEqual(await formOf(low("")), { type: "LORA", scale: 1 });
    assert.deepEqual(await formOf(low("0.1 *")), { type: "LORA", scale: 0.1 });
    assert.deepEqual(await formOf(low("alpha / 2 *")), { type: "LORA", scale: 1.5 });
  });

  it("is found where the interface makes a weight of its own", async () => {
    const scaled = "  slot l: [base.out_features] = zeros()\n";
    assert.deepEqual(
      await formOf(
        `${scaled}  forward(x) { (base with { weight: base.weight * (1 + l)[:, none], bias: base.bias * (1 + l) })(x) }`,
      ),
      { type: "IA3", scale: 1 },
    );
    // Without the bias it is something else.
    const other = await formOf(`${scaled}  forward(x) { (base with { weight: base.weight * (1 + l)[:, none] })(x) }`);
    assert.equal(other, "no form of PEFT's does what Own does");
  });

  it("tells DoRA from the low-rank change that it contains", async () => {
    const dora = (magnitude: string, start: string) => `  slot a: [2, base.in_features] = normal(std: 0.1)
  slot b: [base.out_features, 2] = zeros()
  slot m: [base.out_features] = ${start}
  forward(x) {
    let v = base.weight + alpha / 2 * b @ a
    let lengths = sqrt(sum(base.weight ** 2, axis: 1))
    (base with { weight: (${magnitude} / sqrt(sum(v ** 2, axis: 1)))[:, none] * v })(x)
  }`;
    assert.deepEqual(await formOf(dora("(1 + m) * lengths", "zeros()")), { type: "LORA", scale: 1.5 });
    const space = await spaceOf(own(dora("m * lengths", "constant(1.0)")), "maps[*] with Own()");
    const found = recognise(space.sites()[0]!);
    assert.ok(typeof found !== "string");
    assert.deepEqual([found.form.type, found.form.variant], ["LORA", "factor"]);
  });

  it("is not taken from a name", async () => {
    const found = await formOf(`  slot A: [2, base.in_features] = normal(std: 0.1)
  slot B: [base.out_features, 2] = zeros()
  forward(x) { base(x) + 2 * (x @ A.T @ B.T) - base(0.0 * x) * sum(B) }`);
    assert.equal(found, "no form of PEFT's does what Own does");
  });

  /** Forms of the library's interfaces; all others are refused. */
  const forms: Readonly<Record<string, string>> = {
    LoRA: "LORA",
    RsLoRA: "LORA",
    DoRA: "LORA",
    ConvLoRA: "LORA",
    VeRA: "VERA",
    LoHa: "LOHA",
    HiRA: "HIRA",
    MiSS: "MISS",
    OFT: "OFT",
    HRA: "HRA",
    RoAd: "ROAD",
    C3A: "C3A",
    IA3: "IA3",
    BitFit: "BEFT",
  };
  for (const { name, settings, module, shape } of cases) {
    const expected = forms[name];
    it(`of ${name}(${settings}) is ${expected ?? "none, for a reason"}`, async () => {
      const space = operatorSpace(await buildTrial(module, `${name}(${settings})`, shape), "memory");
      const found = recognise(space.sites()[0]!);
      if (expected === undefined) assert.ok(typeof found === "string" && found.length > 20, JSON.stringify(found));
      else assert.equal(typeof found === "string" ? found : found.form.type, expected);
    });
  }

  it("has LOKR for Kronecker products of a rank that PEFT stores as products", async () => {
    const space = operatorSpace(await buildTrial("Linear(16, 16)", "LoKr(factor: 2, rank: 3)", [2, 16]), "memory");
    const found = recognise(space.sites()[0]!);
    assert.ok(typeof found !== "string");
    assert.equal(found.form.type, "LOKR");
  });
});

describe("an adapter of PEFT's", () => {
  const adapterOf = async (interfaces: string, applications: string) => {
    const space = await spaceOf(interfaces, applications);
    return peftAdapter(space, startingTokens(space, 3), nothing, { module: (path) => path });
  };

  it("says by patterns which modules have another rank or factor", async () => {
    const { config } = await adapterOf("", "maps[0] with LoRA(2, 4.0), maps[1] with LoRA(3, 3.0)");
    assert.equal(config.r, 2);
    assert.equal(config.lora_alpha, 4);
    assert.deepEqual(config.rank_pattern, { "maps.1": 3 });
    assert.deepEqual(config.alpha_pattern, { "maps.1": 3 });
  });

  it("takes an interface that divides by the root of its rank, and one without such a parameter", async () => {
    const rooted = own(`  slot A: [4, base.in_features] = normal(std: 0.1)
  slot B: [base.out_features, 4] = zeros()
  forward(x) { base(x) + alpha / sqrt(4) * x @ A.T @ B.T }`);
    const { config } = await adapterOf(rooted, "maps[*] with Own()");
    assert.deepEqual([config.lora_alpha, config.r, config.use_rslora], [3, 4, true]);
    const bare = rooted.replace("alpha / sqrt(4) *", "0.3 *");
    const { config: other } = await adapterOf(bare, "maps[*] with Own()");
    assert.deepEqual([other.lora_alpha, other.r, other.use_rslora], [1.2, 4, false]);
  });

  for (const [what, applications, said] of [
    ["several types", "maps[0] with LoRA(2), maps[1] with IA3()", /an adapter has one type, and these are LORA, IA3/],
    ["several interfaces at a module", "maps[*] with LoRA(2), maps[0] with IA3()", /maps\.0 has several interfaces/],
    [
      "settings that PEFT has once",
      "maps[0] with MiSS(4), maps[1] with MiSS(2)",
      /PEFT has one r for all modules: maps\.0 has 4, maps\.1 2/,
    ],
  ] as const) {
    it(`is refused for ${what}`, async () => {
      await assert.rejects(adapterOf("", applications), said);
    });
  }

  it("is refused for tokens of another size", async () => {
    const space = await spaceOf("", "maps[*] with LoRA(2)");
    const tokens = new Float32Array(elementCount(space.shape) + 1);
    assert.throws(
      () => peftAdapter(space, tokens, nothing, { module: (path) => path }),
      /an operator of memory has tokens/,
    );
  });

  it("asks for weights only where the form needs them", async () => {
    const space = await spaceOf("", "maps[*] with DoRA(2)");
    const asked: string[] = [];
    const stored = (path: string): Tensor => {
      asked.push(path);
      return { dtype: "f32", shape: [6, 8], data: new Float32Array(48).fill(0.5) };
    };
    peftAdapter(space, startingTokens(space, 3), stored, { module: (path) => path });
    assert.deepEqual(asked, ["maps.0.weight", "maps.1.weight"]);
  });
});
