import { strict as assert } from "node:assert";
import { build, diagnosticsOf, run } from "./support.js";

const text = (plan: string): string => `
import { Linear } from "std/layers"
import { LoRA } from "std/interfaces"
import { Flat } from "std/layouts"

model M(rate: float = 0.01) {
  net    = Linear(2, 2)
  others = [Linear(2, 2)] * 3
  memory = adapt net with LoRA(rank: 1) as Flat(1, 2)
  param shared: memory.tokens = memory.initial()

  fn loss(x: [2]) -> [] { mean((net with memory(shared))(x)) }
  fn base(x: [2]) -> [] { mean(net(x)) }
  fn with_net(any: Linear, x: [2]) -> [] { mean(any(x)) }

${plan}
}`;

const model = (plan: string) => build(text(plan));

describe("the training plan", () => {
  const refused: Readonly<Record<string, string>> = {
    "optimizer: adam(-1e-3)": "W319 `learning_rate` must be at least 0, but it is the number -0.001",
    "optimizer: sgd(0.1, momentum: 1.0)": "W319 `momentum` must be at least 0 and below 1, but it is the number 1.0",
    "optimizer: adamw(0.1, weight_decay: -1)": "W319 `weight_decay` must be at least 0, but it is the number -1",
    "optimizer: sgd(0.1), learning_rate: cosine(warmup: -3)":
      "W319 `warmup` must be an int of at least 0, but it is the number -3",
    "optimizer: sgd(0.1), learning_rate: linear(from: 3)": "W319 `from` must be from 0 to 1, but it is the number 3",
    "optimizer: sgd(0.1), ema: 1": "W389 `ema` must be a number above 0 and below 1, but it is the number 1",
    "optimizer: sgd(0.1), where: task == []":
      'W389 `where` must be comparisons such as task == 3 or task == [1, 2], joined by "and", but it is task == []',
  };
  for (const [keys, message] of Object.entries(refused)) {
    it(`refuses ${keys}`, async () => {
      const wrong = await build(text(`  train only on base { update: net, ${keys} }`)).catch(
        (error) => error.diagnostics,
      );
      assert.deepEqual(
        wrong.map(({ code, message }: { code: string; message: string }) => `${code} ${message}`),
        [message],
      );
    });
  }

  it("refuses a stage that updates nothing, or only what its function never reads", async () => {
    const nothing = await diagnosticsOf(text("  train only on base { update: [], optimizer: sgd(0.1) }"));
    assert.deepEqual(
      nothing.map(({ message }) => message),
      ["`update` must be modules or stored tensors of the model, but it is an empty list"],
    );
    const other = await diagnosticsOf(text("  train only on base { update: [others, shared], optimizer: sgd(0.1) }"));
    assert.deepEqual(
      other.map(({ code, message }) => `${code} ${message}`),
      ["W392 stage `only` trains `others.0`, `others.1`, `others.2` and `shared`, but base reads nothing of it"],
    );
  });

  it("fills in what a stage leaves out", async () => {
    const { stages } = await model("  train only on base { update: net, optimizer: sgd(rate) }");
    const [{ span: _, ...stage }] = stages as [(typeof stages)[number]];
    assert.deepEqual(stage, {
      kind: "train",
      name: "only",
      on: "base",
      update: ["net"],
      optimizer: {
        kind: "sgd",
        learningRate: 0.01,
        momentum: 0,
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        weightDecay: 0,
      },
      schedule: { kind: "constant", warmup: 0, from: 0, final: 0 },
      batch: 16,
      accumulate: 1,
      steps: 1000,
      data: [],
      where: [],
      recompute: false,
    });
  });

  it("reads every key", async () => {
    const { stages } = await model(`  train first on base { update: [net], optimizer: adam(1e-3) }
  train second on loss {
    update: [shared, others[1], others[2].weight], optimizer: adamw(5e-4, weight_decay: 0.1, beta2: 0.98),
    learning_rate: cosine(warmup: 100, final: 0.1), clip: 1.0, batch: 4, accumulate: 2, steps: 2 * 50, ema: 0.999,
    data: mixture(old: 0.25, fresh: 0.75), where: task == [1, 2] and split == "train", recompute: true, after: first
  }`);
    const [, { span: _, ...stage }] = stages as [unknown, (typeof stages)[number]];
    assert.deepEqual(stage, {
      kind: "train",
      name: "second",
      on: "loss",
      update: ["shared", "others.1", "others.2.weight"],
      optimizer: {
        kind: "adamw",
        learningRate: 5e-4,
        momentum: 0,
        beta1: 0.9,
        beta2: 0.98,
        epsilon: 1e-8,
        weightDecay: 0.1,
      },
      schedule: { kind: "cosine", warmup: 100, from: 0, final: 0.1 },
      clip: 1,
      batch: 4,
      accumulate: 2,
      steps: 100,
      ema: 0.999,
      data: [
        { name: "old", weight: 0.25 },
        { name: "fresh", weight: 0.75 },
      ],
      where: [
        { column: "task", values: [1, 2] },
        { column: "split", values: ["train"] },
      ],
      recompute: true,
      after: "first",
    });
  });

  it("reads evaluations", async () => {
    const { evaluations } = await model(`  train first on base { update: [net], optimizer: adam(1e-3) }
  evaluate held_out on base { after: first, data: rest, where: task == 3, batch: 8, every: 20 }`);
    const [{ span: _, ...evaluation }] = evaluations as [(typeof evaluations)[number]];
    assert.deepEqual(evaluation, {
      name: "held_out",
      on: "base",
      after: "first",
      data: [{ name: "rest", weight: 1 }],
      where: [{ column: "task", values: [3] }],
      batch: 8,
      every: 20,
    });
  });

  it("never trains ints and truth values", async () => {
    const text = (update: string) => `model M() {
  param table: int[2] = [1, 2]
  param gain: [2] = ones()
  fn loss(x: [2]) -> [] { sum(x * gain * float(table)) }
  train only on loss { update: [${update}], optimizer: sgd(0.1) }
}`;
    const { parameters } = await build(text("gain"));
    assert.deepEqual(
      parameters.map(({ path, storage }) => [path, storage]),
      [
        ["gain", "param"],
        ["table", "frozen"],
      ],
    );
    await assert.rejects(build(text("table")), /nothing below `table` is trained/);
  });

  it("counts as entry points only functions of tensors", async () => {
    assert.deepEqual((await model("")).entryPoints, ["loss", "base"]);
  });
});

