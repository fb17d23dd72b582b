import assert from "node:assert/strict";
import { elementCount } from "../../src/graph/shape.js";
import { sourceOf } from "../graphs/source.js";
import { build, diagnosticsOf, run } from "./support.js";

const imports = `import { Embedding, Linear, MLP, SwiGLU } from "std/layers"
import { LoRA } from "std/interfaces"
import { Flat, RankAnchored } from "std/layouts"
`;

/** What every model here has: rows through the module of each, and through all of them with the others masked. */
const both = (call: (module: string, rows: string) => string, tokens = "") => `
  fn sparse(x: [5, 4], i: int[5]${tokens && `, t: ${tokens}.tokens`}) -> [5, 4] {
    let experts = ${tokens ? `(layer with ${tokens}(t))` : "layer"}.experts
    ${call("experts[i]", "x")}
  }
  fn dense(x: [5, 4], i: int[5]${tokens && `, t: ${tokens}.tokens`}) -> [5, 4] {
    let experts = ${tokens ? `(layer with ${tokens}(t))` : "layer"}.experts
    let chosen = one_hot(clampInt(i, len(experts) - 1), len(experts))
    let total = zeros([5, 4])
    for (k, expert) in enumerate(experts) { total = total + chosen[:, k:k + 1] * ${call("expert", "x")} }
    total
  }
`;
const helpers = `
fn clampInt(i: int[n], last: int) -> int[n] { minimum(maximum(i, 0), last) }
`;

const index = [2, 0, -1, 9, 2];

/** Runs both forms on random numbers, and gives what they computed. */
async function compare(text: string) {
  const model = await build(imports + text + helpers);
  const s = sourceOf(7);
  const stored = Object.fromEntries(
    model.parameters
      .filter(({ dtype }) => dtype === "f32")
      .map(({ path, shape }) => [path, s.numbers(elementCount(shape), -1, 1)]),
  );
  const entry = model.entryPoint("sparse");
  const inputs = Object.fromEntries(
    entry.inputs.map(({ name, shape }) => [name, name === "i" ? index : s.numbers(elementCount(shape), -1, 1)]),
  );
  const [sparse, dense] = ["sparse", "dense"].map((name) => run(model, name, inputs, stored).output!);
  return { model, sparse: sparse!, dense: dense! };
}

async function assertEqual(text: string) {
  const { model, sparse, dense } = await compare(text);
  sparse.forEach((value, place) => {
    assert.ok(Math.abs(value - dense[place]!) < 1e-12, `${place}: ${value}, not ${dense[place]}`);
  });
  return model;
}

const layer = (experts: string, further = "") => `
module Layer() {
  experts = ${experts}
}
model M() {
  layer = Layer()
${further}
}
`;

