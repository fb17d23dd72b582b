import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { model, weft } from "./support.js";

const row = (text: string, name: string): string[] => {
  const line = text.split("\n").find((candidate) => candidate.startsWith(`${name} `));
  assert.ok(line, `no line for ${name} in\n${text}`);
  return line.trim().split(/\s{2,}/);
};

describe("weft interfaces", () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "weft-interfaces-"));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it("lists formulas, and what they come to for a module of some size", async () => {
    const { code, stdout } = await weft("interfaces", "--in", "64", "--out", "128", "--heads", "4");
    assert.equal(code, 0);
    assert.deepEqual(row(stdout, "LoRA"), [
      "LoRA",
      "Linear",
      "rank * (in_features + out_features)",
      String(16 * (64 + 128)).replace(/(\d)(\d{3})$/, "$1,$2"),
      "yes",
      "no",
      "as its base",
    ]);
    assert.deepEqual(row(stdout, "DoRA").slice(-3), ["yes", "yes", "as its base"]);
    assert.deepEqual(row(stdout, "Prefix").slice(-4), ["1,024", "no", "no", "changed"]);
    assert.equal(row(stdout, "ConvAdapter")[3], "-", "its picture must be said");
    assert.equal(row(stdout, "NormTuning")[3], "128");
    assert.match(stdout, /Numbers for 64 inputs and 128 outputs/);
  });

  it("tells all of one, with arguments or without", async () => {
    const { stdout } = await weft("interfaces", "LoRA(rank: 2)", "--in", "10");
    assert.match(stdout, /^LoRA\(rank: int = 16, .*\) on Linear\n/);
    assert.match(stdout, /Hu et al\. 2021/);
    assert.match(stdout, /Mergeable\. Does not read the stored weight\. Equals its module at the start\./);
    assert.match(stdout, /generates rank \* \(in_features \+ out_features\) = 40 for 10 inputs and 10 outputs/);
    assert.match(stdout, /B +slot +\[base\.out_features, rank\] +zeros\(\)/);
    assert.match(stdout, /\n {2}forward\(x\) \{ base\(x\)/);
    assert.match((await weft("interfaces", "VeRA")).stdout, /A +shared frozen +\[rank, base\.in_features\]/);
    const needy = await weft("interfaces", "ConvAdapter(rows: 4, columns: 3, rank: 2)", "--in", "10");
    assert.match(needy.stdout, / = 58 for/);
  });

  it("gives the same as one JSON object", async () => {
    const { interfaces } = JSON.parse((await weft("interfaces", "--json", "--in", "32")).stdout);
    const found = interfaces.find(({ name }: { name: string }) => name === "HRA");
    assert.deepEqual(
      [found.generates, found.numbers, found.mergeable, found.needsWeight, found.tensors.length],
      ["rank * in_features", 256, true, false, 2],
    );
    const one = JSON.parse((await weft("interfaces", "HRA(rank: 2)", "--json", "--in", "32")).stdout);
    assert.deepEqual([one.name, one.numbers], ["HRA", 64]);
  });

  it("counts at the sites of a model, and lists what its file declares", async () => {
    const file = join(folder, "own.weft");
    await writeFile(
      file,
      `import { Linear } from "std/layers"

/// Scales outputs.
interface Scale(by: float = 1.0) on Linear {
  slot gain: [base.out_features] = constant(1.0)
  forward(x) { base(x) * gain * by }
}

model Net(depth: int = 3) {
  layers = [Linear(4, 8)] * depth
  fn run(x: [4]) -> [8] { layers[0](x) }
}
`,
    );
    const { stdout } = await weft("interfaces", "--file", file, "--sites", "layers[*]", "--set", "depth=5");
    assert.deepEqual(row(stdout, "Scale"), ["Scale", "Linear", "40", "no", "as its base"]);
    assert.equal(row(stdout, "BitFit")[3], "40");
    assert.equal(row(stdout, "OFT")[3], "-", "blocks of 32 do not divide 4 inputs");
    assert.match(stdout, /Numbers at layers\[\*\] of .*own\.weft/);
    const one = await weft("interfaces", "LoRA(rank: 2)", "--file", file, "--sites", "layers[* by 3]");
    assert.match(one.stdout, / = 24 at layers\[\* by 3\]/);
    assert.match((await weft("interfaces", "Scale", "--file", file)).stdout, /Scales outputs\./);
    const small = await weft("interfaces", "LoRA(rank: 1)", "--file", model("small"), "--sites", "nowhere[*]");
    assert.equal(small.code, 1);
    assert.match(small.stderr, /`nowhere` is not defined/);
  });

  it("says why one does not fit", async () => {
    const oft = await weft("interfaces", "OFT(block: 5)", "--in", "12");
    assert.equal(oft.code, 1);
    assert.match(oft.stderr, /block 5 does not divide in_features 12/);
    const unknown = await weft("interfaces", "Lora");
    assert.equal(unknown.code, 2);
    assert.match(unknown.stderr, /there is no interface "Lora"; there are LoRA, RsLoRA/);
    const alone = await weft("interfaces", "--sites", "layers[*]");
    assert.equal(alone.code, 2);
    const missing = await weft("interfaces", "--file", join(folder, "none.weft"));
    assert.equal(missing.code, 1);
  });
});
