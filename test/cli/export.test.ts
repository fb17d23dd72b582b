import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { compile, type Tensor } from "../../src/index.js";
import { floats, model, noise, readTensors, temporaryFolder, weft, writeTensors } from "./support.js";

const file = model("adapted");

describe("weft export and weft import", () => {
  let folder: string;
  let params: string;
  let shapes: ReadonlyMap<string, readonly number[]>;
  /** Two operators, with zeros where there is padding. */
  let tokens: string;

  before(async () => {
    folder = await temporaryFolder();
    const { model: built } = await compile(file);
    shapes = new Map(built.parameters.map(({ path, shape }) => [path, shape]));
    const table = floats(shapes.get("table")!, noise(4));
    params = await writeTensors(join(folder, "params.safetensors"), { table });
    tokens = await writeTensors(join(folder, "random.safetensors"), {
      output: floats([2, ...shapes.get("single")!], noise(5)),
    });
    // Through a file of slots and back: padding becomes zero.
    const slots = join(folder, "slots.safetensors");
    await ran("export", file, "--tokens", tokens, "--row", "1", "--format", "safetensors", "--out", slots);
    tokens = join(folder, "tokens.safetensors");
    await ran("import", file, "--from", slots, "--memory", "memory", "--out", tokens);
  });

  async function ran(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await weft(...args);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    return stdout;
  }

  const failed = async (...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await weft(...args);
    assert.notEqual(code, 0);
    assert.equal(stdout, "");
    return stderr;
  };

  it("writes an adapter of PEFT's, with the names that PEFT gives", async () => {
    const out = join(folder, "adapter");
    const said = await ran("export", file, "--tokens", tokens, "--root", "net", "--base-model", "tiny", "--out", out);
    assert.equal(said, `${out}: ${tokens} tokens as LORA of 4 modules\n`);
    const config = JSON.parse(await readFile(join(out, "adapter_config.json"), "utf8")) as Record<string, unknown>;
    assert.deepEqual(Object.keys(config), Object.keys(config).sort());
    const { peft_type, r, lora_alpha, target_modules, base_model_name_or_path, use_dora, use_rslora } = config;
    assert.deepEqual(
      { peft_type, r, lora_alpha, target_modules, base_model_name_or_path, use_dora, use_rslora },
      {
        peft_type: "LORA",
        r: 2,
        lora_alpha: 4,
        target_modules: ["layers.0.up", "layers.0.down", "layers.1.up", "layers.1.down"],
        base_model_name_or_path: "tiny",
        use_dora: false,
        use_rslora: false,
      },
    );
    const tensors = await readTensors(join(out, "adapter_model.safetensors"));
    assert.equal(tensors.size, 8);
    assert.deepEqual(tensors.get("base_model.model.layers.1.up.lora_A.weight")!.shape, [2, 6]);
    assert.deepEqual(tensors.get("base_model.model.layers.1.up.lora_B.weight")!.shape, [12, 2]);
  });

  it("reads the adapter back bit for bit, under other names too", async () => {
    const out = join(folder, "renamed");
    const to = ["--rename", "net.layers.*.up=model.h.*.fc1", "--rename", "net.layers.*.down=model.h.*.fc2"];
    await ran("export", file, "--tokens", tokens, ...to, "--out", out);
    const { target_modules } = JSON.parse(await readFile(join(out, "adapter_config.json"), "utf8")) as {
      target_modules: string[];
    };
    assert.deepEqual(target_modules.slice(0, 2), ["model.h.0.fc1", "model.h.0.fc2"]);
    const back = join(folder, "back.safetensors");
    const from = ["--rename", "model.h.*.fc1=net.layers.*.up", "--rename", "model.h.*.fc2=net.layers.*.down"];
    const said = await ran("import", file, "--from", out, ...from, "--memory", "memory", "--out", back);
    assert.equal(said, `${back}: one operator of memory from ${out}\n`);
    assert.deepEqual((await readTensors(back)).get("tokens"), (await readTensors(tokens)).get("tokens"));
  });

  it("writes a row of a stored table, and reads it as the start of a stored operator", async () => {
    const out = join(folder, "row");
    await ran("export", file, "--operator", "table", "--row", "2", "--params", params, "--out", out);
    const start = join(folder, "start.safetensors");
    await ran("import", file, "--from", out, "--as", "single", "--out", start);
    const imported = await readTensors(start);
    assert.deepEqual([...imported.keys()], ["single"]);
    assert.deepEqual(imported.get("single")!.shape, shapes.get("single"));
    const again = join(folder, "again");
    await ran("export", file, "--operator", "single", "--params", start, "--out", again);
    const [first, second] = await Promise.all(
      [out, again].map((path) => readTensors(join(path, "adapter_model.safetensors"))),
    );
    assert.deepEqual(second, first);
  });

  it("writes any interface slot by slot, under the paths of its modules", async () => {
    const shape = shapes.get("bent_single")!;
    const given = await writeTensors(join(folder, "bent.safetensors"), { bent_single: floats(shape, noise(8)) });
    const slots = join(folder, "bent-slots.safetensors");
    await ran(
      "export",
      file,
      "--operator",
      "bent_single",
      "--params",
      given,
      "--format",
      "safetensors",
      "--out",
      slots,
    );
    const found = await readTensors(slots);
    assert.equal(found.size, 8);
    assert.deepEqual(found.get("net.layers.0.up.down")!.shape, [3, 12]);
    const back = join(folder, "bent-back.safetensors");
    await ran("import", file, "--from", slots, "--memory", "bent", "--out", back);
    const bits = (tensors: ReadonlyMap<string, Tensor>) => [...tensors.values()].map(({ data }) => [...data]);
    const twice = join(folder, "bent-twice.safetensors");
    await ran("export", file, "--tokens", back, "--memory", "bent", "--format", "safetensors", "--out", twice);
    assert.deepEqual(bits(await readTensors(twice)), bits(found));
  });

  it("refuses what PEFT has no form for, and says why", async () => {
    const given = join(folder, "bent.safetensors");
    const said = await failed(
      "export",
      file,
      "--operator",
      "bent_single",
      "--params",
      given,
      "--out",
      join(folder, "no"),
    );
    assert.match(
      said,
      /PEFT has no form for this operator:\n {2}Bottleneck does not fold into a weight at `net\.layers\.0\.up`: `tanh\(y @ down\.T\)` is not linear/,
    );
  });

  it("lists all that does not fit when an adapter is read", async () => {
    const out = join(folder, "broken");
    await ran("export", file, "--tokens", tokens, "--root", "net", "--out", out);
    const path = join(out, "adapter_model.safetensors");
    const tensors = Object.fromEntries(await readTensors(path));
    const { "base_model.model.layers.0.up.lora_A.weight": moved, ...others } = tensors;
    await writeTensors(path, { ...others, "base_model.model.layers.7.up.lora_A.weight": moved! });
    const load = ["import", file, "--from", out, "--memory", "memory", "--root", "net", "--out", join(folder, "no")];
    const missing = await failed(...load);
    assert.match(missing, /base_model\.model\.layers\.0\.up\.lora_A\.weight is missing/);
    assert.match(missing, /base_model\.model\.layers\.7\.up\.lora_A\.weight belongs to no adapted module/);

    const config = join(out, "adapter_config.json");
    const settings = JSON.parse(await readFile(config, "utf8")) as Record<string, unknown>;
    await writeFile(config, JSON.stringify({ ...settings, peft_type: "IA3" }));
    assert.match(await failed(...load), /the adapter is IA3, but memory adapts with LoRA, which is LORA/);
    await writeFile(config, JSON.stringify({ ...settings, use_dora: true, lora_bias: true }));
    assert.match(await failed(...load), /lora_bias is set, which is not read/);
    await writeFile(config, "{");
    assert.match(await failed(...load), /adapter_config\.json is no JSON/);
  });

  it("says that a model with another rank does not fit", async () => {
    const out = join(folder, "adapter");
    const said = await failed(
      "import",
      file,
      "--set",
      "rank=3",
      "--from",
      out,
      "--root",
      "net",
      "--memory",
      "memory",
      "--out",
      join(folder, "no"),
    );
    assert.match(said, /lora_A\.weight is \[2, 6\], and the model's operator has \[3, 6\]/);
  });

  it("scales what an adapter with another alpha holds", async () => {
    const out = join(folder, "louder");
    await ran("export", file, "--tokens", tokens, "--root", "net", "--out", out);
    const config = join(out, "adapter_config.json");
    const settings = JSON.parse(await readFile(config, "utf8")) as Record<string, unknown>;
    await writeFile(config, JSON.stringify({ ...settings, lora_alpha: 8 }));
    const louder = join(folder, "louder.safetensors");
    await ran("import", file, "--from", out, "--root", "net", "--memory", "memory", "--out", louder);
    const slots = async (path: string): Promise<Map<string, Tensor>> => {
      const written = join(folder, "compared.safetensors");
      await ran("export", file, "--tokens", path, "--format", "safetensors", "--out", written);
      return readTensors(written);
    };
    const [before, after] = [await slots(tokens), await slots(louder)];
    for (const [name, { data }] of after) {
      const factor = name.endsWith(".B") ? 2 : 1;
      assert.deepEqual(
        [...data],
        [...before.get(name)!.data].map((number) => factor * number),
        name,
      );
    }
  });

  for (const [what, args, said] of [
    [
      "a root that holds no site",
      "export F --tokens T --root other --out O",
      /"net\.layers\.0\.up" is not below --root other/,
    ],
    ["a stored operator that is not there", "import F --from T --as nothing --out O", /stores nothing at "nothing"/],
    [
      "a stored tensor of another shape",
      "import F --from T --as table --memory memory --out O",
      /"table" stores no operator of memory/,
    ],
    ["a file of other tensors", "import F --from P --memory memory --out O", /table is no slot of memory/],
    ["an unknown format", "export F --tokens T --format gguf --out O", /Choices: "peft", "safetensors"/],
  ] as const) {
    it(`says what is wrong with ${what}`, async () => {
      const names: Readonly<Record<string, string>> = { F: file, T: tokens, P: params, O: join(folder, "no") };
      assert.match(await failed(...args.split(" ").map((word) => names[word] ?? word)), said);
    });
  }
});