describe("a list of modules indexed by an int tensor", () => {
  it("sends each row through the module it names, the nearest one where there is none", async () => {
    await assertEqual(
      layer(
        "[MLP(4, hidden: 6)] * 3",
        both((module, x) => `${module}(${x})`),
      ),
    );
    await assertEqual(
      layer(
        "[SwiGLU(4, hidden: 6)] * 3",
        both((module, x) => `${module}(${x})`),
      ),
    );
  });

  it("copies no weights for a row", async () => {
    const model = await assertEqual(
      layer(
        "[MLP(4, hidden: 6)] * 3",
        both((module, x) => `${module}(${x})`),
      ),
    );
    const { nodes, types } = model.entryPoint("sparse").graph;
    assert.equal(nodes.filter(({ primitive }) => primitive === "grouped_contraction").length, 2);
    for (const { shape } of types) assert.ok(shape[0] !== 5 || elementCount(shape) <= 5 * 6, `${shape}`);
  });

  it("takes rows of any shape along several axes", async () => {
    const model = await build(`${imports}
model M() {
  experts = [Linear(4, 3)] * 2
  fn grid(x: [2, 3, 7, 4], i: int[2, 3]) -> [2, 3, 7, 3] { experts[i](x) }
  fn flat(x: [6, 7, 4], i: int[6]) -> [6, 7, 3] { experts[i](x) }
}`);
    const s = sourceOf(3);
    const x = s.numbers(2 * 3 * 7 * 4, -1, 1);
    const stored = Object.fromEntries(
      model.parameters.map(({ path, shape }) => [path, s.numbers(elementCount(shape), -1, 1)]),
    );
    const inputs = { x, i: [0, 1, 1, 0, 1, 0] };
    assert.deepEqual(run(model, "grid", inputs, stored), run(model, "flat", inputs, stored));
  });

  it("chooses members, methods and lists inside, and hands on what is the same in all", async () => {
    const expert = `
module Expert(dim: int) {
  maps = [Linear(dim, dim)] * 2
  gain = 2.0
  param scale: [dim] = ones()
  both(x: [dim], y: [dim]) -> ([dim], [dim]) { (maps[0](x) * scale, maps[1](y) - x) }
  summed(parts: list) -> [dim] { maps[1](parts[0] + parts[1]) }
}
`;
    const call = (module: string, x: string) =>
      `sum_of(${module}.both(${x}, 2 * ${x})) + ${module}.maps[1](${x}) * ${module}.gain + ${module}.summed([${x}, ${x} * ${x}])`;
    await assertEqual(
      `${expert}fn sum_of(pair) {\n  let (a, b) = pair\n  a + b\n}\n${layer("[Expert(4)] * 3", bothByRow(call))}`,
    );
  });

  it("gives what does not depend on the row to every row", async () => {
    const model = await build(`
module Fixed() {
  param own: [2]
  forward(x: []) -> ([2], [2]) { (own, ones([2])) }
}
model M() {
  modules = [Fixed()] * 2
  fn f(x: [3], i: int[3]) -> ([3, 2], [3, 2]) { modules[i](x) }
}`);
    const stored = { "modules.0.own": [1, 2], "modules.1.own": [3, 4] };
    assert.deepEqual(run(model, "f", { x: [0, 0, 0], i: [1, 0, 1] }, stored), {
      "output.0": [3, 4, 1, 2, 3, 4],
      "output.1": [1, 1, 1, 1, 1, 1],
    });
  });

  it("draws random numbers of its own for every row", async () => {
    const model = await build(`
module Noisy() {
  forward(x: [n]) -> [n] { x + normal([n]) }
}
model M() {
  modules = [Noisy()] * 2
  fn f(x: [3, 2], i: int[3]) -> [3, 2] { modules[i](x) }
}`);
    const environment = { x: [0, 0, 0, 0, 0, 0], i: [0, 0, 1] };
    const { output } = run(model, "f", environment);
    assert.equal(new Set(output).size, 6);
  });

  it("reads tables by row without copying them", async () => {
    const model = await build(`${imports}
model M() {
  tables = [Embedding(5, 2)] * 3
  fn f(word: int[4], i: int[4]) -> [4, 2] { tables[i](word) }
}`);
    const stored = Object.fromEntries(
      [0, 1, 2].map((table) => [
        `tables.${table}.weight`,
        Array.from({ length: 10 }, (_, place) => 100 * table + place),
      ]),
    );
    assert.deepEqual(
      run(model, "f", { word: [0, 4, 2, 99], i: [0, 1, 2, 7] }, stored).output,
      [0, 1, 108, 109, 204, 205, 208, 209],
    );
    assert.ok(model.entryPoint("f").graph.types.every(({ shape }) => elementCount(shape) <= 30));
  });

  it("may stand inside modules that are chosen by row themselves", async () => {
    const nested = `
module Inner(dim: int) {
  maps = [Linear(dim, dim)] * 2
  forward(x: [dim]) -> [dim] {
    let rows = stack([x, 2 * x, x * x])
    sum(maps[int(rows[:, 0] > 0)](rows), axis: 0)
  }
}
`;
    await assertEqual(
      nested +
        layer(
          "[Inner(4)] * 3",
          bothByRow((module, x) => `${module}(${x})`),
        ),
    );
  });

  it("takes modules whose stored tensors are replaced by others", async () => {
    await assertEqual(`
module Layer() {
  maps = [Linear(4, 4)] * 3
}
model M() {
  layer = Layer()
  param weights: [3, 4, 4]
  fn experts() { [layer.maps[k] with { weight: weights[k] * (k + 1) } for k in range(3)] }
${both((module, x) => `${module}(${x})`).replaceAll("layer.experts", "experts()")}
}`);
  });
});