describe("entry points", () => {
  it("name their inputs, masks beside columns, tokens and shared arguments", async () => {
    const built = await build(`
import { Linear } from "std/layers"
import { LoRA } from "std/interfaces"
import { Flat } from "std/layouts"
model M() {
  net = Linear(2, 2)
  memory = adapt net with LoRA(rank: 1) as Flat(1, 2)
  fn f(words: int[..5], t: memory.tokens, shared y: [2]) -> ([2], bool[5]) {
    ((net with memory(t))(y), words.mask and words > 0)
  }
}`);
    const { inputs, outputs } = built.entryPoint("f");
    assert.deepEqual(inputs, [
      { name: "words", dtype: "i32", shape: [5], perInstance: true, tokens: false, mask: "words.mask" },
      { name: "words.mask", dtype: "bool", shape: [5], perInstance: true, tokens: false },
      { name: "t", dtype: "f32", shape: [1, 2, 1, 2], perInstance: true, tokens: true },
      { name: "y", dtype: "f32", shape: [2], perInstance: false, tokens: false },
    ]);
    assert.deepEqual(outputs, [
      { name: "output.0", dtype: "f32", shape: [2] },
      { name: "output.1", dtype: "bool", shape: [5] },
    ]);
  });

  it("mask columns of varying length along their first axis", async () => {
    const masked = (type: string) =>
      build(`
module Total() { forward(x: [m, 4], seen: bool[m]) -> [] { sum(where(seen[:, none], x, 0.0)) } }
module Words() { forward(x: [..3, 2]) -> [3] { float(x.mask) } }
model M() {
  total = Total()
  words = Words()
  fn f(c: ${type}, x: [3, 2]) -> ([], [3]) { (total(c, c.mask), words(x)) }
}`);
    const model = await masked("[..2, 4]");
    const inputs = { c: [1, 2, 3, 4, 5, 6, 7, 8], "c.mask": [1, 0], x: [0, 0, 0, 0, 0, 0] };
    assert.deepEqual(model.entryPoint("f").inputs[1]!.shape, [2]);
    assert.deepEqual(run(model, "f", inputs), { "output.0": [10], "output.1": [1, 1, 1] });
    const other = await masked("[2, ..4]");
    assert.throws(() => other.entryPoint("f"), /`\.\.` on another axis than the first is not supported yet/);
  });

  it("key random draws by their key, or by the calls that lead to them", async () => {
    const built = await build(`
fn noise() -> [2] { normal([2]) + normal([2]) }
model M() {
  fn a(x: [2]) -> [2] { x + uniform([2], key: "time") + noise() }
  fn b(x: [2]) -> [2] { noise() - uniform(like: x, key: "time") }
  fn c(x: [2]) -> [2] { normal([2]) + noise() }
}`);
    const keys = (entry: string) =>
      built.entryPoint(entry).graph.nodes.flatMap((node) => (node.primitive === "random" ? [node.attributes.key] : []));
    const [time, first, second] = keys("a");
    assert.equal(time, 0x5d3c9be4);
    assert.notEqual(first, second);
    assert.deepEqual(keys("b"), [first, second, time]);
    assert.equal(new Set(keys("c")).size, 3);
  });

  it("are traced once, when asked for", async () => {
    const built = await model("");
    assert.equal(built.entryPoint("base"), built.entryPoint("base"));
    assert.throws(() => built.entryPoint("with_net"), /no entry point with_net/);
  });
});
