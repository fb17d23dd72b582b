import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { PeftAdapter } from "../../runtime/operators/export/adapter.js";
import { operatorOfPeft } from "../../runtime/operators/export/read-peft.js";
import { peftAdapter } from "../../runtime/operators/export/write-peft.js";
import { operatorSpace } from "../../runtime/operators/space.js";
import { environmentOf } from "../../runtime/reference/environment.js";
import { evaluate } from "../../runtime/reference/interpreter.js";
import { readSafetensors } from "../../runtime/tensors/safetensors.js";
import type { Tensor } from "../../runtime/tensors/tensor.js";
import type { BuiltModel } from "../../src/build/build.js";
import { build } from "../build/support.js";

/** Adapters that PEFT 0.21 wrote, each with the net's weights, an input, and what PEFT made of it. */
const folder = join(import.meta.dirname, "..", "fixtures", "peft");

interface Fixture extends PeftAdapter {
  readonly numbers: ReadonlyMap<string, Tensor>;
}

function tensorsOf(path: string): Map<string, Tensor> {
  const file = readSafetensors(readFileSync(path), path);
  return new Map([...file.entries.keys()].map((name) => [name, file.tensor(name)]));
}

const fixture = (name: string): Fixture => ({
  config: JSON.parse(readFileSync(join(folder, name, "adapter_config.json"), "utf8")) as Record<string, unknown>,
  tensors: tensorsOf(join(folder, name, "adapter_model.safetensors")),
  numbers: tensorsOf(join(folder, name, "case.safetensors")),
});

const nets = {
  blocks: {
    shape: "3, 8",
    text: `module Block() {
  up   = Linear(8, 12)
  down = Linear(12, 8, use_bias: false)
  forward(x: [n, 8]) -> [n, 8] { x + down(relu(up(x))) }
}
module Net() {
  blocks = [Block()] * 2
  forward(x: [n, 8]) -> [n, 8] {
    for block in blocks { x = block(x) }
    x
  }
}`,
  },
  convolutions: {
    shape: "1, 3, 6, 5",
    text: `module Net() {
  first  = Conv2d(3, 4, 3, padding: 1)
  second = Conv2d(4, 2, 3, stride: 2, padding: 1)
  forward(x: [n, 3, 6, 5]) -> [n, 2, 3, 3] { second(relu(first(x))) }
}`,
  },
};

const modelOf = (net: keyof typeof nets, applications: string, interfaces: string, more = ""): Promise<BuiltModel> =>
  build(`import { Conv2d, Linear } from "std/layers"
${interfaces === "" ? "" : `import { ${interfaces} } from "std/interfaces"`}
import { Flat } from "std/layouts"
${more}
${nets[net].text}
model M() {
  net = Net()
  memory = adapt { ${applications} } as Flat(1, 5) ragged
  fn run(x: [${nets[net].shape}], t: memory.tokens) { (net with memory(t))(x) }
}
`);

const module = (path: string): string => path.replace(/^net\./, "");

const all = "net.blocks[*].{up, down}";

interface Case {
  readonly fixture: string;
  readonly net?: keyof typeof nets;
  readonly interfaces: string;
  readonly applications: string;
  /** Where numbers are computed on the way, they come back rounded. */
  readonly rounded?: boolean;
}