/** As `both`, for modules that take one row: densely, row by row. */
const bothByRow = (call: (module: string, rows: string) => string) =>
  both(call).replace(/\* (.*) \}$/m, (_, value: string) => {
    const rows = value.replaceAll(/\bx\b/g, "x[r]");
    return `* stack([${rows} for r in range(5)]) }`;
  });

describe("adapted modules of a list indexed by an int tensor", () => {
  const call = (module: string, x: string) => `${module}(${x})`;
  const adapted = (sites: string, how: string, experts = "[MLP(4, hidden: 6)] * 3", before = "") =>
    before + layer(experts, `  memory = adapt ${sites} with ${how}\n${both(call, "memory")}`);

  it("take their slots as layers of the grid, or as copies inside one", async () => {
    const text = adapted("layer.experts[*].{up, down}", "LoRA(rank: 2) as RankAnchored(segment: 2)");
    const model = await assertEqual(text);
    assert.equal(model.adaptations[0]!.grid.layers, 3);
    const copies = text.replace("layer = Layer()", "layers = [Layer()]\n  layer = layers[0]");
    const other = await assertEqual(copies.replace("layer.experts[*]", "layers[*].experts[*]"));
    assert.equal(other.adaptations[0]!.grid.layers, 1);
  });

  it("take them as views of the tokens, not one by one", async () => {
    const model = await assertEqual(
      adapted("layer.experts[*].{up, down}", "LoRA(rank: 2) as RankAnchored(segment: 2)"),
    );
    const { nodes } = model.entryPoint("sparse").graph;
    const slices = nodes.filter(({ primitive }) => primitive === "slice");
    assert.equal(slices.length, 4, "A and B of up and down");
  });

  it("take them from layouts that join copies", async () => {
    const model = `
module Layer() {
  experts = [MLP(4, hidden: 6)] * 3
}
model M() {
  layers = [Layer()]
  layer  = layers[0]
  memory = adapt layers[*].experts[*].{up, down} with LoRA(rank: 2) as Flat(2, 5)
${both(call, "memory")}
}`;
    await assertEqual(model);
    await assertEqual(model.replace("Flat(2, 5)", "RankAnchored(segment: 4)"));
  });

  it("may share slots in groups", async () => {
    for (const by of [2, 4]) {
      await assertEqual(
        adapted(`layer.experts[* by ${by}].up`, "LoRA(rank: 2) as RankAnchored(segment: 2)", "[MLP(4, hidden: 6)] * 4"),
      );
    }
  });

  it("read the stored tensors of interfaces, each its own or all one", async () => {
    const interfaces = (shared: string) => `
interface Strength() on Linear {
  slot change: [base.out_features] = zeros()
  ${shared}param strength: [base.out_features] = ones()
  forward(x) { base(x) + strength * change * sum(x, axis: -1, keep: true) + base.bias }
}
`;
    for (const shared of ["", "shared "]) {
      const text = adapted("layer.experts[*].up", "Strength() as Flat(1, 3)", undefined, interfaces(shared));
      await assertEqual(text.replace("  forward(x) { base", '  starts = "changed"\n  forward(x) { base'));
    }
  });

  it("are chained, and changed where the index stands", async () => {
    const text = layer(
      "[MLP(4, hidden: 6)] * 3",
      `  first  = adapt layer.experts[*].up with LoRA(rank: 2) as Flat(2, 4)
  second = adapt layer.experts[*].{up, down} with LoRA(rank: 1) as RankAnchored(segment: 2)
  fn sparse(x: [5, 4], i: int[5], a: first.tokens, b: second.tokens) -> [5, 4] {
    (layer.experts[i] with first(a) with second(b))(x)
  }
  fn dense(x: [5, 4], i: int[5], a: first.tokens, b: second.tokens) -> [5, 4] {
    let chosen = one_hot(clampInt(i, 2), 3)
    let total = zeros([5, 4])
    for (k, expert) in enumerate((layer with first(a) with second(b)).experts) {
      total = total + chosen[:, k:k + 1] * expert(x)
    }
    total
  }`,
    );
    await assertEqual(text);
  });

  it("count as reached, all of them", async () => {
    const text = `${imports}
model M() {
  experts = [Linear(4, 4)] * 3
  memory  = adapt experts[*] with LoRA(rank: 1) as Flat(1, 4)
  fn f(x: [5, 4], i: int[5], t: memory.tokens) -> [5, 4] { (experts[i] with memory(t))(x) }
}`;
    assert.deepEqual(await diagnosticsOf(text), []);
  });

  it("may be folded into the weights of every module", async () => {
    const folded = adapted("layer.experts[*].{up, down}", "LoRA(rank: 2) as RankAnchored(segment: 2)").replace(
      "(layer with memory(t))",
      "(layer with merge(memory(t)))",
    );
    const model = await assertEqual(folded);
    const { nodes } = model.entryPoint("sparse").graph;
    assert.equal(nodes.filter(({ primitive }) => primitive === "grouped_contraction").length, 2);
  });

  it("may lie inside modules that are adapted themselves", async () => {
    const text = `${imports}
interface Scaled() on Mixture {
  slot gain: [4] = constant(1.0)
  forward(x, i) { base(x, i) * gain }
}
module Mixture() {
  experts = [MLP(4, hidden: 6)] * 3
  forward(x: [n, 4], i: int[n]) -> [n, 4] { experts[i](x) }
}
model M() {
  mixture = Mixture()
  memory  = adapt mixture with Scaled() as Flat(1, 4)
  fn f(x: [2, 4], i: int[2], t: memory.tokens) -> [2, 4] { (mixture with memory(t))(x, i) }
}`;
    assert.deepEqual(await diagnosticsOf(text), []);
  });
});

