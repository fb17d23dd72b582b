import assert from "node:assert/strict";
import { check } from "../../dsl/check/check.js";
import { memoryHost } from "./memory-host.js";

async function problems(text: string, others: Readonly<Record<string, string>> = {}): Promise<string[]> {
  const { diagnostics } = await check("main.weft", memoryHost({ "main.weft": text, ...others }));
  return diagnostics.map(({ code, message, help }) => `${code} ${message}${help === undefined ? "" : ` (${help})`}`);
}

const model = `import { Linear } from "std/layers"

interface Low(rank: int = 4, alpha: float = 16) on Linear {
  slot A: [rank, base.in_features] = normal(std: 0.02)
  slot B: [r: base.out_features, rank] = zeros()
  shared frozen table: int[rank] = tensor([1, 2, 3, 4])
  given t: [k]
  scale = alpha / rank
  starts = "changed"
  forward(x) { scaled(base(x) + (x @ A.T) @ B.T) }
  scaled(x) { scale * x + sum(t) + k + base.bias + (base with { weight: A })(x) }
}

layout Rows(columns: int, anchor: axis = rank) {
  rows = 1
  columns = columns
  tokens(slot: [...]) -> [t, rows, columns] {
    let flat = reshape(slot, [-1])
    if slot.anchor >= 0 { flat } else { reshape(flat, [-1, 1, columns]) }
  }
}

module Net(dim: int, depth: int = 2, start: initializer = zeros(), inner: function = tanh) {
  layers = [Linear(dim, dim, bias: false)] * depth
  heads = [Linear(dim, size) for (size, i) in zip([1, 2], range(2)) if size > i]
  hidden = 4 * dim
  if depth > 2 {
    param gain: [hidden] = start
  } else {
    param gain: [hidden] = ones()
  }
  forward(x: [..., n, dim], scale: float = 1.0, mask: bool[..., n] = true) -> [..., n, dim] {
    let y = x * n
    for layer in layers {
      y = inner(layer(y)) + mean(gain) * layer.weight[0]
    }
    let y = other(y, scale)
    where(mask, y, 0.0)
  }
  other(x: [..., n, dim], scale: float) -> [..., n, dim] { x * scale }
}

fn through(net: Net, x: [n, d], change: operator) -> [n, d] { (net with change)(x) }

model Everything(dim: int = 8) {
  net = Net(dim, start: normal(std: 0.1))
  memory = adapt net.layers[*] with Low(rank: 4) as Rows(columns: 8, anchor: rank) ragged
  generator = Net(memory.grid.columns, depth: memory.grid.layers)
  param shared: memory.tokens = memory.initial()
  fn operators(x: [2, 8], words: int[..24]) -> memory.tokens { shared + sum(words) }
  fn loss(x: [2, 8], words: int[..24], shared bias: [8] = zeros([8])) -> [] {
    let noise = normal(like: x, key: "noise") + uniform([2, 8])
    let frozen_net = net at first
    let out = through(frozen_net, noise, memory(operators(x, words), t: bias))
    (net with memory(shared))(x)
    mean(square(out - x)) + rearrange(x, "(a b) d -> a b d", a: 2)[0, 0, 0] + words.mask
  }
  train second on loss {
    update: [generator, shared]
    optimizer: adamw(1e-3, weight_decay: 0.1)
    learning_rate: cosine(warmup: 10)
    batch: 4, steps: 2 * dim, data: mixture(a: 1, b: 2), where: task == "blur", after: first
  }
  train first on loss { update: [net.layers], optimizer: sgd(0.1), batch: 4, steps: 10, data: generic, clip: 1 }
  evaluate quality on loss { after: second, data: held_out }
  sample edit { once: operators, step: loss, solver: euler(steps: 50), guidance: 2.5 }
  collect average into shared { mean: operators, data: train, after: second }
}
`;

