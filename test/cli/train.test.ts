import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { nodeHost } from "../../src/cli/host.js";
import { compile, initialValue, readCurves } from "../../src/index.js";
import { floats, model, type Outcome, readTensors, temporaryFolder, weft, writeTensors } from "./support.js";
import { pairs, tables } from "./training-data.js";

const regression = model("regression");
const curves = (folder: string) => readCurves(nodeHost(), folder);

describe("weft train", () => {
  let folder: string;
  let data: readonly string[];
  before(async () => {
    folder = await temporaryFolder();
    data = await tables(folder);
  });

  const train = (stage: string, run: string, ...flags: readonly string[]): Promise<Outcome> =>
    weft("train", regression, stage, ...data, "--run", join(folder, run), ...flags);

  async function trained(stage: string, run: string, ...flags: readonly string[]): Promise<Map<string, Float32Array>> {
    const { code, stderr } = await train(stage, run, ...flags);
    assert.equal(code, 0, stderr);
    const file = await readTensors(join(folder, run, stage, "final.safetensors"));
    return new Map([...file].map(([name, { data }]) => [name, data as Float32Array]));
  }

  function assertNear(found: Map<string, Float32Array>, expected: Map<string, Float32Array>, tolerance: number): void {
    assert.deepEqual([...found.keys()].sort(), [...expected.keys()].sort());
    for (const [name, values] of found)
      values.forEach((value, place) => {
        const difference = Math.abs(value - expected.get(name)![place]!);
        assert.ok(difference <= tolerance, `${name}[${place}] differs by ${difference}`);
      });
  }

  const finals = new Map<string, Map<string, Float32Array>>();
  for (const device of ["reference", "cpu"]) {
    it(`learns, measures itself on the way, and leaves metrics and a result (${device})`, async () => {
      const run = `learn-${device}`;
      const outcome = await train("base", run, "--device", device);
      assert.equal(outcome.code, 0, outcome.stderr);
      const file = join(folder, run, "base", "final.safetensors");
      assert.match(outcome.stdout, /^quality: output 0?\.\d+\n/);
      assert.equal(outcome.stdout.trimEnd().split("\n").at(-1), file);
      assert.match(outcome.stderr, /^base: 60 steps\n[\s\S]*base: step 60\/60 {2}loss/);

      const { steps, evaluations } = await curves(join(folder, run, "base"));
      assert.deepEqual(
        steps.map(({ step }) => step),
        Array.from({ length: 60 }, (_, place) => place + 1),
      );
      const mean = (from: number, to: number) =>
        steps.slice(from, to).reduce((sum, { loss }) => sum + loss, 0) / (to - from);
      assert.ok(mean(50, 60) < 0.3 * mean(0, 5), `${mean(0, 5)} fell only to ${mean(50, 60)}`);
      assert.deepEqual(
        evaluations.map(({ step, evaluation }) => `${evaluation} ${step}`),
        ["quality 20", "quality 40", "quality 60"],
      );
      const values = evaluations.map(({ values }) => values.output!);
      assert.ok(values[2]! < values[0]!, `${values}`);
      assert.deepEqual((await readdir(join(folder, run, "base"))).sort(), ["final.safetensors", "metrics.jsonl"]);
      assert.deepEqual((await readdir(join(folder, run))).sort(), ["base"]);
      const tensors = await readTensors(file);
      assert.ok([...tensors.keys()].every((name) => name.startsWith("net.")) && tensors.size === 6);
      finals.set(device, new Map([...tensors].map(([name, { data }]) => [name, data as Float32Array])));
    });
  }

  it("ends with nearly the same numbers on both devices", () => {
    assertNear(finals.get("cpu")!, finals.get("reference")!, 2e-3);
  });

  it("does not train again what is done, and trains what comes before a stage", async () => {
    await trained("base", "chain");
    const again = await train("base", "chain");
    assert.equal(again.code, 0);
    assert.match(again.stderr, /^base: already trained/);
    const { code, stdout, stderr } = await train("tune", "chain");
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^base: already trained[\s\S]*tune: 60 steps/);
    assert.match(stdout, /^tuned: output/);
    const other = await train("base", "chain", "--seed", "1");
    assert.equal(other.code, 1);
    assert.match(other.stderr, /seed: was 0, is now 1/);
  });

  it("evaluates afterwards what it measured during training", async () => {
    const run = join(folder, "learn-cpu");
    const during = (await curves(join(run, "base"))).evaluations.at(-1)!.values.output!;
    const { code, stdout, stderr } = await weft("eval", regression, "quality", ...data, "--run", run, "--json");
    assert.equal(code, 0, stderr);
    assert.deepEqual(Object.keys(JSON.parse(stdout)), ["output"]);
    assert.ok(Math.abs(JSON.parse(stdout).output - during) < 1e-6 * during, `${stdout} is not ${during}`);
    const text = await weft("eval", regression, "quality", ...data, "--run", run);
    assert.match(text.stdout, /^output {2}0?\.\d+\n$/);

    const unknown = await weft("eval", regression, "qualty", ...data, "--run", run);
    assert.deepEqual([unknown.code, /it has quality, tuned/.test(unknown.stderr)], [2, true]);
    const untrained = await weft("eval", regression, "tuned", ...data, "--run", run);
    assert.equal(untrained.code, 1);
    assert.match(untrained.stderr, /Stage "tune" has not been trained in/);
  });

  it("samples rows of the data with a stage's weights, and draws pictures", async () => {
    const run = join(folder, "learn-cpu");
    const sample = (entry: string, out: string, ...flags: readonly string[]) =>
      weft(
        "sample",
        regression,
        entry,
        ...data,
        "--run",
        run,
        "--from",
        "held_out",
        "--out",
        join(folder, out),
        ...flags,
      );
    const { code, stdout, stderr } = await sample("predict", "predicted", "--after", "base", "--rows", "0-3,12");
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    assert.match(stdout, /: 5 rows of held_out through predict\n$/);
    const predicted = (await readTensors(join(folder, "predicted"))).get("output")!;
    assert.deepEqual(predicted.shape, [5, 2]);
    const { y } = pairs(20, 2);
    const error = [0, 1, 2, 3, 12].reduce(
      (sum, row, place) => sum + Math.abs(predicted.data[2 * place]! - y.data[2 * row]!) / 5,
      0,
    );
    assert.ok(error < 0.7, `mean error ${error}`);
    await sample("predict", "initial", "--rows", "0");
    assert.notEqual((await readTensors(join(folder, "initial"))).get("output")!.data[0], predicted.data[0]);

    const drawn = await sample("picture", "pictures", "--after", "base", "--rows", "2,5", "--png", join(folder, "png"));
    assert.equal(drawn.code, 0, drawn.stderr);
    assert.deepEqual(await readdir(join(folder, "png")), ["output-2.png", "output-5.png"]);
    const { data: pixels, info } = await sharp(join(folder, "png", "output-2.png"))
      .raw()
      .toBuffer({ resolveWithObject: true });
    assert.deepEqual([info.width, info.height], [8, 8]);
    assert.ok(pixels[0] === 0 && pixels[info.channels * 63]! > 127);
    const flat = await sample("predict", "flat", "--rows", "0", "--png", join(folder, "png"));
    assert.equal(flat.code, 1);
    assert.match(flat.stderr, /--png: output output is no square picture of 3 channels: it has shape \[2\]/);

    for (const [flags, said] of [
      [["--rows", "18-25"], /--rows 18-25: the source has rows 0-19/],
      [["--rows", "x"], /--rows expects numbers and ranges/],
      [["--rows", "0", "--from", "none"], /--from is given twice/],
    ] as const) {
      const refused = await sample("predict", "refused", ...flags);
      assert.equal(refused.code, 2);
      assert.match(refused.stderr, said);
    }
  });

  it("samples by a solver, with the weights that its block says, each row from the noise of its number", async () => {
    const run = join(folder, "learn-cpu");
    const sample = async (entry: string, out: string, ...flags: readonly string[]) => {
      const to = ["--from", "held_out", "--out", join(folder, out)];
      const { code, stderr } = await weft("sample", regression, entry, ...data, "--run", run, ...to, ...flags);
      return code === 0 ? (await readTensors(join(folder, out))).get("output")!.data : stderr;
    };
    const target = (await sample("predict", "target", "--after", "base", "--rows", "3,7")) as Float32Array;
    const near = (points: Awaited<ReturnType<typeof sample>>, expected: (place: number) => number) => {
      assert.ok(points instanceof Float32Array, String(points));
      for (const [place, value] of points.entries())
        assert.ok(Math.abs(value - expected(place)) < 1e-5, `${value} instead of ${expected(place)}`);
    };
    const points = (await sample("points", "points", "--rows", "3,7")) as Float32Array;
    const noise = Array.from(points, (value, place) => target[place]! + (value - target[place]!) / (7 / 8) ** 8);
    assert.ok(noise.some((value) => Math.abs(value) > 0.3));
    near(await sample("points", "alone", "--rows", "7"), (place) => points[place + 2]!);
    near(await sample("points", "whole", "--rows", "3,7", "--steps", "1"), (place) => target[place]!);
    const strong = ["--guidance", "2", "--steps", "1"];
    near(await sample("points", "strong", "--rows", "3,7", ...strong), (place) => 2 * target[place]!);

    assert.match(
      (await sample("predict", "none", "--rows", "0", "--steps", "3")) as string,
      /--steps is for `sample` blocks/,
    );
    assert.match((await sample("points", "none", "--guidance", "much")) as string, /--guidance expects a number/);
    assert.match((await sample("pints", "none", "--rows", "0")) as string, /it has points, loss, shifted/);
    const first = await weft(
      "sample",
      regression,
      "points",
      ...data,
      "--run",
      join(folder, "empty"),
      "--from",
      "held_out",
      "--out",
      join(folder, "none"),
    );
    assert.match(first.stderr, /Stage "base" has not been trained in/);
  });

  it("collects a mean over data, with what came before", async () => {
    const { code, stdout, stderr } = await train("mean_of_pairs", "learn-cpu");
    assert.equal(code, 0, stderr);
    assert.match(
      stderr,
      /^base: already trained.*\nmean_of_pairs: 4 steps\n[\s\S]*mean_of_pairs: batch 4\/4 {2}\d+ examples\/s/,
    );
    assert.match(stdout, /mean_of_pairs\/final\.safetensors\n$/);
    const middle = (await readTensors(join(folder, "learn-cpu/mean_of_pairs/final.safetensors"))).get("middle")!;
    assert.deepEqual(middle.shape, [2]);
    assert.ok(middle.data.every((value) => value !== 0 && Math.abs(value) < 1));
  });

  it("gives the same in parts of a batch as in one piece, within rounding", async () => {
    assertNear(await trained("parts", "whole-and-parts"), await trained("whole", "whole-and-parts"), 1e-5);
  });

  it("leaves the moving average of all steps where a stage asks for it", async () => {
    const { model } = await compile(regression);
    const expected = new Map(
      model.parameters
        .filter(({ path }) => path.startsWith("net."))
        .map((spec) => [spec.path, Float32Array.from(initialValue(spec, 0).data)]),
    );
    for (const steps of [1, 2, 3]) {
      const flags = ["--set", `steps=${steps}`, "--device", "reference"];
      const present = await trained("plain", `ema-${steps}`, ...flags);
      for (const [name, values] of expected)
        values.forEach((value, place) => {
          values[place] = 0.9 * value + 0.1 * present.get(name)![place]!;
        });
      assertNear(await trained("average", `ema-${steps}`, ...flags), expected, 1e-6);
    }
  });

  it("draws everything from its seed", async () => {
    const bytes = (run: string) => readFile(join(folder, run, "whole", "final.safetensors"));
    await trained("whole", "seed-0a");
    await trained("whole", "seed-0b");
    await trained("whole", "seed-1", "--seed", "1");
    assert.deepEqual(await bytes("seed-0a"), await bytes("seed-0b"));
    assert.notDeepEqual(await bytes("seed-0a"), await bytes("seed-1"));
  });

  it("starts from given weights, and warns of those that the model has not", async () => {
    const params = await writeTensors(join(folder, "weights"), {
      "net.head.bias": floats([2], [100, 100]),
      surplus: floats([1], [0]),
    });
    const { code, stderr } = await train("whole", "params", "--params", params);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /warning: .*weights: 1 tensors are no parameters of the model, the first is "surplus"/);
    const [first] = (await curves(join(folder, "params", "whole"))).steps;
    assert.ok(first!.loss > 5000, `${first!.loss}`);
    const wrong = await writeTensors(join(folder, "wrong"), { "net.head.bias": floats([3], [1, 1, 1]) });
    const refused = await train("whole", "params-wrong", "--params", wrong);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /net\.head\.bias/);
  });

  it("stops at a loss that is not finite, naming the node and the line it stands in", async () => {
    const table = await writeTensors(join(folder, "positive.safetensors"), {
      x: floats([64, 4], (place) => (place === 4 * 40 ? -1 : 0.5)),
      y: floats([64, 2], () => 0),
    });
    for (const device of ["cpu", "reference"]) {
      const { code, stdout, stderr } = await weft(
        ...[
          "train",
          regression,
          "spoilt",
          "--table",
          `pairs=${table}`,
          "--run",
          join(folder, `spoilt-${device}`),
          "--device",
          device,
        ],
      );
      assert.deepEqual({ code, stdout }, { code: 1, stdout: "" }, stderr);
      const said = stderr.split("\n").find((line) => line.startsWith("weft: "))!;
      assert.match(
        said,
        /^weft: Stage "spoilt" stopped in step \d+ of 40: the loss is NaN; the first value that is not finite is in .*log/,
      );
      assert.match(said, /regression\.weft:\d+/);
    }
  });

  it("says which data is missing or does not fit", async () => {
    const none = await weft("train", regression, "whole", "--run", join(folder, "none"));
    assert.equal(none.code, 1);
    assert.match(
      none.stderr,
      /^weft: there is no data: no .*regression\.data\.js beside the file, no --data-module and no --table\n$/,
    );
    const other = await weft(
      "train",
      regression,
      "whole",
      "--table",
      data[1]!.replace("pairs=", "others="),
      "--run",
      join(folder, "none"),
    );
    assert.equal(other.code, 1);
    assert.match(other.stderr, /pairs/);
    const table = await writeTensors(join(folder, "narrow"), {
      x: floats([8, 3], noiseless),
      y: floats([8, 2], noiseless),
    });
    const narrow = await weft("train", regression, "whole", "--table", `pairs=${table}`, "--run", join(folder, "none"));
    assert.equal(narrow.code, 1);
    assert.match(narrow.stderr, /column "x" of data "pairs" has the shape \[3\], but \[4\] is needed/);
    const stage = await train("wholly", "none");
    assert.equal(stage.code, 2);
    assert.match(stage.stderr, /model Regression has no stage "wholly"; it has base, tune, whole/);
    assert.deepEqual(await readdir(folder).then((names) => names.includes("none")), false);
  });

  it("takes its data from a module beside the file, or from one that is named", async () => {
    const file = join(folder, "copy.weft");
    await writeFile(file, await readFile(regression));
    const { x, y } = pairs(64, 1);
    const column = ({ shape, data }: typeof x) =>
      `{ dtype: "f32", shape: [${shape[1]}], data: Float32Array.of(${data.join(",")}) }`;
    const text = `export const sources = ({ folder, warn }) => {
      warn("reads " + folder);
      const columns = { x: ${column(x)}, y: ${column(y)} };
      return [{
        name: "pairs", length: 64, columns,
        batch: async (rows, seeds, names) => Object.fromEntries(names.map((name) => {
          const { shape: [size], data } = columns[name];
          return [name, Float32Array.from(rows.flatMap((row) => [...data.subarray(row * size, (row + 1) * size)]))];
        })),
      }];
    };`;
    await writeFile(join(folder, "copy.data.mjs"), text);
    await writeFile(join(folder, "elsewhere.mjs"), text);
    await writeFile(join(folder, "empty.mjs"), "export const other = 1;");
    const expected = await trained("whole", "module-table");
    const read = async (run: string) => {
      const file = await readTensors(join(folder, run, "whole", "final.safetensors"));
      return new Map([...file].map(([name, { data }]) => [name, data as Float32Array]));
    };
    const beside = await weft("train", file, "whole", "--data", "pictures", "--run", join(folder, "module-beside"));
    assert.equal(beside.code, 0, beside.stderr);
    assert.match(beside.stderr, /^weft: reads pictures\n/);
    assertNear(await read("module-beside"), expected, 0);
    const named = [
      "train",
      regression,
      "whole",
      "--data-module",
      join(folder, "elsewhere.mjs"),
      "--run",
      join(folder, "module-named"),
    ];
    assert.equal((await weft(...named)).code, 0);
    assertNear(await read("module-named"), expected, 0);
    const empty = await weft(
      "train",
      regression,
      "whole",
      "--data-module",
      join(folder, "empty.mjs"),
      "--run",
      join(folder, "x"),
    );
    assert.equal(empty.code, 1);
    assert.match(empty.stderr, /empty\.mjs exports no function "sources"/);
    const missing = await weft(
      "train",
      regression,
      "whole",
      "--data-module",
      join(folder, "missing.mjs"),
      "--run",
      join(folder, "x"),
    );
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /there is no file .*missing\.mjs/);
  });
});

const noiseless = (): number => 0;
