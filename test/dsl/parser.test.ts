import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "../../dsl/syntax/parser.js";
import type { Expression, FunctionDeclaration, ModuleDeclaration } from "../../dsl/syntax/tree.js";

const readText = (name: string): string => readFileSync(join(import.meta.dirname, "texts", name), "utf8");

/** The tree of an expression, as a text with every bracket. */
function show(expression: Expression): string {
  switch (expression.kind) {
    case "int":
    case "float":
    case "bool":
      return String(expression.value);
    case "string":
      return JSON.stringify(expression.value);
    case "name":
      return expression.name;
    case "member":
      return `${show(expression.object)}.${expression.member.text}`;
    case "call":
      return `${show(expression.callee)}(${expression.arguments
        .map((argument) => (argument.name === undefined ? "" : `${argument.name.text}: `) + show(argument.value))
        .join(", ")})`;
    case "index":
      return `${show(expression.object)}[${expression.items.map((item) => item.kind).join(", ")}]`;
    case "unary":
      return `(${expression.operator} ${show(expression.operand)})`;
    case "binary":
      return `(${show(expression.left)} ${expression.operator} ${show(expression.right)})`;
    case "list":
      return `[${expression.items.map(show).join(", ")}]`;
    case "tuple":
      return `(${expression.items.map(show).join(", ")})`;
    case "comprehension":
      return `[${show(expression.value)} for ${expression.names.map((name) => name.text)} in ${show(expression.iterable)}]`;
    case "if":
      return `if ${show(expression.condition)}`;
    case "with":
      return `(${show(expression.module)} with ${show(expression.operator)})`;
    case "replace":
      return `(${show(expression.module)} with {${expression.entries.map((entry) => entry.key.text)}})`;
    case "at":
      return `(${show(expression.module)} at ${expression.stage.text})`;
    case "adapt":
      return `adapt as ${show(expression.layout)}`;
  }
}

function bodyOf(text: string): FunctionDeclaration["body"] {
  const { file, diagnostics } = parse(text, "test.weft");
  assert.deepEqual(diagnostics, []);
  return (file.declarations[0] as FunctionDeclaration).body;
}

const expressionOf = (text: string): string => show(bodyOf(`fn f(x: [n]) -> [n] { ${text} }`).value!);

