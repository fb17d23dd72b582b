import { strict as assert } from "node:assert";
import { WeftError } from "../../dsl/diagnostics/diagnostic.js";
import { simplify } from "../../src/passes/simplify.js";
import { build, diagnosticsOf, run } from "./support.js";

const numbers = (count: number, from: number): number[] =>
  Array.from({ length: count }, (_, place) => Math.sin(12.9898 * (place + 1) + from));

/** A linear map from 4 to 3 numbers, adapted; entry points that should agree. */
const adapted = (interfaceText: string, use: string, given = ""): string => `import { Linear } from "std/layers"
import { Flat } from "std/layouts"

interface Change() on Linear {
  slot A: [2, base.in_features] = normal(std: 0.1)
  slot B: [base.out_features, 2] = zeros()
  ${interfaceText}
}

model M() {
  map = Linear(4, 3)
  memory = adapt map with Change() as Flat(1, 2)
  fn plain(x: [5, 4], t: memory.tokens) -> [5, 3] { (map with ${use.replaceAll(/merge\((memory\([^)]*\))\)/g, "$1")})(x) }
  fn merged(x: [5, 4], t: memory.tokens) -> [5, 3] { (map with ${use})(x) }
  ${given}
}
`;

const stored = { "map.weight": numbers(12, 5), "map.bias": numbers(3, 6) };

async function assertAgrees(text: string): Promise<void> {
  const model = await build(text);
  const inputs = { x: numbers(20, 1), t: numbers(14, 2) };
  const [plain, merged] = ["plain", "merged"].map((entry) => run(model, entry, inputs, stored).output!);
  merged!.forEach((number, place) => {
    assert.ok(Math.abs(number - plain![place]!) < 1e-12, `${place}: ${number}, not ${plain![place]}`);
  });
}

