import { strict as assert } from "node:assert";
import { build, diagnosticsOf, run } from "./support.js";

const header = `
import { Linear } from "std/layers"
import { LoRA } from "std/interfaces"
import { RankAnchored, Flat } from "std/layouts"

interface Scale() on Linear {
  slot gain: [base.out_features] = constant(1)
  forward(x) { base(x) * gain }
}

interface Shift(by: float = 1.0) on Linear {
  slot offset: [base.out_features] = zeros()
  shared frozen step: [] = constant(by)
  param strength: [] = ones()
  forward(x) { base(x) + step * strength * offset }
}

interface Hadamard() on Linear {
  slot factor: [base.out_features, base.in_features] = zeros()
  forward(x) { (base with { weight: base.weight * (1 + factor) })(x) }
}

interface BiasToo() on Linear {
  slot extra: [base.out_features] = zeros()
  forward(x) { x @ base.weight.T + base.bias + extra }
}

module Two() {
  a = Linear(2, 2, use_bias: false)
  b = Linear(2, 2, use_bias: false)
  forward(x: [2]) -> [2] { b(a(x)) }
}
`;

const identity = [1, 0, 0, 1];
const double = [2, 0, 0, 2];

describe("adapt", () => {
  it("orders tokens interface by interface, slot by slot, site by site", async () => {
    const model = await build(`${header}
model M() {
  layers = [Two()] * 3
  memory = adapt { layers[*].{b, a} with LoRA(rank: 1), layers[*].a with Scale() } as Flat(1, 2)
  fn f(x: [2]) -> [2] { x }
}`);
    const { grid, path, layout } = model.adaptations[0]!;
    assert.deepEqual([path, layout, grid.layers, grid.tokens, grid.rows, grid.columns], ["memory", "Flat", 3, 5, 1, 2]);
    assert.deepEqual(
      grid.kinds.map(({ interface: owner, slot, start, count, initializer }) => [
        owner,
        slot,
        start,
        count,
        initializer.kind,
      ]),
      [
        ["LoRA", "A", 0, 2, "normal"],
        ["LoRA", "B", 2, 2, "zeros"],
        ["Scale", "gain", 4, 1, "constant"],
      ],
    );
    assert.deepEqual(
      grid.places.filter(({ layer }) => layer === 1).map(({ site, slot, start }) => [site, slot, start]),
      [
        ["layers.1.b", "A", 0],
        ["layers.1.a", "A", 1],
        ["layers.1.b", "B", 2],
        ["layers.1.a", "B", 3],
        ["layers.1.a", "gain", 4],
      ],
    );
    assert.equal(grid.numbers, 3 * 10);
  });

  it("joins the layers of distinct lists", async () => {
    const model = await build(`${header}
model M() {
  first  = [Two()] * 2
  second = [Two()] * 3
  memory = adapt { first[*].a with Scale(), second[*].b with Scale() } as Flat(1, 2) ragged
  plain  = adapt second[*].{a, b} with Scale() as Flat(1, 2)
  fn f(x: [2]) -> [2] { x }
}`);
    const [memory, plain] = model.adaptations;
    assert.equal(plain!.grid.layers, 3);
    assert.equal(memory!.grid.layers, 5);
    assert.deepEqual(
      memory!.grid.places.map(({ layer, site }) => [layer, site]),
      [
        [0, "first.0.a"],
        [1, "first.1.a"],
        [2, "second.0.b"],
        [3, "second.1.b"],
        [4, "second.2.b"],
      ],
    );
  });

  it("counts the experts of a later [*] as copies inside a layer, joined or each on its own", async () => {
    const text = (layout: string) => `${header}
module Layer() {
  experts = [Linear(3, 5)] * 4
}
model M() {
  layers = [Layer()] * 2
  memory = adapt layers[*].experts[*] with LoRA(rank: 2) as ${layout}
  fn f(x: [2]) -> [2] { x }
}`;
    const joined = (await build(text("Flat(2, 4)"))).adaptations[0]!.grid;
    assert.deepEqual(
      joined.kinds.map(({ start, count }) => [start, count]),
      [
        [0, 3],
        [3, 5],
      ],
    );
    assert.deepEqual(
      joined.places[0]!.copies,
      [0, 1, 2, 3].map((expert) => [`layers.0.experts.${expert}`]),
    );
    const separate = (await build(text("RankAnchored(4)"))).adaptations[0]!.grid;
    assert.deepEqual(
      separate.kinds.map(({ start, count }) => [start, count]),
      [
        [0, 4],
        [4, 8],
      ],
    );
  });

  it("lets neighbours share a slot with [* by n]", async () => {
    const model = await build(`${header}
model M() {
  maps   = [Linear(2, 2, use_bias: false)] * 4
  memory = adapt maps[* by 2] with Scale() as Flat(1, 2)
  fn f(x: [2], t: memory.tokens) -> [2] {
    for map in maps { x = (map with memory(t))(x) }
    x
  }
}`);
    assert.equal(model.adaptations[0]!.grid.layers, 2);
    const stored = Object.fromEntries([0, 1, 2, 3].map((place) => [`maps.${place}.weight`, identity]));
    const { output } = run(model, "f", { x: [1, 1], t: [2, 3, 5, 7] }, stored);
    assert.deepEqual(output, [100, 441]);
  });

  it("lets a coarse operator for groups of layers and a fine one for each layer stand in one grid", async () => {
    for (const sites of [
      "maps[* by 4] with Scale(), maps[* by 2] with Shift(), maps[*] with Scale()",
      "maps[*] with Scale(), maps[* by 2] with Shift(), maps[* by 4] with Scale()",
    ]) {
      const model = await build(`${header}
model M() {
  maps   = [Linear(2, 2, use_bias: false)] * 8
  memory = adapt { ${sites} } as Flat(1, 2)
  fn f(x: [2], t: memory.tokens) -> [2] {
    for map in maps { x = (map with memory(t))(x) }
    x
  }
}`);
      const { grid } = model.adaptations[0]!;
      assert.deepEqual([grid.layers, grid.tokens], [2, 7]);
      const second = grid.places.filter(({ layer }) => layer === 1);
      assert.deepEqual(
        second.map(({ copies }) => copies.length).sort(),
        [1, 2, 4],
        "copies inside a group, none of them padding",
      );
      assert.deepEqual(second.find(({ copies }) => copies.length === 2)!.copies, [
        ["maps.4", "maps.5"],
        ["maps.6", "maps.7"],
      ]);
      // Tokens of a layer: interface by interface as listed; a group's own gain comes to the power of its modules.
      const listed = sites.startsWith("maps[*]")
        ? (group: number, gains: number[], offsets: number[]) => [...gains, ...offsets, group]
        : (group: number, gains: number[], offsets: number[]) => [group, ...offsets, ...gains];
      const tokens = [listed(2, [1, 1, 3, 1], [0, 0]), listed(1, [1, 1, 1, 5], [10, 0])].flatMap((layer) =>
        layer.flatMap((number) => [number, number]),
      );
      const stored = Object.fromEntries([
        ...Array.from({ length: 8 }, (_, place) => [`maps.${place}.weight`, identity] as const),
        ...Array.from({ length: 8 }, (_, place) => [`memory.Shift.maps.${place}.strength`, [1]] as const),
        ["memory.Shift.step", [1]] as const,
      ]);
      const { output } = run(model, "f", { x: [1, 2], t: tokens }, stored);
      // 2^4 * 3, then twice + 10, then * 5.
      assert.deepEqual(output, [(48 + 20) * 5, (96 + 20) * 5]);
    }
  });

  it("pads ragged layers and says which tokens are present", async () => {
    const model = await build(`${header}
model M() {
  layers = [Linear(2, 4, use_bias: false), Linear(2, 2, use_bias: false)]
  memory = adapt layers[*] with Scale() as Flat(1, 2) ragged
  frozen present: [2, 2] = memory.grid.present
  fn f(x: [2], t: memory.tokens) -> [2] { (layers[1] with memory(t))((layers[0] with memory(t))(x)[:2]) }
}`);
    const present = model.parameters.find(({ path }) => path === "present");
    assert.deepEqual(present!.initializer, { kind: "values", values: [1, 1, 1, 0] });
    const stored = { "layers.0.weight": [1, 0, 0, 1, 0, 0, 0, 0], "layers.1.weight": identity };
    const { output } = run(model, "f", { x: [1, 1], t: [2, 3, 9, 9, 5, 7, 9, 9] }, stored);
    assert.deepEqual(output, [10, 21]);
  });

  it("stores an interface's own tensors below the adaptation, shared ones once", async () => {
    const model = await build(`${header}
model M() {
  layers = [Two()] * 2
  memory = adapt layers[*].a with Shift(by: 0.5) as Flat(1, 2)
  fn f(x: [2]) -> [2] { x }
}`);
    assert.deepEqual(
      model.parameters
        .filter(({ path }) => path.startsWith("memory."))
        .map(({ path, storage, initializer }) => [path, storage, initializer.kind]),
      [
        ["memory.Shift.layers.0.a.strength", "param", "constant"],
        ["memory.Shift.layers.1.a.strength", "param", "constant"],
        ["memory.Shift.step", "frozen", "constant"],
      ],
    );
  });

  it("may be a field of a module, whose interfaces then store below it", async () => {
    const model = await build(`${header}
module Own() {
  map    = Linear(2, 2, use_bias: false)
  memory = adapt map with Shift() as Flat(1, 2)
  forward(x: [2], t: memory.tokens) -> [2] { (map with memory(t))(x) }
}
model M() {
  parts = [Own()] * 2
  fn f(x: [2], t: [1, 1, 1, 2]) -> [2] { parts[1](parts[0](x, t), t) }
}`);
    assert.deepEqual(
      model.adaptations.map(({ path }) => path),
      ["parts.0.memory", "parts.1.memory"],
    );
    const paths = model.parameters.map(({ path }) => path);
    assert.ok(
      paths.includes("parts.1.memory.Shift.parts.1.map.strength") && paths.includes("parts.0.memory.Shift.step"),
    );
  });

  it("starts a static operator as its slots are declared", async () => {
    const model = await build(`${header}
model M() {
  layers = [Two()] * 2
  memory = adapt layers[*].a with LoRA(rank: 2) as RankAnchored(2)
  scales = adapt layers[*].a with Scale() as Flat(1, 2)
  param shared: memory.tokens = memory.initial()
  param table: [7, ...scales.grid.shape] = scales.initial()
  fn f(x: [2]) -> [2] { x }
}`);
    const initializer = (name: string) => model.parameters.find(({ path }) => path === name)!.initializer;
    assert.deepEqual(initializer("shared"), {
      kind: "parts",
      parts: [{ starts: [0, 0, 0, 0], limits: [2, 1, 2, 2], initializer: { kind: "normal", std: 0.02 } }],
    });
    assert.deepEqual(initializer("table"), {
      kind: "parts",
      parts: [{ starts: [0, 0, 0, 0, 0], limits: [7, 2, 1, 1, 2], initializer: { kind: "constant", value: 1 } }],
    });
  });
});

