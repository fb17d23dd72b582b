import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { compile, initialValue } from "../../../src/index.js";
import { floats, noise, readTensors, temporaryFolder, weft, writeTensors } from "../../cli/support.js";
import { codeBlocks } from "../../docs/blocks.js";

/** The file under "Writing one", with an interface that the library has not. */
const { text } = codeBlocks("docs/interfaces.md").find((block) => block.text.includes("interface TwoSided"))!;

describe("an interface of a user's own", () => {
  let folder: string;
  let file: string;
  before(async () => {
    folder = await temporaryFolder();
    file = join(folder, "own.weft");
    await writeFile(file, text);
  });

  it("is checked: its grid is shown and its start proven", async () => {
    const { code, stdout, stderr } = await weft("check", file);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /memory: 2 layers x 2 tokens x 1 x 4/);
    assert.match(stdout, /TwoSided\.before +constant\(1\)/);
    assert.match(stdout, /memory: maps\.0\.forward +TwoSided +2 +proven by substitution/);
  });

  it("has a graph, traced and fused", async () => {
    for (const pass of ["traced", "fused"]) {
      const { code, stdout, stderr } = await weft("graph", file, "answer", "--after", pass);
      assert.equal(code, 0, stderr);
      assert.ok(stdout.includes("memory.TwoSided.R"), pass);
    }
  });

  it("is listed, and counted at its sites", async () => {
    const { stdout } = await weft("interfaces", "TwoSided", "--file", file, "--sites", "maps[*]");
    assert.match(stdout, /R +shared frozen +\[base\.out_features, base\.in_features\] +orthogonal\(\)/);
    assert.match(stdout, / = 16 at maps\[\*\]|generates 16 at maps\[\*\]/);
  });

  it("trains, and runs with what was trained", async () => {
    // What a hint asks for can be had by scaling alone.
    const rows = 32;
    const x = floats([rows, 4], noise(1));
    const hint = floats([rows, 4], noise(2));
    const target = floats([rows, 4], (place) => x.data[place]! * (1 + hint.data[place]!));
    const table = await writeTensors(join(folder, "pairs.safetensors"), { x, hint, target });
    const run = join(folder, "run");
    const trained = await weft("train", file, "write", "--table", `pairs=${table}`, "--run", run, "--device", "cpu");
    assert.equal(trained.code, 0, trained.stderr);
    const { model } = await compile(file);
    const starts = model.parameters.map((spec) => [spec.path, initialValue(spec, 0)] as const);
    const final = await readTensors(join(run, "write", "final.safetensors"));
    assert.ok(
      [...final.keys()].every((path) => path.startsWith("writer.")),
      "the backbone and R are frozen",
    );
    const lossWith = async (parameters: Iterable<readonly [string, unknown]>): Promise<number> => {
      const stored = await writeTensors(join(folder, "stored.safetensors"), Object.fromEntries(parameters) as never);
      const inputs = await writeTensors(join(folder, "inputs.safetensors"), { x, hint, target });
      const out = join(folder, "out.safetensors");
      const flags = ["--params", stored, "--inputs", inputs, "--out", out];
      const outcome = await weft("run", file, "loss", ...flags);
      assert.equal(outcome.code, 0, outcome.stderr);
      const values = [...((await readTensors(out)).get("output")!.data as Float32Array)];
      return values.reduce((sum, value) => sum + value, 0) / rows;
    };
    const [before, after] = [await lossWith(starts), await lossWith([...starts, ...final])];
    assert.ok(after < 0.9 * before, `${before} fell only to ${after}`);
  });
});