describe("check", () => {
  it("accepts a whole model and gives its names", async () => {
    const { program, diagnostics } = await check("main.weft", memoryHost({ "main.weft": model }));
    assert.deepEqual(
      diagnostics.map((diagnostic) => diagnostic.message),
      [],
    );
    const scope = program!.scope(program!.entry);
    assert.deepEqual([...scope.keys()], ["Linear", "Low", "Rows", "Net", "through", "Everything"]);
    assert.equal(scope.get("Linear")!.file.path, "std/layers");
    assert.deepEqual([...program!.sources.keys()], ["main.weft", "std/layers"]);
  });

  it("lets only what an interface stores and arguments of a model be shared", async () => {
    const shared = (members: string) => `module Net() {\n  forward(x: [4]) -> [4] { x }\n}\n${members}`;
    const help =
      "(Sites share a `param` or `frozen` of an interface, instances an argument of a model's function; nothing else is shared.)";
    assert.deepEqual(await problems("module Net() {\n  shared param w: [4] = ones()\n}\n"), [
      `W232 \`shared\` does not belong in a module ${help}`,
    ]);
    assert.deepEqual(await problems("fn same(shared x: [n]) -> [n] { x }\n"), [
      `W232 \`shared\` does not belong in a function ${help}`,
    ]);
    assert.deepEqual(await problems("module Net() {\n  forward(shared x: [n]) -> [n] { x }\n}\n"), [
      `W232 \`shared\` does not belong in a module ${help}`,
    ]);
    assert.deepEqual(await problems("model Net() {\n  fn f(shared x: [4]) -> [4] { x }\n}\n"), []);
    const slot = "  shared slot w: [4] = zeros()\n  forward(x) { base(x) + w }\n";
    assert.deepEqual(await problems(shared(`interface Shift() on Net {\n${slot}}\n`)), [
      `W232 \`shared\` does not belong in a slot ${help}`,
    ]);
    assert.deepEqual(await problems(shared(`interface Shift() on Net {\n${slot.replace("slot", "param")}}\n`)), []);
  });

  it("suggests the name that was probably meant", async () => {
    assert.deepEqual(await problems('import { Linear } from "std/layers"\nmodule M() {\n  a = Lienar(2, 3)\n}\n'), [
      "W201 `Lienar` is not defined (Did you mean `Linear`?)",
    ]);
    assert.deepEqual(await problems(model.replace("after: first", "after: frist")), [
      "W220 this model has no stage `frist` (Did you mean `first`?)",
    ]);
    assert.deepEqual(await problems(model.replace("memory.grid.layers", "memory.grid.layer")), [
      "W217 a token grid has no `layer` (Did you mean `layers`?)",
    ]);
  });

  it("says that no size is solved for, where an axis names one that nothing has", async () => {
    assert.deepEqual(await problems("fn twice(x: [2 * n]) -> [] { sum(x) }\n"), [
      "W201 `n` is not defined (A name takes the size of an axis only where it stands alone, as in `[n]`; nothing is solved for. Let a parameter have such an axis, or give `n` as an int.)",
    ]);
    assert.deepEqual(await problems("fn twice(x: [n, dim], y: [2 * din]) -> [] { sum(x) }\n"), [
      "W201 `din` is not defined (Did you mean `dim`?)",
    ]);
  });

  it("lets `_` stand several times among names of a tuple, and no other name", async () => {
    const text = (names: string) => `fn first(x: [4]) -> [1] {\n  let (${names}) = split(x, 4)\n  a\n}\n`;
    assert.deepEqual(await problems(text("a, _, _, _")), []);
    assert.deepEqual(await problems(text("a, b, b, _")), [
      "W202 `b` is defined twice in this `let` (Give one of them another name.)",
    ]);
    assert.deepEqual(await problems("fn f(_: [2], _: [2]) -> [] { 0.0 }\n"), [
      "W202 `_` is defined twice in `f` (Give one of them another name.)",
    ]);
    assert.deepEqual(await problems("fn f(x: [2]) -> [] { sum(stack([x * b for (b, b) in [(1, 2)]])) }\n"), [
      "W202 `b` is defined twice in this `for` (Give one of them another name.)",
    ]);
  });

  it("finds wrong arguments of declared modules, methods and built-ins", async () => {
    assert.deepEqual(await problems(model.replace("Low(rank: 4)", "Low(ranks: 4)")), [
      "W209 `Low` has no parameter `ranks` (Did you mean `rank`?)",
    ]);
    assert.deepEqual(await problems(model.replace("Net(dim, start", "Net(start")), [
      "W210 `Net` is called without `dim` (Add `dim: ..`.)",
    ]);
    assert.deepEqual(await problems(model.replace("other(y, scale)", "other(y, scale, 3)")), [
      "W208 `other` takes 2 arguments, but 3 are given",
    ]);
    assert.deepEqual(await problems(model.replace("adamw(1e-3, weight_decay", "adamw(1e-3, decay")), [
      "W209 `adamw` has no parameter `decay` (It has: `learning_rate`, `weight_decay`, `beta1`, `beta2`, `epsilon`.)",
    ]);
  });

  it("reads files beside the entry, once, and reports what they lack", async () => {
    const shared = "fn half(x: [n]) -> [n] { x / 2 }\n";
    const left = 'import { half } from "./shared.weft"\nfn left(x: [n]) -> [n] { half(x) }\n';
    const right = 'import { half, third } from "./shared.weft"\nfn right(x: [n]) -> [n] { half(x) + third(x, 1, 2) }\n';
    const main =
      'import { left } from "./left.weft"\nimport { right } from "./right.weft"\nfn both(x: [n]) -> [n] { left(right(x)) }\n';
    assert.deepEqual(await problems(main, { "left.weft": left, "right.weft": right, "shared.weft": shared }), [
      "W204 `./shared.weft` declares no `third` (It declares: `half`.)",
    ]);
  });

  it("reports a cycle of imports with its way", async () => {
    const found = await problems('import { b } from "./b.weft"\nfn a(x: [n]) -> [n] { b(x) }\n', {
      "b.weft": 'import { a } from "./main.weft"\nfn b(x: [n]) -> [n] { a(x) }\n',
    });
    assert.deepEqual(found, [
      "W205 these files import one another (main.weft -> b.weft -> main.weft. Move what they share to a file of its own.)",
    ]);
  });

  it("blames an imported file's syntax errors on it, and says nothing of the names it may declare", async () => {
    const { diagnostics } = await check(
      "main.weft",
      memoryHost({
        "main.weft": 'import { f } from "./b.weft"\nfn g(x: [n]) -> [n] { f(x) }\n',
        "b.weft": "fn f(x: [n] { x }\n",
      }),
    );
    assert.ok(diagnostics.length > 0);
    assert.ok(diagnostics.every((diagnostic) => diagnostic.span.file === "b.weft"));
  });

  it("reports several mistakes of one file at once", async () => {
    const text = model
      .replace("let y = x * n", "let y = x * m")
      .replace("update: [generator, shared]", "update: [generators]")
      .replace("as Rows(columns: 8, anchor: rank)", "as Low()");
    assert.deepEqual(
      (await problems(text)).map((problem) => problem.slice(0, 4)),
      ["W201", "W216", "W201"],
    );
  });

  it("says where the entry file was looked for when there is none", async () => {
    const { diagnostics, program } = await check("absent.weft", memoryHost({}));
    assert.equal(program, undefined);
    assert.deepEqual(
      diagnostics.map((diagnostic) => diagnostic.code),
      ["W203"],
    );
  });
});