describe("what is wrong with a list indexed by a tensor", () => {
  const found = async (members: string, body: string, signature = "x: [3, 4], i: int[3]") => {
    const text = `${imports}
model M() {
${members}
  fn f(${signature}) -> [3, 4] { ${body} }
}`;
    const [first] = await diagnosticsOf(text);
    return first && [first.code, text.slice(first.span.start, first.span.end), first.message];
  };
  const maps = "  maps = [Linear(4, 4)] * 2";

  it("is said where it stands", async () => {
    assert.deepEqual(await found(maps, "maps[x[:, 0]](x)"), [
      "W301",
      "x[:, 0]",
      "expected an int or an int tensor, but this is a tensor [3]",
    ]);
    assert.deepEqual(await found("  sizes = [1, 2]", "sizes[i](x)"), [
      "W374",
      "i",
      "a list indexed by a tensor holds equal modules, but this one holds the number 1",
    ]);
    assert.deepEqual(await found("  maps = []", "maps[i](x)"), [
      "W374",
      "i",
      "a list indexed by a tensor holds equal modules, but this one is empty",
    ]);
    assert.deepEqual(await found("  maps = [Linear(4, 4), MLP(4)]", "maps[i](x)"), [
      "W374",
      "i",
      "a list indexed by a tensor holds equal modules, but maps.1 is a MLP, maps.0 a Linear",
    ]);
    assert.deepEqual(await found("  maps = [Linear(4, 4), Linear(4, 4, use_bias: false)]", "maps[i](x)"), [
      "W374",
      "i",
      "a list indexed by a tensor holds equal modules, but maps.1.use_bias is the truth value false, maps.0.use_bias the truth value true",
    ]);
  });

  it("names the module that another operator changes", async () => {
    const adapted = `${maps}\n  memory = adapt maps[1] with LoRA(rank: 1) as Flat(1, 4)`;
    const body = "[maps[0], maps[1] with memory(t)][i](x)";
    assert.deepEqual(await found(adapted, body, "x: [3, 4], i: int[3], t: memory.tokens"), [
      "W374",
      "i",
      "a list indexed by a tensor holds equal modules, but maps.1 and maps.0 are changed by different operators",
    ]);
  });

  it("points at the argument whose rows are not those of the index", async () => {
    assert.deepEqual((await found(maps, "maps[i](x[0])"))?.slice(0, 2), ["W375", "x[0]"]);
    assert.deepEqual((await found(maps, "maps[i].weight"))?.slice(0, 2), ["W376", "maps[i].weight"]);
  });
});
