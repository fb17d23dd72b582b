import assert from "node:assert/strict";
import { WeftError } from "../../dsl/diagnostics/diagnostic.js";
import { mergeOperator } from "../../runtime/operators/merge.js";
import { type OperatorSpace, operatorSpace } from "../../runtime/operators/space.js";
import { environmentOf } from "../../runtime/reference/environment.js";
import { evaluate } from "../../runtime/reference/interpreter.js";
import type { Tensor } from "../../runtime/tensors/tensor.js";
import { elementCount } from "../../src/graph/shape.js";
import { build } from "../build/support.js";

const wave = (count: number, seed: number): Float32Array =>
  Float32Array.from(
    { length: count },
    (_, place) => (Math.sin(12.9898 * (place + 1) + seed * 4.1414) * 43758.5453) % 1,
  );

const low = `interface Low() on Map {
  slot A: [2, 4] = normal(std: 0.1)
  slot B: [3, 2] = zeros()
  forward(x) { base(x) + x @ A.T @ B.T }
}`;

async function spaceOf(module: string, interfaceText = low, name = "Low"): Promise<OperatorSpace> {
  const model = await build(`import { Flat } from "std/layouts"
module Map() {
  ${module}
}
${interfaceText}
model M() {
  maps   = [Map()] * 3
  memory = adapt maps[*] with ${name}() as Flat(1, 2)
  fn base(x: [5, 4]) -> [3] { sum(maps[0](x) + maps[1](x) * maps[2](x), axis: 0) }
  fn adapted(x: [5, 4], t: memory.tokens) -> [3] {
    sum((maps[0] with memory(t))(x) + (maps[1] with memory(t))(x) * (maps[2] with memory(t))(x), axis: 0)
  }
}
`);
  return operatorSpace(model, "memory");
}

/** Merges arbitrary tokens into arbitrary weights, and compares the plain model with the adapted one. */
function assertMerges(space: OperatorSpace): ReadonlyMap<string, Tensor> {
  const { model } = space;
  const tokens = wave(elementCount(space.shape), 1);
  const stored = new Map(
    model.parameters.map(({ path, shape }, place): [string, Tensor] => {
      return [path, { dtype: "f32", shape, data: wave(elementCount(shape), 5 + place) }];
    }),
  );
  const merged = mergeOperator(space, tokens, (path) => stored.get(path)!);
  const run = (entry: string, weights: ReadonlyMap<string, Tensor>): Float64Array => {
    const inputs = new Map([
      ["x", Float64Array.from(wave(20, 2))],
      ["t", Float64Array.from(tokens)],
    ]);
    const numbers = new Map([...weights].map(([path, { data }]) => [path, Float64Array.from(data)]));
    return evaluate(model.entryPoint(entry).graph, environmentOf({ inputs, stored: numbers })).get("output")!.data;
  };
  const expected = run("adapted", stored);
  run("base", new Map([...stored, ...merged])).forEach((number, place) => {
    assert.ok(Math.abs(number - expected[place]!) < 1e-5, `${number}, not ${expected[place]}`);
  });
  return merged;
}

describe("merging into stored tensors", () => {
  it("finds the weight of any module whose forward is a product with it, however it lies", async () => {
    const forwards = await spaceOf("param w: [3, 4] = kaiming()\n  forward(x: [..., 4]) -> [..., 3] { x @ w.T }");
    assert.deepEqual([...assertMerges(forwards).keys()], ["maps.0.w", "maps.1.w", "maps.2.w"]);
    const backwards = await spaceOf(
      'param other: [3, 4] = zeros()\n  param v: [4, 3] = kaiming()\n  param c: [3] = zeros()\n  forward(x: [n, 4]) -> [n, 3] { c + einsum(v, x, "i o, n i -> n o") }',
    );
    assert.deepEqual([...assertMerges(backwards).keys()], ["maps.0.v", "maps.1.v", "maps.2.v"]);
  });

  it("changes biases where the operator does", async () => {
    const gain = "interface Gain() on Map {\n  slot g: [3] = zeros()\n  forward(x) { base(x) * (1 + g) + g }\n}";
    const space = await spaceOf(
      "param w: [3, 4] = kaiming()\n  param c: [3] = zeros()\n  forward(x: [..., 4]) -> [..., 3] { x @ w.T + c }",
      gain,
      "Gain",
    );
    assert.equal(assertMerges(space).size, 6);
    const without = await spaceOf(
      "param w: [3, 4] = kaiming()\n  forward(x: [..., 4]) -> [..., 3] { x @ w.T }",
      gain,
      "Gain",
    );
    assert.throws(
      () => assertMerges(without),
      /maps\.0 cannot hold the merged operator: a bias is added, and none is stored/,
    );
  });

  it("refuses modules that no stored tensor alone describes", async () => {
    const space = await spaceOf("param w: [3, 4] = kaiming()\n  forward(x: [..., 4]) -> [..., 3] { 2 * x @ w.T }");
    assert.throws(() => assertMerges(space), /Map stores no weight that alone says what it does/);
  });

  it("refuses what depends on how many rows there are", async () => {
    const counted = low.replace("x @ A.T", "x.shape[0] * x @ A.T");
    const module = "param w: [3, 4] = kaiming()\n  forward(x: [n, 4]) -> [n, 3] { x @ w.T }";
    const space = await spaceOf(module, counted);
    assert.throws(
      () => assertMerges(space),
      (error) => error instanceof WeftError && /it depends on how many rows there are/.test(error.message),
    );
  });
});
