import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { model, type Outcome, root, weft } from "./support.js";

/** Compares with the golden file; WEFT_GOLDEN=write replaces it. */
function assertGolden(name: string, text: string): void {
  const path = join(root, "test/golden/cli", name);
  if (process.env.WEFT_GOLDEN === "write") writeFileSync(path, text);
  assert.equal(text, readFileSync(path, "utf8"));
}

/** Paths as a user in the project's folder sees them. */
const check = (name: string, ...flags: readonly string[]): Promise<Outcome> =>
  weft("check", relative(process.cwd(), model(name)), ...flags);

describe("weft check", () => {
  for (const name of ["mixed", "small"]) {
    it(`shows the whole of a model (${name})`, async () => {
      const { code, stdout, stderr } = await check(name);
      assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
      assertGolden(`${name}.txt`, stdout);
    });
  }

  it("says the same as one JSON object", async () => {
    const { stdout } = await check("mixed", "--json", "--set", "rank=4");
    const found = JSON.parse(stdout) as {
      readonly name: string;
      readonly settings: unknown;
      readonly parameters: number;
      readonly adaptations: readonly {
        readonly tokens: number;
        readonly rows: number;
        readonly kinds: readonly { name: string }[];
      }[];
      readonly starts: readonly { readonly interface: string; readonly result: string }[];
      readonly evaluations: readonly { readonly name: string }[];
    };
    assert.deepEqual([found.name, found.settings], ["Mixed", { dim: 8, rank: 4 }]);
    const [memory] = found.adaptations;
    assert.deepEqual([memory!.tokens, memory!.rows], [13, 4]);
    assert.deepEqual(
      memory!.kinds.map(({ name }) => name),
      ["LoRA.A", "LoRA.B", "Gain.gain"],
    );
    assert.deepEqual(
      found.starts.map(({ interface: name, result }) => `${name} ${result}`),
      ["LoRA proven by substitution", "LoRA proven by substitution", "Gain proven by substitution"],
    );
    assert.deepEqual(
      found.evaluations.map(({ name }) => name),
      ["quality"],
    );
  });

  it("lists as many levels of modules as asked for, and the same number of parameters", async () => {
    const lines = async (depth: number) => {
      const { stdout } = await check("mixed", "--depth", String(depth));
      const table = stdout.split("\n\n")[1]!.split("\n").slice(2);
      return { names: table.map((line) => line.trim().split(" ")[0]!), all: /^([\d,]+) parameters/m.exec(stdout)![1] };
    };
    const [one, two, deep] = [await lines(1), await lines(2), await lines(9)];
    assert.deepEqual(one.names, ["layers", "generator"]);
    assert.ok(two.names.includes("layers.0") && !two.names.includes("layers.0.mlp"));
    assert.ok(deep.names.includes("layers.1.mlp.up") && deep.names.includes("generator.blocks.0.depth.q"));
    assert.equal(new Set([one.all, two.all, deep.all]).size, 1);
  });

  const refused = async (name: string, ...flags: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await check(name, ...flags);
    assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
    return stderr;
  };

  it("refuses settings that the model has not, or of another type, with the line that declares them", async () => {
    const unknown = await refused("mixed", "--set", "dimm=3");
    assert.match(unknown, /^error\[W\d+\]: the model has no parameter `dimm`/);
    assert.match(unknown, /It has `dim` and `rank`/);
    for (const [value, said] of [
      ["dim=x", "`dim` is an int, but it is set to x"],
      ["dim=2.5", "`dim` is an int, but it is set to 2.5"],
      ["dim=true", "`dim` is an int, but it is set to true"],
    ] as const) {
      const stderr = await refused("mixed", "--set", value);
      assert.ok(stderr.includes(said) && /model Mixed\(dim: int = 8/.test(stderr), stderr);
    }
  });

  it("asks which model is meant when a file has several, and takes --model", async () => {
    const stderr = await refused("several");
    assert.match(stderr, /this file has several models: `First` and `Second`/);
    assert.match(stderr, /--model/);
    const { code, stdout } = await check("several", "--model", "Second", "--set", "b=3");
    assert.equal(code, 0);
    assert.match(stdout, /^model Second {2}b=3\n/);
    assert.match(await refused("several", "--model", "Third"), /Third/);
  });

  it("shows the interface that a setting chooses, with all its arguments", async () => {
    const { code, stdout, stderr } = await check("changeable", "--set", "change=OFT(block: 4)");
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    assert.match(stdout, /^model Changeable {2}dim=4 {2}change=OFT\(block: 4, steps: 8\)$/m);
    assert.match(stdout, /^memory: 2 layers x 2 tokens x 1 x 4 {2}\(RankAnchored; 12 generated numbers, 4 padding\)$/m);
    assert.match(stdout, /memory: maps\.0\.forward +OFT +2 +(proven by substitution|checked numerically)/);
    const wrong = await check("changeable", "--set", "change=OFT(blok: 4)");
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /OFT takes no `blok`.*\n --> setting change:1:5\n/);
    assert.match(wrong.stderr, /1 \| OFT\(blok: 4\)\n/);
    const plain = await check("changeable", "--set", "change=HRA");
    assert.match(plain.stdout, /change=HRA\(rank: 8, std: 0\.02\)/);
  });

  it("refuses an interface that changes its base at the start without saying so", async () => {
    const stderr = await refused("changed-start");
    assert.match(stderr, /^error\[W\d+\]: .*start/);
    assert.match(stderr, /interface Doubled\(\) on Linear/);
    assert.match(stderr, /starts = "changed"/);
  });
});