describe("with", () => {
  const model = (operators: string, body: string) => `${header}
model M() {
  net = Two()
  ${operators}
  fn f(x: [2], s: one.tokens, t: two.tokens) -> [2] { ${body} }
}`;
  const stored = { "net.a.weight": identity, "net.b.weight": double };

  it("chains operators: each is the base of the next", async () => {
    const scaleThenShift = model(
      "one = adapt net.a with Scale() as Flat(1, 2)\n  two = adapt net.a with Shift() as Flat(1, 2)",
      "(net with one(s) with two(t))(x)",
    );
    const shiftThenScale = scaleThenShift.replace("one(s) with two(t)", "two(t) with one(s)");
    const inputs = { x: [1, 2], s: [10, 10], t: [1, 1] };
    const more = { ...stored, "two.Shift.net.a.strength": [1], "two.Shift.step": [1] };
    assert.deepEqual(run(await build(scaleThenShift), "f", inputs, more).output, [22, 42]);
    assert.deepEqual(run(await build(shiftThenScale), "f", inputs, more).output, [40, 60]);
  });

  it("replaces inner sites before outer ones", async () => {
    const text = `${header}
interface Negate() on Two {
  slot sign: [2] = constant(-1)
  forward(x) { base(x) * sign }
}
model M() {
  net = Two()
  one = adapt net.a with Scale() as Flat(1, 2)
  two = adapt net with Negate() as Flat(1, 2)
  fn f(x: [2], s: one.tokens, t: two.tokens) -> [2] { (net with two(t) with one(s))(x) }
}`;
    assert.deepEqual(run(await build(text), "f", { x: [1, 2], s: [3, 5], t: [-1, 1] }, stored).output, [-6, 20]);
  });

  it("computes with replaced stored tensors, composing along a chain", async () => {
    const text = model(
      "one = adapt net.a with Hadamard() as Flat(1, 4)\n  two = adapt net.a with Hadamard() as Flat(1, 4)",
      "(net with one(s) with two(t))(x)",
    );
    const inputs = { x: [1, 1], s: [1, 0, 0, 2], t: [2, 0, 0, 1] };
    assert.deepEqual(run(await build(text), "f", inputs, stored).output, [2 * 2 * 3, 2 * 3 * 2]);
  });

  it("reads the base's bias as zeros where it has none", async () => {
    const text = model(
      "one = adapt net.a with BiasToo() as Flat(1, 2)\n  two = adapt net.b with Scale() as Flat(1, 2)",
      "(net with one(s) with two(t))(x)",
    );
    assert.deepEqual(run(await build(text), "f", { x: [1, 2], s: [5, 6], t: [1, 1] }, stored).output, [12, 16]);
  });

  it("leaves the module without operator as it was", async () => {
    const text = model(
      "one = adapt net.a with Scale() as Flat(1, 2)\n  two = adapt net.b with Scale() as Flat(1, 2)",
      "(net with one(s) with two(t))(x) + 100 * net(x)",
    );
    assert.deepEqual(run(await build(text), "f", { x: [1, 2], s: [0, 0], t: [1, 1] }, stored).output, [200, 400]);
  });

  it("passes given values to the interface", async () => {
    const text = `${header}
interface Timed() on Linear {
  slot gain: [base.out_features] = zeros()
  given t: []
  forward(x) { base(x) + t * gain }
}
model M() {
  net = Linear(2, 2, use_bias: false)
  memory = adapt net with Timed() as Flat(1, 2)
  fn f(x: [2], s: memory.tokens, t: []) -> [2] { (net with memory(s, t: t))(x) }
}`;
    assert.deepEqual(
      run(await build(text), "f", { x: [1, 2], s: [3, 4], t: [10] }, { "net.weight": identity }).output,
      [31, 42],
    );
  });

  it("lets an interface replace the keys, values and mask of an attention", async () => {
    const text = `${header}
import { Attention } from "std/layers"
interface Prefix(length: int) on Attention {
  slot P: [length, base.dim] = zeros()
  keys(context, angles) { concat([base.keys(context, angles), base.keys(P)], axis: -2) }
  values(context) { concat([base.values(context), base.values(P)], axis: -2) }
  mask(allowed) { concat([base.mask(allowed), full([allowed.shape[0], length], true)], axis: 1) }
}
model M() {
  attn = Attention(4, heads: 2)
  memory = adapt attn with Prefix(3) as Flat(1, 4)
  fn adapted(x: [2, 4], t: memory.tokens) -> [2, 4] { (attn with memory(t))(x) }
  fn plain(x: [2, 4], t: [3, 4]) -> [2, 4] { attn(x, concat([x, t], axis: 0)) }
}`;
    const built = await build(
      text.replace('import { Attention } from "std/layers"\n', "").replace("{ Linear }", "{ Attention, Linear }"),
    );
    const numbers = (count: number, seed: number) =>
      Array.from({ length: count }, (_, place) => Math.sin(seed + place * 1.7));
    const weights = Object.fromEntries(
      built.parameters.map(({ path, shape }, place) => [
        path,
        numbers(
          shape.reduce((a, b) => a * b, 1),
          place,
        ),
      ]),
    );
    const x = numbers(8, 20);
    const t = numbers(12, 30);
    const adapted = run(built, "adapted", { x, t }, weights).output!;
    const plain = run(built, "plain", { x, t }, weights).output!;
    for (const [place, number] of adapted.entries()) assert.ok(Math.abs(number - plain[place]!) < 1e-12);
  });

  it("applies an interface on `module` to any module that has what it uses, handing further arguments on", async () => {
    const text = `${header}
interface Extra() on module {
  slot place: [1, base.dim] = zeros()
  forward(x, ...rest) { base(concat([place, x], axis: 0), ...rest)[1:] }
}
module Sums(dim: int) {
  forward(x: [n, dim], scale: [], shift: [] = 0.0) -> [n, dim] { x + scale * sum(x, axis: 0) + shift }
}
module Plain() {
  forward(x: [n, 2], scale: [], shift: [] = 0.0) -> [n, 2] { scale * x + shift }
}
model M() {
  net    = Sums(2)
  memory = adapt net with Extra() as Flat(1, 2)
  fn f(x: [2, 2], t: memory.tokens, s: []) -> [2, 2] { (net with memory(t))(x, s, shift: 100.0) }
}`;
    const { output } = run(await build(text), "f", { x: [1, 2, 3, 4], t: [10, 20], s: [2] });
    assert.deepEqual(output, [129, 154, 131, 156]);
    const wrong = await diagnosticsOf(text.replace("net    = Sums(2)", "net    = Plain()"));
    assert.deepEqual(
      wrong.map(({ code, message }) => `${code} ${message}`),
      ["W303 the module Plain has no member `dim`"],
    );
  });

  it("takes a module with an operator wherever the module is wanted", async () => {
    const text = model(
      "one = adapt net.a with Scale() as Flat(1, 2)\n  two = adapt net.b with Scale() as Flat(1, 2)",
      "twice(net with one(s) with two(t), x)",
    ).replace("model M()", "fn twice(net: Two, x: [2]) -> [2] { net(net(x)) }\nmodel M()");
    assert.deepEqual(run(await build(text), "f", { x: [1, 2], s: [1, 1], t: [1, 1] }, stored).output, [4, 8]);
  });
});