describe("parser", () => {
  it("reads the examples of the design", () => {
    const { file, diagnostics } = parse(readText("editor.weft"), "editor.weft");
    assert.deepEqual(diagnostics, []);
    assert.deepEqual(
      file.declarations.map((declaration) => `${declaration.kind} ${declaration.name.text}`),
      ["module Block", "interface LoRA", "model Editor"],
    );
    assert.equal(file.imports[1]!.names[0]!.alias!.text, "LowRank");
    assert.equal(file.declarations[0]!.doc, "A transformer block modulated by a conditioning vector.");
  });

  it("reads every form of the grammar", () => {
    const { file, diagnostics } = parse(readText("forms.weft"), "forms.weft");
    assert.deepEqual(diagnostics, []);
    assert.equal(file.declarations.length, 6);
    const model = file.declarations[5]!;
    assert.ok(model.kind === "model");
    assert.deepEqual(
      model.members.map((member) => member.kind),
      ["field", "field", "field", "weight", "function", "function", "train", "evaluate", "sample", "collect"],
    );
  });

  const precedences: readonly [string, string][] = [
    ["1 + 2 * 3 - 4", "((1 + (2 * 3)) - 4)"],
    ["a // b % c @ d", "(((a // b) % c) @ d)"],
    ["-x ** 2", "(- (x ** 2))"],
    ["x ** -2 ** 3", "(x ** (- (2 ** 3)))"],
    ["a ** b ** c", "(a ** (b ** c))"],
    ["-a * b", "((- a) * b)"],
    ["not a == b and c or d", "(((not (a == b)) and c) or d)"],
    ["(1 - t) * noise", "((1 - t) * noise)"],
    ["net with op", "(net with op)"],
    ["net with a with b at c", "(((net with a) with b) at c)"],
    ["(net with op)(x).T", "(net with op)(x).T"],
    ["base with { weight: w, bias: b }", "(base with {weight,bias})"],
    ["f(a, axis: 1 + 2)", "f(a, axis: (1 + 2))"],
    ["x[..., 1:, none, 2]", "x[ellipsis, slice, new_axis, at]"],
    ["1_000 + 2.5e-3", "(1000 + 0.0025)"],
    ["slot + with * param", "(slot + (with * param))"],
  ];
  for (const [text, expected] of precedences) {
    it(`reads ${text} as ${expected}`, () => assert.equal(expressionOf(text), expected));
  }

  it("takes words that stand between values for names where a path of `adapt` begins", () => {
    const kindOf = (text: string): string => {
      const { file, diagnostics } = parse(`model M() {\n  memory = ${text}\n}\n`, "test.weft");
      assert.deepEqual(diagnostics, [], text);
      const [declaration] = file.declarations;
      assert.ok(declaration?.kind === "model");
      const [field] = declaration.members;
      return field?.kind === "field" ? field.value.kind : "";
    };
    for (const path of ["at[*]", "at", "at.out", "with[0].at", "as", "net.{at, with}"])
      assert.equal(kindOf(`adapt ${path} with LoRA() as Flat(1, 4)`), "adapt", path);
    assert.equal(kindOf("adapt at first"), "at");
    assert.equal(kindOf("adapt with memory(tokens)"), "with");
  });

  it("ends statements at newlines, except where the line goes on", () => {
    const body = bodyOf(
      "fn f(x: [n]) -> [n] {\n  let y = x\n    + 1\n    @ w\n  let z = f(y\n  , y)\n  g(z)\n    .T\n  -z\n}\n",
    );
    assert.deepEqual(
      body.statements.map((statement) => statement.kind),
      ["let", "let", "expression"],
    );
    assert.equal(show(body.value!), "(- z)");
  });

  it("gives every node the span of its text", () => {
    const text = "module M(dim: int = 4) {\n  a = f((x + y) * -z[0])\n}\n";
    const { file } = parse(text, "test.weft");
    const spans = new Set<string>();
    const visit = (value: unknown): void => {
      if (typeof value !== "object" || value === null) return;
      if ("span" in value) {
        const span = value.span as { start: number; end: number };
        spans.add(text.slice(span.start, span.end));
      }
      for (const [key, child] of Object.entries(value)) if (key !== "span") visit(child);
    };
    visit(file.declarations);
    const expected = [
      "dim: int = 4",
      "int",
      "a = f((x + y) * -z[0])",
      "f((x + y) * -z[0])",
      "(x + y) * -z[0]",
      "(x + y)",
      "-z[0]",
      "z[0]",
    ];
    for (const part of [text.trim(), ...expected]) assert.ok(spans.has(part), part);
  });

  it("takes words as names outside their place", () => {
    const { file, diagnostics } = parse(
      "module M(with: int, on: int) {\n  slot = with\n  train = on\n  adapt = slot + train\n  given(x) { x.as }\n  param param: [on]\n}\n",
      "test.weft",
    );
    assert.deepEqual(diagnostics, []);
    const module = file.declarations[0] as ModuleDeclaration;
    assert.deepEqual(
      module.members.map((member) => member.kind),
      ["field", "field", "field", "function", "weight"],
    );
  });

  it("reads 2,000 lines in well under a second", () => {
    const block = readText("editor.weft").split("\n").slice(6, 19).join("\n");
    const text = Array.from({ length: 160 }, (_, index) => block.replace("Block", `Block${index}`)).join("\n");
    assert.ok(text.split("\n").length > 2000);
    parse(text, "warm.weft");
    const start = performance.now();
    assert.deepEqual(parse(text, "test.weft").diagnostics, []);
    assert.ok(performance.now() - start < 800);
  });
});