const cases: readonly Case[] = [
  {
    fixture: "lora",
    interfaces: "LoRA",
    applications:
      "net.blocks[*].down with LoRA(2, 3.0), net.blocks[0].up with LoRA(2, 3.0), net.blocks[1].up with LoRA(3, 5.0)",
  },
  { fixture: "rslora", interfaces: "RsLoRA", applications: `${all} with RsLoRA(3, 4.0)` },
  { fixture: "dora", interfaces: "DoRA", applications: `${all} with DoRA(2, 4.0)`, rounded: true },
  {
    fixture: "lora-convolution",
    net: "convolutions",
    interfaces: "ConvLoRA",
    applications: "net.{first, second} with ConvLoRA(2, 3.0)",
  },
  {
    fixture: "ia3",
    interfaces: "IA3",
    applications: "net.blocks[*].up with IA3(), net.blocks[*].down with IA3(inputs: true)",
  },
  { fixture: "loha", interfaces: "LoHa", applications: `${all} with LoHa(2, 3.0)` },
  { fixture: "lokr", interfaces: "LoKr", applications: `${all} with LoKr(2, 2, 3.0)` },
  {
    fixture: "vera",
    interfaces: "VeRA",
    applications: "net.blocks[*].up with VeRA(3), net.blocks[*].down with VeRA(3)",
  },
  { fixture: "miss", interfaces: "MiSS", applications: `${all} with MiSS(4)` },
  { fixture: "hira", interfaces: "HiRA", applications: `${all} with HiRA(2)` },
  { fixture: "oft", interfaces: "OFT", applications: `${all} with OFT(4)` },
  { fixture: "hra", interfaces: "HRA", applications: `${all} with HRA(4)`, rounded: true },
  { fixture: "road", interfaces: "RoAd", applications: `${all} with RoAd()` },
  { fixture: "c3a", interfaces: "C3A", applications: `${all} with C3A(4)`, rounded: true },
  { fixture: "beft", interfaces: "BitFit", applications: `${all} with BitFit()` },
];

for (const { fixture: name, net = "blocks", interfaces, applications, rounded } of cases) {
  describe(`PEFT's ${name}`, () => {
    const given = fixture(name);
    let model: BuiltModel;
    const stored = new Map<string, Tensor>();
    let tokens: Float32Array;

    before(async () => {
      model = await modelOf(net, applications, interfaces);
      for (const [path, tensor] of given.numbers) stored.set(path, tensor);
    });

    it("is read, and does what PEFT makes of it", () => {
      const imported = operatorOfPeft(operatorSpace(model, "memory"), given, (path) => stored.get(path)!, { module });
      tokens = imported.tokens;
      for (const [path, tensor] of imported.stored) stored.set(path, tensor);
      const numbers = (tensor: Tensor) => Float64Array.from(tensor.data);
      const environment = environmentOf({
        inputs: new Map([
          ["x", numbers(given.numbers.get("x")!)],
          ["t", Float64Array.from(tokens)],
        ]),
        stored: new Map([...stored].map(([path, tensor]) => [path, numbers(tensor)])),
      });
      const { data } = evaluate(model.entryPoint("run").graph, environment).get("output")!;
      const expected = given.numbers.get("y")!.data;
      assert.equal(data.length, expected.length);
      data.forEach((number, place) => {
        assert.ok(Math.abs(number - expected[place]!) < 2e-5, `${place}: ${number}, not ${expected[place]}`);
      });
    });

    it(`is written as PEFT writes it${rounded ? ", up to rounding" : ", bit for bit"}`, () => {
      const space = operatorSpace(model, "memory");
      const adapter = peftAdapter(space, tokens, (path) => stored.get(path)!, { module });
      const again = operatorOfPeft(space, adapter, (path) => stored.get(path)!, { module }).tokens;
      if (!rounded) assert.deepEqual(again, tokens);
      else assert.ok(again.every((number, place) => Math.abs(number - tokens[place]!) < 1e-6));
      const { config, tensors } = adapter;
      assert.deepEqual([...tensors.keys()].sort(), [...given.tensors.keys()].sort());
      for (const [key, { shape, data }] of tensors) {
        const expected = given.tensors.get(key)!;
        assert.deepEqual(shape, expected.shape, key);
        if (!rounded) assert.deepEqual(data, expected.data, key);
        else
          assert.ok(
            data.every((number, place) => Math.abs(number - expected.data[place]!) < 1e-6),
            key,
          );
      }
      const matched = (names: unknown, target: string) =>
        Array.isArray(names) && names.some((name) => target === name || target.endsWith(`.${name}`));
      for (const [key, value] of Object.entries(config)) {
        if (key === "auto_mapping") continue;
        assert.ok(key in given.config, `${key} is no setting of PEFT's`);
        if (key !== "target_modules" && key !== "feedforward_modules") assert.deepEqual(value, given.config[key], key);
        else for (const target of value as string[]) assert.ok(matched(given.config[key], target), `${key}: ${target}`);
      }
    });
  });
}
