import { strict as assert } from "node:assert";
import { build, diagnosticsOf, run } from "./support.js";

/** The value of one expression over x: [2, 3] (1 to 6), y: [3] (1, 10, 100) and i: int[2] (2, 0). */
async function value(body: string, result = ""): Promise<{ output: number[]; shape: readonly number[] }> {
  const model = await build(`model M() {\n  fn f(x: [2, 3], y: [3], i: int[2]) ${result} {\n${body}\n  }\n}\n`);
  const { output } = run(model, "f", { x: [1, 2, 3, 4, 5, 6], y: [1, 10, 100], i: [2, 0] });
  return { output: output!, shape: model.entryPoint("f").outputs[0]!.shape };
}

const cases: readonly (readonly [string, string, readonly number[], readonly number[]])[] = [
  ["operands broadcast from the right", "x + y", [2, 3], [2, 12, 103, 5, 15, 106]],
  [
    "ints and floats become constants of the tensor beside them",
    "2 * x - 0.5",
    [2, 3],
    [1.5, 3.5, 5.5, 7.5, 9.5, 11.5],
  ],
  ["a power of two is a square", "y ** 2", [3], [1, 100, 10000]],
  ["a negative half power is a reciprocal root", "(x * x) ** -0.5 * x", [2, 3], [1, 1, 1, 1, 1, 1]],
  ["unary minus binds looser than a power", "-y ** 2", [3], [-1, -100, -10000]],
  ["@ is a matrix product", "x @ x.T", [2, 2], [14, 32, 32, 77]],
  ["@ takes vectors", "x @ y", [2], [321, 654]],
  ["% of ints floors", "(i - 3) % 2", [2], [1, 1]],
  ["// of ints floors", "(i - 3) // 2", [2], [-1, -2]],
  ["comparisons give bool", "where(x > 3, x, 0.0)", [2, 3], [0, 0, 0, 4, 5, 6]],
  [
    "and, or and not work on bool tensors",
    "where(x > 1 and not (x > 4) or x == 6, 1.0, 0.0)",
    [2, 3],
    [0, 1, 1, 1, 0, 1],
  ],
  ["reductions drop axes", "sum(x, axis: 0)", [3], [5, 7, 9]],
  ["reductions keep axes when told to", "mean(x, axis: 1, keep: true)", [2, 1], [2, 5]],
  ["reductions take several axes", "max(x, axis: [0, 1])", [], [6]],
  ["argsort orders places, the first of equals first", "argsort(tensor([3, 1, 3, 2]))", [4], [1, 3, 0, 2]],
  [
    "argsort descends, still the first of equals first",
    "argsort(tensor([3.0, 1.0, 3.0, 2.0]), descending: true)",
    [4],
    [0, 2, 3, 1],
  ],
  ["argsort takes an axis", "argsort(tensor([[2, 1], [1, 5]]), axis: 0)", [2, 2], [1, 0, 0, 1]],
  ["top_k gives the largest", "let (a, _) = top_k(tensor([[3, 7, 5], [9, -8, 9]]), 2)\n a", [2, 2], [7, 5, 9, 9]],
  ["top_k gives their places", "let (_, b) = top_k(tensor([[3, 7, 5], [9, -8, 9]]), 2)\n b", [2, 2], [1, 2, 0, 2]],
  ["top_k takes an axis", "let (a, _) = top_k(tensor([[3, 7, 5], [9, -8, 9]]), 1, axis: 0)\n a", [1, 3], [9, 7, 9]],
  ["argmax is an int", "argmax(x * where(x == 2, 5.0, 1.0))", [2], [1, 2]],
  ["reshape infers one size", "reshape(x, [3, -1])", [3, 2], [1, 2, 3, 4, 5, 6]],
  ["rearrange splits, permutes and joins", 'rearrange(x, "a (b c) -> b (a c)", c: 1)', [3, 2], [1, 4, 2, 5, 3, 6]],
  ["rearrange carries leading axes", 'rearrange(x, "... n -> n ...")', [3, 2], [1, 4, 2, 5, 3, 6]],
  ["repeat adds axes", 'repeat(y, "n -> b n", b: 2)', [2, 3], [1, 10, 100, 1, 10, 100]],
  ["repeat joins what it adds", 'repeat(y, "n -> (n b)", b: 2)', [6], [1, 1, 10, 10, 100, 100]],
  ["einsum contracts by name", 'einsum(x, x, "i k, j k -> i j")', [2, 2], [14, 32, 32, 77]],
  ["einsum sums what one operand names alone", 'einsum(x, "i j -> j")', [3], [5, 7, 9]],
  ["einsum carries leading axes", 'einsum(stack([x, x]), y, "... k, k -> ...")', [2, 2], [321, 654, 321, 654]],
  ["concat joins", "concat([y, y[:1]])", [4], [1, 10, 100, 1]],
  ["stack adds an axis", "stack([y, 2 * y], axis: -1)", [3, 2], [1, 2, 10, 20, 100, 200]],
  ["split gives a tuple", "let (a, b, c) = split(x, 3)\n c - a + b", [2, 1], [4, 7]],
  ["pad adds zeros", "pad(y, [[1, 2]])", [6], [0, 1, 10, 100, 0, 0]],
  ["an index drops its axis", "x[1]", [3], [4, 5, 6]],
  ["negative indices count from the end", "x[-1, -2]", [], [5]],
  ["slices cut, with steps", "x[:, ::2]", [2, 2], [1, 3, 4, 6]],
  ["slices are cut to the axis", "y[1:9]", [2], [10, 100]],
  ["an ellipsis stands for the axes between", "x[..., 0]", [2], [1, 4]],
  ["none is a new axis", "y[:, none] * x[0]", [3, 3], [1, 2, 3, 10, 20, 30, 100, 200, 300]],
  ["an int tensor gathers rows", "y[i]", [2], [100, 1]],
  ["an int tensor gathers beside slices", "x.T[i, 1:]", [2, 1], [6, 4]],
  ["arange and float make positions", "float(arange(3)) * y", [3], [0, 10, 200]],
  ["one_hot marks", "one_hot(i, 3)", [2, 3], [0, 0, 1, 1, 0, 0]],
  ["tensor makes tables", "tensor([[1.5, 2], [3, 4]])", [2, 2], [1.5, 2, 3, 4]],
  ["softmax sums to one", "sum(softmax(x), axis: -1)", [2], [1, 1]],
  ["for carries values by rebinding", "let s = y\n for k in range(3) { s = s * k + 1 }\n s", [3], [5, 5, 5]],
  ["comprehensions filter", "sum(stack([y[k] for k in range(3) if k != 1]))", [], [101]],
  ["let shadows after its own line", "let x = x[0]\n let x = x + x\n x", [3], [2, 4, 6]],
  [
    "enumerate and zip pair",
    "let s = 0.0 * y\n for (k, pair) in enumerate(zip([1, 2], [3, 4])) {\n let (a, b) = pair\n s = s + k * a * b }\n s",
    [3],
    [8, 8, 8],
  ],
  ["static if chooses", 'if len("ab") == 2 { y } else { x }', [3], [1, 10, 100]],
  [
    "names that nobody wants may repeat",
    "let (_, a, _) = split(y, 3)\n for (_, _) in [(1, 2)] { a = a + 1 }\n a",
    [1],
    [11],
  ],
  ["tuples swap", "let (a, b) = (y[0], y[1])\n (a, b) = (b, a)\n a - b", [], [9]],
  ["clamp bounds", "clamp(y, 2, 50)", [3], [2, 10, 50]],
  ["logsumexp is stable", "logsumexp(x + 1000.0) - 1000.0 - logsumexp(x)", [2], [0, 0]],
];

