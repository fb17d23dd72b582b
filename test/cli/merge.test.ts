import assert from "node:assert/strict";
import { join } from "node:path";
import { compile, initialValue, type Tensor } from "../../src/index.js";
import { floats, model, noise, readTensors, temporaryFolder, weft, writeTensors } from "./support.js";

const file = model("adapted");

const close = (found: Tensor, expected: Tensor, within: number): void => {
  assert.deepEqual(found.shape, expected.shape);
  found.data.forEach((number, place) => {
    assert.ok(Math.abs(number - expected.data[place]!) <= within, `${place}: ${number}, not ${expected.data[place]}`);
  });
};

describe("weft merge", () => {
  let folder: string;
  let params: string;
  let shape: readonly number[];

  before(async () => {
    folder = await temporaryFolder();
    const { model: built } = await compile(file);
    const tensors = built.parameters.map((spec, place): [string, Tensor] => [
      spec.path,
      /^(single|table|bent_single)$/.test(spec.path) ? floats(spec.shape, noise(place)) : initialValue(spec, 1),
    ]);
    params = await writeTensors(join(folder, "params.safetensors"), Object.fromEntries(tensors));
    shape = built.parameters.find(({ path }) => path === "single")!.shape;
  });

  const run = async (entry: string, parameters: string, inputs: Record<string, Tensor>): Promise<Tensor> => {
    const given = await writeTensors(join(folder, `${entry}-in.safetensors`), inputs);
    const out = join(folder, `${entry}-out.safetensors`);
    const outcome = await weft(
      "run",
      file,
      entry,
      "--params",
      parameters,
      "--inputs",
      given,
      "--out",
      out,
      "--device",
      "reference",
    );
    assert.equal(outcome.stderr, "");
    return (await readTensors(out)).get("output")!;
  };

  it("writes weights with which the plain net does what the adapted one does, and leaves all others as they are", async () => {
    const tokens = floats([2, ...shape], noise(7));
    const x = floats([2, 6], noise(3));
    const given = await writeTensors(join(folder, "tokens.safetensors"), { output: tokens });
    const out = join(folder, "merged.safetensors");
    const outcome = await weft("merge", file, "--tokens", given, "--row", "1", "--params", params, "--out", out);
    assert.deepEqual(outcome, {
      code: 0,
      stdout: `${out}: 10 tensors of net, 4 of them with ${given} output, row 1 folded in\n`,
      stderr: "",
    });

    const before = await readTensors(params);
    const after = await readTensors(out);
    const changed = /\.(up|down)\.weight$/;
    for (const [path, { data }] of after) {
      if (!changed.test(path)) assert.deepEqual(data, before.get(path)!.data, path);
    }
    const one = floats(shape, tokens.data.subarray(tokens.data.length / 2));
    close(await run("plain", out, { x }), await run("adapted", params, { tokens: one, x }), 1e-5);
  });

  it("folds in a stored operator, or one row of a table", async () => {
    const x = floats([2, 6], noise(3));
    const stored = await readTensors(params);
    const single = join(folder, "single.safetensors");
    assert.equal((await weft("merge", file, "--operator", "single", "--params", params, "--out", single)).stderr, "");
    const tokens = stored.get("single")!;
    close(await run("plain", single, { x }), await run("adapted", params, { tokens, x }), 1e-5);

    const row = join(folder, "row.safetensors");
    assert.equal(
      (await weft("merge", file, "--operator", "table", "--row", "2", "--params", params, "--out", row)).stderr,
      "",
    );
    const table = stored.get("table")!;
    const third = floats(shape, table.data.subarray((table.data.length / 3) * 2));
    close(await run("plain", row, { x }), await run("adapted", params, { tokens: third, x }), 1e-5);
  });

  it("gives the same as merging in the language, and as training through it", async () => {
    const x = floats([2, 6], noise(3));
    const y = floats([2, 3], noise(4));
    const tokens = floats(shape, noise(5));
    close(await run("merged", params, { tokens, x }), await run("adapted", params, { tokens, x }), 1e-5);
    const gradient = async (entry: string): Promise<Tensor> => {
      const inputs = await writeTensors(join(folder, "xy.safetensors"), { x, y });
      const out = join(folder, "gradient.safetensors");
      const outcome = await weft(
        "run",
        file,
        entry,
        "--params",
        params,
        "--inputs",
        inputs,
        "--out",
        out,
        "--device",
        "reference",
        "--grad",
        "single",
      );
      assert.equal(outcome.stderr, "");
      return (await readTensors(out)).get("gradient:single")!;
    };
    close(await gradient("merged_loss"), await gradient("loss"), 1e-5);
  });

  it("refuses what does not fold, with the line that is to blame", async () => {
    const { code, stderr } = await weft(
      "merge",
      file,
      "--operator",
      "bent_single",
      "--params",
      params,
      "--out",
      join(folder, "no"),
    );
    assert.equal(code, 1);
    assert.match(
      stderr,
      /error\[W378\]: Bottleneck does not fold into a weight at `net\.layers\.0\.up`: `tanh\(y @ down\.T\)` is not linear/,
    );
    assert.match(stderr, /adapted\.weft:13:9\n/);
    assert.equal(stderr.match(/error\[/g)!.length, 1, "one message for all sites");
  });

  for (const [what, args, said] of [
    ["no operator", "--params P", /which operator\? Give --tokens FILE or --operator PATH/],
    [
      "two operators",
      "--params P --tokens T --operator single",
      /Arguments tokens and operator are mutually exclusive/,
    ],
    [
      "an operator that is not stored",
      "--params P --operator other",
      /stores no operator "other"; it stores .*single, table/,
    ],
    ["a table without a row", "--params P --operator table", /table holds 3 operators: choose one with --row N/],
    ["a row that is not there", "--params P --operator table --row 3", /table holds the rows 0-2, not 3/],
    [
      "another adaptation than the operator's",
      "--params P --operator single --memory other",
      /no adaptation "other"; it has memory, bent/,
    ],
    [
      "no weights",
      "--operator single",
      /the weights are wanted, for instance "single": give --after STAGE or --params FILE/,
    ],
    [
      "fields that do not hold the sites",
      "--params P --operator single --only net.head",
      /changes "net\.layers\.0\.up\.weight", which --only leaves out/,
    ],
    ["a stage that was not trained", "--operator single --after whole --run R", /Stage "whole" has not been trained/],
  ] as const) {
    it(`says what is wrong with ${what}`, async () => {
      const given = args
        .replace("P", params)
        .replace(" R", ` ${join(folder, "runs")}`)
        .split(" ");
      const { code, stderr } = await weft("merge", file, ...given, "--out", join(folder, "no"));
      assert.notEqual(code, 0);
      assert.match(stderr, said);
    });
  }

  it("says which weights are missing from a file", async () => {
    const part = await writeTensors(join(folder, "part.safetensors"), {
      single: (await readTensors(params)).get("single")!,
    });
    const { code, stderr } = await weft(
      "merge",
      file,
      "--operator",
      "single",
      "--params",
      part,
      "--out",
      join(folder, "no"),
    );
    assert.equal(code, 1);
    assert.match(stderr, /part\.safetensors has no tensor "net\.layers\.0\.up\.weight"/);
  });
});