async function refusal(text: string): Promise<{ reason: string; line: string }> {
  const found = await diagnosticsOf(text);
  assert.deepEqual(
    found.map(({ code }) => code),
    ["W378"],
    found.map(({ message }) => message).join("\n"),
  );
  const { span, message } = found[0]!;
  return { reason: message.replace(/^.*`: /, ""), line: text.slice(span.start, span.end) };
}

describe("merge", () => {
  const lowRank = "forward(x) { base(x) + x @ A.T @ B.T }";

  it("gives what the operator gives unmerged", () => assertAgrees(adapted(lowRank, "merge(memory(t))")));

  it("folds what multiplies the weight, the input and the output", () =>
    assertAgrees(
      adapted(
        `forward(x) {
          let turned = (base with { weight: base.weight + B @ A })(x * (1 + A[0]))
          turned * (1 + B[:, 0]) - where(B[:, 1] > 0, turned, 0.5)
        }`,
        "merge(memory(t))",
      ),
    ));

  it("folds what cuts, joins and moves columns", () =>
    assertAgrees(
      adapted(
        `forward(x) {
          let halves = rearrange(x, "... (two d) -> ... d two", two: 2)
          let moved = rearrange(halves, "... d two -> ... (d two)")
          let joined = concat([moved[..., 2:], x[..., :1] * B[0, 0], pad(x[:, 3:], [[0, 0], [0, 0]])], axis: -1)
          base(joined) + sum(x * A[0] + A[1], axis: -1, keep: true)
        }`,
        "merge(memory(t))",
      ),
    ));

  it("folds the operators that were applied before it, and is folded into none after it", async () => {
    await assertAgrees(adapted(lowRank, "memory(0.5 * t) with merge(memory(t))"));
    await assertAgrees(adapted(lowRank, "merge(memory(t)) with memory(0.5 * t)"));
    await assertAgrees(adapted(lowRank, "merge(memory(t)) with merge(memory(2 * t))"));
  });

  it("leaves the stored weight for the operators after it to read", () =>
    assertAgrees(
      adapted("forward(x) { base(x) + x @ (base.weight * (B @ A)).T }", "merge(memory(t)) with memory(2 * t)"),
    ));

  it("makes the weight once, however often the site runs", async () => {
    const products = async (calls: string): Promise<number> => {
      const text = adapted(
        lowRank,
        "merge(memory(t))",
        `fn loop(x: [5, 4], t: memory.tokens) -> [5, 3] { let net = map with merge(memory(t))
          ${calls} }`,
      );
      const graph = simplify((await build(text)).entryPoint("loop").graph);
      return graph.nodes.filter(({ primitive }) => primitive === "contraction").length;
    };
    const once = await products("net(x)");
    assert.equal(await products("net(x) + net(2 * x * x) + net(exp(x))"), once + 2);
  });

  it("serves inputs of different shapes by one weight", async () => {
    const text = adapted(
      lowRank,
      "merge(memory(t))",
      `fn both(x: [5, 4], t: memory.tokens) -> [3] {
        let net = map with merge(memory(t))
        net(x[0]) + sum(net(x), axis: 0) + net(x[none, none, 1])[0, 0]
      }`,
    );
    const model = await build(text);
    const inputs = { x: numbers(20, 1), t: numbers(14, 2) };
    const rows = run(model, "plain", inputs, stored).output!;
    const expected = [0, 1, 2].map((column) => {
      const all = [0, 1, 2, 3, 4].reduce((sum, row) => sum + rows[row * 3 + column]!, 0);
      return all + rows[column]! + rows[3 + column]!;
    });
    run(model, "both", inputs, stored).output!.forEach((number, place) => {
      assert.ok(Math.abs(number - expected[place]!) < 1e-12);
    });
  });

  it("may be asked for in a function that is given an operator", async () => {
    const text = adapted(
      lowRank,
      "memory(t)",
      "fn other(change: operator, x: [5, 4]) -> [5, 3] { (map with merge(change))(x) }\n  fn f(x: [5, 4], t: memory.tokens) -> [5, 3] { other(memory(t), x) }",
    );
    const model = await build(text);
    const inputs = { x: numbers(20, 1), t: numbers(14, 2) };
    assert.equal(run(model, "f", inputs, stored).output!.length, 15);
  });

  const use = "merge(memory(t))";

  for (const [what, text, reason, line] of [
    [
      "is not linear in x",
      "forward(x) { base(x) + relu(x @ A.T) @ B.T }",
      "`relu(x @ A.T)` is not linear",
      "relu(x @ A.T)",
    ],
    ["adds up rows", "forward(x) { base(x) * (1 + sum(x @ A.T @ B.T)) }", "it adds up rows", "sum(x @ A.T @ B.T)"],
    ["squares x", "forward(x) { base(x * x) + x @ A.T @ B.T }", "`x * x` is not linear", "x * x"],
    ["divides by x", "forward(x) { base(x) + (1 / x) @ A.T @ B.T }", "`(1 / x)` is not linear", "(1 / x)"],
    ["chooses by x", "forward(x) { base(where(x > 0, x, 2 * x)) + x @ A.T @ B.T }", "`x > 0` is not linear", "x > 0"],
    [
      "depends on where a row stands",
      "forward(x) { base(x) + float(arange(5))[:, none] * (x @ A.T @ B.T) }",
      "what it does depends on the row",
      "float(arange(5))[:, none] * (x @ A.T @ B.T)",
    ],
    [
      "looks at other rows",
      "forward(x) { base(x) + pad(x[:-1], [[1, 0], [0, 0]]) @ A.T @ B.T }",
      "it looks at other rows than Linear does",
      use,
    ],
    [
      "joins rows and columns",
      "forward(x) { base(x) + reshape(reshape(x, [20]), [5, 4]) @ A.T @ B.T }",
      "it joins or cuts rows",
      "reshape(x, [20])",
    ],
    [
      "draws random numbers",
      "forward(x) { base(x) + (uniform([2]) * (x @ A.T)) @ B.T }",
      "it depends on random numbers",
      "uniform([2])",
    ],
    [
      "depends on the instance",
      "forward(x) { base(x) + float(instance_index()) * (x @ A.T @ B.T) }",
      "it depends on the instance's place in the batch",
      "instance_index()",
    ],
  ] as const) {
    it(`refuses what ${what}, and says where`, async () => {
      assert.deepEqual(await refusal(adapted(text, use)), { reason, line });
    });
  }

  it("refuses interfaces that replace other methods than forward", async () => {
    const text = `import { Attention } from "std/layers"
import { Flat } from "std/layouts"
interface Louder() on Attention {
  slot gain: [base.head_dim] = constant(1.0)
  values(context) { base.values(context) * gain }
}
model M() {
  attend = Attention(4, heads: 2)
  memory = adapt attend with Louder() as Flat(1, 2)
  fn f(x: [3, 4], t: memory.tokens) -> [3, 4] { (attend with merge(memory(t)))(x) }
}
`;
    const { reason, line } = await refusal(text);
    assert.equal(reason, "it replaces the method `values`, and only `forward` can become a weight");
    assert.equal(line, "values");
  });

  it("refuses modules that are not linear themselves, and says where they are not", async () => {
    const text = `import { MLP } from "std/layers"
import { Flat } from "std/layouts"
interface Louder() on MLP {
  slot gain: [base.dim] = constant(1.0)
  forward(x) { base(x) * gain }
}
model M() {
  mlp = MLP(4)
  memory = adapt mlp with Louder() as Flat(1, 4)
  fn f(x: [4], t: memory.tokens) -> [4] { (mlp with merge(memory(t)))(x) }
}
`;
    const [found] = await diagnosticsOf(text);
    assert.match(found!.message, /`activation\(up\(x\)\)` is not linear/);
    assert.equal(found!.span.file, "std/layers");
  });

  it("takes given values that are constants or stored, and refuses those that vary", async () => {
    const scaled = "given strength: []\n  forward(x) { base(x) + strength * (x @ A.T @ B.T) }";
    await assertAgrees(adapted(scaled, "merge(memory(t, strength: 0.5))"));
    const varying = adapted(scaled, "merge(memory(t, strength: sum(x)))");
    assert.equal((await refusal(varying)).reason, "it depends on the given value `strength`, which is no constant");
  });

  it("refuses what is no operator", async () => {
    await assert.rejects(
      async () => (await build(adapted(lowRank, "merge(t)"))).entryPoint("merged"),
      (error) => error instanceof WeftError && /an operator such as memory/.test(error.diagnostics[0]!.message),
    );
  });
});