describe("expressions", () => {
  for (const [name, body, shape, expected] of cases) {
    it(name, async () => {
      const found = await value(body);
      assert.deepEqual(found.shape, shape);
      for (const [place, number] of expected.entries())
        assert.ok(Math.abs(found.output[place]! - number) < 1e-9, `${found.output}`);
      assert.equal(found.output.length, expected.length);
    });
  }
});

describe("stored tensors", () => {
  it("start as one number, or as a list", async () => {
    const model = await build(`model M() {
  param a: [2] = 1.5
  param b: [] = -0.5, frozen c: int[2] = 3, frozen d: bool[2] = true
  frozen e: int[2] = [1, 0],
  fn f(x: [2]) -> [2] { x * a + b + float(c) + float(d) + float(e) }
}
`);
    const starts = Object.fromEntries(model.parameters.map(({ path, initializer }) => [path, initializer]));
    assert.deepEqual(starts, {
      a: { kind: "constant", value: 1.5 },
      b: { kind: "constant", value: -0.5 },
      c: { kind: "constant", value: 3 },
      d: { kind: "constant", value: 1 },
      e: { kind: "values", values: [1, 0] },
    });
  });

  it("read as zeros under every condition that does not hold, however deep", async () => {
    const model = await build(`module Gate(mode: int) {
  if mode == 0 { param a: [2] = ones() } else if mode == 1 { param b: [2] = ones() } else {
    if mode == 3 { param c: [2] = ones() }
  }
  forward(x: [2]) -> [2] { x }
}
model M() {
  gates = [Gate(0), Gate(1), Gate(2), Gate(3)]
  fn f(x: [2]) -> [2] {
    for gate in gates { x = x + gate.a + 10 * gate.b + 100 * gate.c }
    x
  }
}
`);
    assert.deepEqual(
      model.parameters.map(({ path }) => path),
      ["gates.0.a", "gates.1.b", "gates.3.c"],
    );
    const ones = { "gates.0.a": [1, 1], "gates.1.b": [1, 1], "gates.3.c": [1, 1] };
    assert.deepEqual(run(model, "f", { x: [0, 0] }, ones).output, [111, 111]);
  });

  it("need no size that makes sense where their condition does not hold", async () => {
    const model = await build(`module Gate(n: int) {
  if n > 2 {
    half = n / 2
    param a: [half] = ones()
    param b: [n - 2] = ones()
  }
  forward(x: [2]) -> [2] { if n > 2 { x + sum(a) + sum(b) } else { x } }
}
model M() {
  gates = [Gate(1), Gate(4)]
  fn f(x: [2]) -> [2] {
    for gate in gates { x = gate(x) }
    x
  }
}
`);
    assert.deepEqual(run(model, "f", { x: [0, 0] }, { "gates.1.a": [1, 1], "gates.1.b": [1, 1] }).output, [4, 4]);
  });
});

