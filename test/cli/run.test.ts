import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Tensor, tensor } from "../../src/index.js";
import {
  floats,
  integers,
  model,
  noise,
  type Outcome,
  readTensors,
  temporaryFolder,
  weft,
  writeTensors,
} from "./support.js";

const weight = floats([3, 2], [1, 2, 3, 4, 5, 6]);
const shift = floats([2], [10, 20]);
const table = floats([5, 2], noise(1));

interface Request {
  readonly params?: Readonly<Record<string, Tensor>>;
  readonly inputs?: Readonly<Record<string, Tensor>>;
  readonly cotangents?: Readonly<Record<string, Tensor>>;
  readonly flags?: readonly string[];
}

describe("weft run", () => {
  let folder: string;
  before(async () => {
    folder = await temporaryFolder();
  });

  const outPath = (): string => join(folder, "out.safetensors");

  async function attempt(entry: string, request: Request): Promise<Outcome> {
    const files: string[] = [];
    for (const [flag, tensors] of [
      ["--params", request.params],
      ["--inputs", request.inputs],
      ["--cotangent", request.cotangents],
    ] as const)
      if (tensors !== undefined) files.push(flag, await writeTensors(join(folder, flag), tensors));
    return weft(
      "run",
      model("small"),
      entry,
      ...files,
      "--out",
      outPath(),
      ...(request.flags ?? ["--device", "reference"]),
    );
  }

  async function results(entry: string, request: Request): Promise<Map<string, Tensor>> {
    const { code, stdout, stderr } = await attempt(entry, request);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    assert.match(stdout, /^\S+out\.safetensors: \d+ tensors from \w+ \(\d+ stored tensors read\)\n$/);
    return readTensors(outPath());
  }

  async function refusal(entry: string, request: Request): Promise<string> {
    const { code, stdout, stderr } = await attempt(entry, request);
    assert.deepEqual({ code, stdout }, { code: 1, stdout: "" }, stderr);
    assert.match(stderr, /^weft: /);
    assert.doesNotMatch(stderr, /\n {4}at /);
    return stderr;
  }

  /** The sum of some rows of the table. */
  const rows = (...chosen: readonly number[]): number[] =>
    [0, 1].map((column) => chosen.reduce((sum, row) => sum + table.data[2 * row + column]!, 0));

  const near = (found: ArrayLike<number>, expected: readonly number[]): void =>
    expected.forEach((value, place) => {
      assert.ok(Math.abs(found[place]! - value) < 1e-6, `${found[place]} is not ${value}`);
    });

  const shown = (tensors: Map<string, Tensor>): Record<string, unknown> =>
    Object.fromEntries([...tensors].map(([name, { shape, data }]) => [name, { shape, values: [...data] }]));

  for (const device of ["reference", "cpu"]) {
    it(`keeps or leaves out the batch axis as the inputs do (${device})`, async () => {
      const flags = ["--device", device];
      const params = { weight, shift };
      const one = { x: floats([3], [1, 0, 2]) };
      assert.deepEqual(shown(await results("predict", { params, inputs: one, flags })), {
        output: { shape: [2], values: [21.5, 34.5] },
      });
      const two = { x: floats([2, 3], [1, 0, 2, 0, 1, 0]) };
      assert.deepEqual(shown(await results("predict", { params, inputs: two, flags })), {
        output: { shape: [2, 2], values: [21.5, 34.5, 13.5, 24.5] },
      });
      const single = { x: floats([1, 3], [1, 0, 2]) };
      assert.deepEqual((await results("predict", { params, inputs: single, flags })).get("output")!.shape, [1, 2]);
    });

    it(`sums gradients of stored tensors over the batch and keeps those of inputs apart (${device})`, async () => {
      const flags = ["--device", device, "--grad", "*", "--grad", "x"];
      const inputs = { x: floats([2, 3], [1, 0, 2, 0, 1, 0]) };
      const cotangents = { output: floats([2, 2], [1, 0, 2, 3]) };
      const params = { weight, shift };
      const expected = {
        output: { shape: [2, 2], values: [21.5, 34.5, 13.5, 24.5] },
        "gradient:shift": { shape: [2], values: [3, 3] },
        "gradient:weight": { shape: [3, 2], values: [1, 0, 2, 3, 2, 0] },
        "gradient:x": { shape: [2, 3], values: [1, 3, 5, 8, 18, 28] },
      };
      const sorted = (found: Record<string, unknown>) => Object.entries(found).sort(([a], [b]) => (a < b ? -1 : 1));
      assert.deepEqual(
        sorted(shown(await results("predict", { params, inputs, cotangents, flags }))),
        sorted(expected),
      );
      // The cotangent may stand beside the inputs, too.
      const beside = { ...inputs, "cotangent.output": cotangents.output };
      assert.deepEqual(sorted(shown(await results("predict", { params, inputs: beside, flags }))), sorted(expected));
    });

    it(`fills masks that are left out, and honours those that are given (${device})`, async () => {
      const flags = ["--device", device];
      const words = integers([4], [1, 1, 4, 0]);
      const all = await results("bag", { params: { table }, inputs: { words }, flags });
      near(all.get("output")!.data, rows(1, 1, 4, 0));
      const mask = tensor("bool", [4], Uint8Array.of(1, 0, 1, 0));
      const some = await results("bag", { params: { table }, inputs: { words, "words.mask": mask }, flags });
      near(some.get("output")!.data, rows(1, 4));
    });
  }

  it("leaves gradients unbatched when the inputs are, and needs no cotangent for a scalar", async () => {
    const inputs = { x: floats([3], [1, 0, 0]), y: floats([2], [0, 0]) };
    const found = await results("loss", {
      params: { weight },
      inputs,
      flags: ["--device", "reference", "--grad", "weight,x"],
    });
    assert.deepEqual(shown(found), {
      output: { shape: [], values: [2.5] },
      "gradient:weight": { shape: [3, 2], values: [1, 2, 0, 0, 0, 0] },
      "gradient:x": { shape: [3], values: [5, 11, 17] },
    });
  });

  it("takes arguments marked shared without a batch axis, and truth values as integers", async () => {
    const inputs = { x: floats([2, 3], [1, 2, 3, 4, 5, 6]), scale: floats([3], [1, 10, 100]) };
    assert.deepEqual([...(await results("scaled", { inputs })).get("output")!.data], [1, 20, 300, 4, 50, 600]);
    const chosen = await results("choose", { inputs: { keep: integers([2], [0, 1]), x: floats([2], [3, 4]) } });
    assert.deepEqual([...chosen.get("output")!.data], [-3, 4]);
  });

  it("names the parts of a tuple", async () => {
    assert.deepEqual(shown(await results("pair", { inputs: { x: floats([3], [1, 2, 3]) } })), {
      "output.0": { shape: [3], values: [2, 4, 6] },
      "output.1": { shape: [], values: [6] },
    });
  });

  it("draws the same numbers for the same seed on every device, and others for another", async () => {
    const drawn = async (...flags: readonly string[]) => [
      ...(await results("noisy", { inputs: { x: floats([2, 3], () => 0) }, flags })).get("output")!.data,
    ];
    const first = await drawn("--device", "reference", "--seed", "7");
    assert.ok(new Set(first).size === 6);
    (await drawn("--device", "cpu", "--seed", "7")).forEach((value, place) => {
      assert.ok(Math.abs(value - first[place]!) < 1e-5, `${value} is not ${first[place]}`);
    });
    assert.notDeepEqual(await drawn("--device", "reference", "--seed", "8"), first);
    assert.match(
      await refusal("noisy", { inputs: { y: floats([3], () => 0) } }),
      /missing: x\n {2}not in the model: y/,
    );
    const { code, stderr } = await attempt("noisy", { inputs: {}, flags: ["--seed", "-1"] });
    assert.deepEqual(
      { code, said: stderr.split("\n")[0] },
      { code: 2, said: "weft: --seed expects a whole number from 0 to 4294967295" },
    );
  });

  it("hands NaN and infinity on as they are", async () => {
    const x = floats([2, 3], [Number.NaN, 0, 0, Number.POSITIVE_INFINITY, 0, 0]);
    for (const device of ["reference", "cpu"]) {
      const found = await results("scaled", {
        inputs: { x, scale: floats([3], [2, 2, 2]) },
        flags: ["--device", device],
      });
      assert.deepEqual([...found.get("output")!.data], [Number.NaN, 0, 0, Number.POSITIVE_INFINITY, 0, 0]);
    }
  });

  it("lists parameters that are missing and those that the model has not; unread ones of the model may be there", async () => {
    const inputs = { x: floats([3], [0, 0, 0]) };
    const unused = floats([7], () => 0);
    assert.equal((await results("predict", { params: { weight, shift, unused, table }, inputs })).size, 1);
    assert.equal(
      await refusal("predict", { params: { shift, bias: shift, extra: shift }, inputs }),
      "weft: the parameters of predict do not fit:\n  missing: weight\n  not in the model: bias, extra\n",
    );
    assert.match(await refusal("predict", { inputs }), /missing: shift, weight|missing: weight, shift/);
  });

  it("names what has the wrong shape, dtype or batch", async () => {
    const params = { weight, shift };
    const x = floats([3], [0, 0, 0]);
    assert.equal(
      await refusal("predict", { params: { weight: floats([2, 3], () => 0), shift }, inputs: { x } }),
      "weft: parameter weight has shape [2, 3], but the model has [3, 2]\n",
    );
    assert.equal(
      await refusal("predict", { params: { weight: integers([3, 2], [1, 2, 3, 4, 5, 6]), shift }, inputs: { x } }),
      "weft: parameter weight holds i32, but the model stores f32\n",
    );
    assert.equal(
      await refusal("predict", { params, inputs: { x: floats([4], () => 0) } }),
      "weft: input x has shape [4]; [3], or that with a leading batch axis, is needed\n",
    );
    assert.equal(
      await refusal("predict", { params, inputs: { x: integers([3], [1, 2, 3]) } }),
      "weft: input x holds i32, but f32 is needed\n",
    );
    assert.equal(
      await refusal("loss", { params: { weight }, inputs: { x: floats([2, 3], () => 0), y: floats([3, 2], () => 0) } }),
      "weft: inputs disagree about the batch: x has 2 instances, y has 3 instances\n",
    );
    assert.equal(
      await refusal("loss", { params: { weight }, inputs: { x, y: floats([3, 2], () => 0) } }),
      "weft: inputs disagree about the batch: x has no batch axis, y has 3 instances\n",
    );
    assert.equal(
      await refusal("scaled", { inputs: { x, scale: floats([2, 3], () => 0) } }),
      "weft: input scale is shared: it takes no batch axis\n",
    );
    assert.equal(
      await refusal("predict", { params, inputs: { x: floats([0, 3], []) } }),
      "weft: input x has 0 instances; at least one is needed\n",
    );
  });

  it("names gradients and cotangents that do not fit", async () => {
    const request = { params: { weight, shift }, inputs: { x: floats([3], [0, 0, 0]) } };
    const flags = ["--device", "reference", "--grad", "weight"];
    assert.equal(
      await refusal("predict", { ...request, flags }),
      "weft: the cotangents do not fit:\n  missing: output\n",
    );
    assert.equal(
      await refusal("predict", { ...request, flags, cotangents: { output: floats([1, 2], [1, 1]) } }),
      "weft: cotangent output has shape [1, 2], but [2] is needed\n",
    );
    assert.equal(
      await refusal("predict", { ...request, flags, cotangents: { output: integers([2], [1, 1]) } }),
      "weft: cotangent output holds i32, but f32 is needed\n",
    );
    assert.equal(
      await refusal("predict", { ...request, flags: ["--grad", "bias", "--device", "reference"] }),
      "weft: predict reads no float tensor called bias, so it has no gradient; it reads weight, shift, x\n",
    );
  });

  it("renames tensors of the parameter file, by pairs and by a map", async () => {
    const inputs = { x: floats([3], [1, 0, 0]) };
    const params = { "old.w": weight, "some.other.shift": shift };
    const map = join(folder, "map.json");
    await writeFile(map, JSON.stringify({ "some.*.shift": "shift" }));
    const flags = ["--device", "reference", "--rename", "old.w=weight", "--map", map];
    assert.deepEqual([...(await results("predict", { params, inputs, flags })).get("output")!.data], [11.5, 22.5]);

    const twice = { ...params, weight };
    assert.match(
      await refusal("predict", { params: twice, inputs, flags }),
      /"(old\.w|weight)" and "(old\.w|weight)" of the parameter file would both be weight/,
    );
    for (const text of ["{", "[]", '{"a": 1}', "null", '"text"']) {
      await writeFile(map, text);
      assert.match(await refusal("predict", { params, inputs, flags }), /map\.json must hold a JSON object of strings/);
    }
    const { code, stderr } = await attempt("predict", { params, inputs, flags: ["--rename", "weight"] });
    assert.equal(code, 2);
    assert.match(stderr, /--rename expects OLD=NEW, found "weight"/);
  });

  it("names files that are missing, folders, or no safetensors", async () => {
    const inputs = join(folder, "broken.safetensors");
    const say = async () => {
      const { code, stderr } = await weft("run", model("small"), "pair", "--inputs", inputs, "--out", outPath());
      assert.equal(code, 1);
      return stderr;
    };
    assert.equal(await say(), `weft: there is no file ${inputs}\n`);
    for (const [text, complaint] of [
      ["", "is 0 bytes long"],
      ["\x09\0\0\0\0\0\0\0{}", "ends inside its header"],
      ["\x02\0\0\0\0\0\0\0[]", "not a JSON object"],
      ["\xff\xff\xff\xff\xff\xff\xff\xff{}", "says that its header has"],
    ] as const) {
      await writeFile(inputs, text, "latin1");
      const said = await say();
      assert.ok(said.startsWith(`weft: ${inputs}: `) && said.includes(complaint), said);
    }
    const { code, stderr } = await weft("run", model("small"), "pair", "--inputs", folder, "--out", outPath());
    assert.deepEqual({ code, stderr }, { code: 1, stderr: `weft: ${folder} is a folder, not a file\n` });
  });

  it("says what cannot be written, and knows the entry points", async () => {
    const inputs = { x: floats([3], [0, 0, 0]) };
    const path = await writeTensors(join(folder, "in"), inputs);
    const blocked = await weft(
      "run",
      model("small"),
      "pair",
      "--inputs",
      path,
      "--out",
      join(path, "out"),
      "--device",
      "reference",
    );
    assert.equal(blocked.code, 1);
    assert.ok(blocked.stderr.includes(path), blocked.stderr);
    const unknown = await weft("run", model("small"), "pears", "--out", outPath());
    assert.equal(unknown.code, 2);
    assert.match(unknown.stderr, /model Small has no entry point "pears"; it has predict, loss, bag/);
  });

  it("reads indices beyond a table as its nearest row on every device", async () => {
    const words = integers([4], [-3, 99, 2, 2]);
    for (const device of ["reference", "cpu"]) {
      const found = await results("bag", { params: { table }, inputs: { words }, flags: ["--device", device] });
      near(found.get("output")!.data, rows(0, 4, 2, 2));
    }
  });
});
