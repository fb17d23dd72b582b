import assert from "node:assert/strict";
import { buildMessages } from "../../dsl/diagnostics/messages/build.js";
import { stageOrder, stagesBefore, stagesOf } from "../../src/build/stage-order.js";
import { build, diagnosticsOf, run } from "./support.js";

const text = (rest: string): string => `
import { Linear } from "std/layers"
import { LoRA } from "std/interfaces"
import { Flat } from "std/layouts"

interface Strong() on Linear {
  slot gain: [1] = zeros()
  shared param strength: [] = ones()

  forward(x) { base(x) * (1 + strength * gain) }
}

model M() {
  nets    = [Linear(2, 2)] * 2
  memory  = adapt nets[*] with LoRA(rank: 1) as Flat(1, 2)
  strong  = adapt nets[*] with Strong() as Flat(1, 1)
  teacher = nets[0] at first
  param shared: memory.tokens = memory.initial()

  fn both(nets: list, x: [2]) -> [2] { nets[1](nets[0](x)) }
  fn loss(x: [2]) -> [] { sum(both(nets, x)) }
  fn shared_loss(x: [2]) -> [] { sum((nets[0] with memory(shared))(x) + (nets[1] with memory(shared))(x)) }

  train first on loss { update: nets, optimizer: sgd(0.1) }
${rest}
}
`;

const read = async (body: string): Promise<string[]> => {
  const { parameters } = await build(text(`  fn f(x: [2]) -> [2] { ${body} }`));
  return parameters.filter(({ copy }) => copy !== undefined).map(({ path }) => path);
};

const paths = (...names: string[]) => names.flatMap((name) => [`@first.${name}.bias`, `@first.${name}.weight`]);

describe("a module as a stage left it", () => {
  it("has stored tensors of its own: frozen, and only those that are read", async () => {
    const { parameters } = await build(text("  fn f(x: [2]) -> [2] { nets[1](x) - teacher(x) }"));
    const copies = parameters.filter(({ copy }) => copy !== undefined);
    assert.deepEqual(
      copies.map(({ path, shape, storage, copy }) => [path, shape, storage, copy]),
      [
        ["@first.nets.0.bias", [2], "frozen", { stage: "first", of: "nets.0.bias" }],
        ["@first.nets.0.weight", [2, 2], "frozen", { stage: "first", of: "nets.0.weight" }],
      ],
    );
    assert.deepEqual(
      parameters.map(({ path }) => path),
      [...parameters.map(({ path }) => path)].sort(),
    );
  });

  it("may stand in a field or in an expression, for one module, a list, or a stored tensor", async () => {
    assert.deepEqual(await read("(nets[1] at first)(x)"), paths("nets.1"));
    assert.deepEqual(await read("both(nets at first, x)"), paths("nets.0", "nets.1"));
    assert.deepEqual(await read("x @ (nets[1] at first).weight"), ["@first.nets.1.weight"]);
    assert.deepEqual(await read("x + sum(shared at first)"), ["@first.shared"]);
    assert.deepEqual(await read("nets[1](x)"), []);
  });

  it("can be changed by operators, before or after", async () => {
    for (const module of ["(NET with memory(shared)) at first", "(NET at first) with memory(shared)"]) {
      const body = `(${module.replace("NET", "nets[0]")})(x) + (${module.replace("NET", "nets[1]")})(x)`;
      assert.deepEqual(await read(body), paths("nets.0", "nets.1"), module);
    }
    const strong = "let s = strong(zeros([2, 1, 1, 1]))\n(nets[0] with s at first)(x) + (nets[1] with s)(x)";
    assert.deepEqual(await read(strong), [
      "@first.nets.0.bias",
      "@first.nets.0.weight",
      "@first.strong.Strong.strength",
    ]);
  });

  it("keeps tensors that are put in place of stored ones", async () => {
    assert.deepEqual(await read("((nets[0] with { weight: nets[0].weight }) at first)(x)"), ["@first.nets.0.bias"]);
  });

  it("computes with its own numbers", async () => {
    const model = await build(text("  fn f(x: [2]) -> [2] { nets[0](x) - teacher(x) }"));
    const now = { "nets.0.weight": [1, 2, 3, 4], "nets.0.bias": [1, 1] };
    const then = { "@first.nets.0.weight": [1, 0, 0, 1], "@first.nets.0.bias": [0, 0.5] };
    assert.deepEqual(run(model, "f", { x: [1, -1] }, { ...now, ...then }), { output: [-1, 0.5] });
  });

  it("is refused where no such thing is stored, trained or named", async () => {
    const told = async (rest: string) =>
      (await diagnosticsOf(text(rest))).map(({ code, message }) => `${code} ${message}`);
    assert.deepEqual(await told("  fn f(x: [2]) -> [2] { x at first }"), [
      "W301 expected a module or a stored tensor, but this is a tensor [2]",
    ]);
    assert.deepEqual(await told("  train second on loss { update: nets at first, optimizer: sgd(0.1) }"), [
      "W389 `update` must be modules or stored tensors of the model, but it is nets at first",
    ]);
    assert.deepEqual(await told("  fn f(x: [2]) -> [2] { (nets[0] at frist)(x) }"), [
      "W220 this model has no stage `frist`",
    ]);
  });

  const apart = "  fn apart(x: [2]) -> [] { sum((nets[1](x) - (nets[1] at second)(x)) ** 2) }";
  const second = "  train second on loss { update: nets[1], optimizer: sgd(0.1), after: first }";

  it("is there before what reads it is trained or measured", async () => {
    const third = "  train third on apart { update: nets[1], optimizer: sgd(0.1) }";
    const model = await build(text(`${apart}\n${second}\n${third}\n  evaluate distance on apart { after: third }`));
    const [, , last] = stagesOf(model);
    assert.deepEqual(stagesBefore(model, last!), ["second"]);
    const found = stageOrder(model, ["third"]);
    assert.ok("order" in found);
    assert.deepEqual(
      found.order.map(({ name }) => name),
      ["first", "second", "third"],
    );
  });

  it("is refused in a circle: of stages, or through what measures one of them", async () => {
    const message = (circle: readonly string[]) => buildMessages.stageCircle.text({ circle });
    for (const [rest, circle] of [
      [`${second}\n  train again on apart { update: nets[1], optimizer: sgd(0.1), after: second }`, undefined],
      ["  train second on apart { update: nets[1], optimizer: sgd(0.1) }", ["second", "second"]],
      [`${second}\n  evaluate distance on apart { after: first }`, ["first", "second", "first"]],
    ] as const) {
      const found = await diagnosticsOf(text(`${apart}\n${rest}`));
      assert.deepEqual(
        found.map((diagnostic) => diagnostic.message),
        circle ? [message(circle)] : [],
      );
    }
    assert.equal(
      message(["first", "second", "first"]),
      "stage `first` needs what `second` left, which needs what `first` left",
    );
  });
});