describe("further arguments", () => {
  const model = (
    body: string,
    functions = "",
  ) => `fn scaled(x: [n], by: [] = 2.0, and_then: [] = 1.0) -> [n] { x * by * and_then }
fn passed(x: [n], ...rest) -> [n] { scaled(x + 1, ...rest) }
${functions}
model M() {
  fn f(x: [2], s: []) -> [2] { ${body} }
}
`;
  const results: readonly (readonly [string, readonly number[]])[] = [
    ["passed(x)", [4, 6]],
    ["passed(x, s)", [20, 30]],
    ["passed(x, 3.0, s)", [60, 90]],
    ["passed(x, and_then: s)", [40, 60]],
    ["passed(and_then: s, x: x)", [40, 60]],
    ["twice(x, and_then: s)", [40, 60]],
  ];
  for (const [body, expected] of results) {
    it(`are handed on as they are given: ${body}`, async () => {
      const functions = "fn twice(x: [n], ...more) -> [n] { passed(x, ...more) }";
      assert.deepEqual(run(await build(model(body, functions)), "f", { x: [1, 2], s: [10] }).output, expected);
    });
  }

  it("are refused by who gets them in the end, and are no value for anything else", async () => {
    const codes = async (body: string, functions?: string) =>
      (await diagnosticsOf(model(body, functions))).map(({ code, message }) => `${code} ${message}`);
    assert.deepEqual(await codes("passed(x, times: s)"), ["W317 scaled takes no `times`, or has it already"]);
    assert.deepEqual(await codes("passed(x, s, s, s)"), ["W318 scaled takes 3 arguments, not 4"]);
    assert.deepEqual(await codes("first(x, s)", "fn first(x: [n], ...rest) -> [n] { x + rest }"), [
      "W304 `+` does not take a tensor [2] and further arguments",
    ]);
    assert.deepEqual(await codes("passed(...x)"), [
      "W301 expected what a parameter `...NAME` took, but this is a tensor [2]",
    ]);
    assert.deepEqual(await codes("passed(...x, s)"), ["W101 expected `)` after `x`, but found `,`"]);
  });
});
