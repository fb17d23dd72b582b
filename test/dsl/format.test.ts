import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { format } from "../../dsl/syntax/format.js";
import { parse } from "../../dsl/syntax/parser.js";
import { generateFile, seeded } from "./generate.js";

function formatted(text: string): string {
  const result = format(text, "test.weft");
  assert.ok(
    "text" in result,
    "diagnostics" in result ? result.diagnostics.map(({ message }) => message).join("\n") : "",
  );
  return result.text;
}

/** The tree without places: what a text means. */
function meaning(text: string): string {
  const { file } = parse(text, "test.weft");
  return JSON.stringify([file.imports, file.declarations], (key, value) =>
    key === "span" || key.endsWith("Span") ? undefined : value,
  );
}

const readText = (name: string): string => readFileSync(join(import.meta.dirname, "texts", name), "utf8");

const commentsOf = (text: string): string[] =>
  parse(text, "test.weft")
    .comments.map((comment) => comment.text)
    .sort();

function assertKept(text: string): void {
  const once = formatted(text);
  assert.equal(formatted(once), once, "formatting twice changes nothing");
  assert.equal(meaning(once), meaning(text), "the tree is the same");
  assert.deepEqual(commentsOf(once), commentsOf(text), "all comments are kept");
  assert.doesNotMatch(
    once,
    /\n\n\n|[ \t]\n|\{\n\n|\n\n *\}/,
    "no two empty lines, none at the ends of blocks, no spaces at line ends",
  );
}

describe("formatter", () => {
  it("leaves a well-formatted file as it is, but for its one way to write things", () => {
    const text = readText("editor.weft");
    const once = formatted(text);
    assertKept(text);
    assert.ok(
      once.includes(
        "\n  memory = adapt backbone.blocks[*].{attn.q, attn.k, attn.v, attn.out, mlp.up, mlp.down}\n    with LoRA",
      ),
    );
    assert.ok(
      once.includes("\n    update: [generator, encoder], optimizer: adamw(5e-4, weight_decay: 0.01), clip: 1.0\n"),
    );
    const same = text.slice(0, text.indexOf("model Editor"));
    assert.ok(once.startsWith(same));
  });

  it("keeps the meaning of every form", () => assertKept(readText("forms.weft")));

  const pairs: Readonly<Record<string, [string, string]>> = {
    "puts spaces where they belong": [
      "fn  f(x:[n],y :int[ ..24 ]=3)->[ n ]{ -x [ 1 : 2,... ]+f ( a:- 1 )  *  2 }",
      "fn f(x: [n], y: int[..24] = 3) -> [n] { -x[1:2, ...] + f(a: -1) * 2 }\n",
    ],
    "writes fn before a model's functions and not before methods": [
      "module A() {\n  fn forward(x: [n]) -> [n] { x }\n}\nmodel B() {\n  if true { loss(x: [n]) -> [] { sum(x) } }\n}\n",
      "module A() {\n  forward(x: [n]) -> [n] { x }\n}\n\nmodel B() {\n  if true { fn loss(x: [n]) -> [] { sum(x) } }\n}\n",
    ],
    "keeps at most one empty line, and one between declarations": [
      'import { A } from "./a.weft"\nimport { B } from "./b.weft"\nmodule C() {\n\n\n  a = 1\n\n\n\n  b = 2\n\n}\nmodule D() {}\n\n\n\n',
      'import { A } from "./a.weft"\nimport { B } from "./b.weft"\n\nmodule C() {\n  a = 1\n\n  b = 2\n}\n\nmodule D() {}\n',
    ],
    "keeps comments at their places": [
      "# top\nmodule M( # open\n  a: int, # a\n  # own\n  b: int # b\n) { # brace\n  # inside\n  x = f(1, # one\n    2) # two\n\n  # end\n}\n# eof",
      "# top\nmodule M( # open\n  a: int, # a\n  # own\n  b: int # b\n) { # brace\n  # inside\n  x = f(\n    1, # one\n    2\n  ) # two\n\n  # end\n}\n# eof\n",
    ],
    "breaks a block that does not fit on its line": [
      `fn f(x: [n]) -> [n] { if ${"a".repeat(40)} == ${"b".repeat(40)} { 1 } else { ${"c".repeat(10)} } }`,
      `fn f(x: [n]) -> [n] {\n  if ${"a".repeat(40)} == ${"b".repeat(40)} { 1 } else { ${"c".repeat(10)} }\n}\n`,
    ],
    "breaks long lines at their loosest operators": [
      `fn f(x: [n]) -> [n] {\n  let y = ${"a".repeat(40)} * ${"b".repeat(40)} + ${"c".repeat(30)} * d\n  y\n}\n`,
      `fn f(x: [n]) -> [n] {\n  let y = ${"a".repeat(40)} * ${"b".repeat(40)} +\n    ${"c".repeat(30)} * d\n  y\n}\n`,
    ],
    "breaks a long signature at its parameters": [
      `fn f(${"a".repeat(40)}: [n], ${"b".repeat(40)}: [n], ${"c".repeat(20)}: [n]) -> [n] { x }\n`,
      `fn f(\n  ${"a".repeat(40)}: [n],\n  ${"b".repeat(40)}: [n],\n  ${"c".repeat(20)}: [n]\n) -> [n] {\n  x\n}\n`,
    ],
    "aligns neighbouring lines where one of them was written wide": [
      "module A() {\n  up   = f(1)\n  down = f(2)\n  farther = f(3) # three\n\n  a = 1\n  bb = 2\n  param w: [n]   = ones()\n  param longer: [n] = ones()\n}\n",
      "module A() {\n  up      = f(1)\n  down    = f(2)\n  farther = f(3) # three\n\n  a = 1\n  bb = 2\n  param w: [n]      = ones()\n  param longer: [n] = ones()\n}\n",
    ],
    "keeps entries side by side where they fit, and slices readable": [
      `model M() {\n  train a on b { # why\n    c: x[i:i+1,1:-1], d: 2, # behind\n    e: 3,f: 4\n    g: 5, h: "${"x".repeat(110)}"\n  }\n}\n`,
      `model M() {\n  train a on b { # why\n    c: x[i : i + 1, 1:-1], d: 2 # behind\n    e: 3, f: 4\n    g: 5\n    h: "${"x".repeat(110)}"\n  }\n}\n`,
    ],
    "keeps members side by side that commas separate": [
      "module A() { a = 1,b = f(2) ,\n  param w: [n] = ones(), }\nmodule B() {\n  a = 1, forward(x: [n]) -> [n] { x },\n  b = 2\n}\n",
      "module A() {\n  a = 1, b = f(2)\n  param w: [n] = ones()\n}\n\nmodule B() {\n  a = 1, forward(x: [n]) -> [n] { x }\n  b = 2\n}\n",
    ],
    "makes nothing of nothing": ["\n\n  \n", ""],
  };
  for (const [name, [text, expected]] of Object.entries(pairs)) {
    it(name, () => {
      assert.equal(formatted(text), expected);
      assertKept(text);
    });
  }

  it("gives the errors of a file that cannot be read", () => {
    const result = format("module {", "test.weft");
    assert.ok("diagnostics" in result && result.diagnostics.length > 0);
  });

  it("breaks every line over 120 columns that can be broken", () => {
    const names = Array.from({ length: 60 }, (_, index) => `name_number_${index}`);
    const text = `fn f(x: [n]) -> [n] {\n  let a = f(${names.join(", ")})\n  let b = ${names.join(" + ")}\n  let c = [${names.join(" * 2, ")}]\n  a\n}\n`;
    assertKept(text);
    for (const line of formatted(text).split("\n")) assert.ok(line.length <= 120, line);
  });

  it("is idempotent and keeps tree and comments of generated files", () => {
    const count = Math.max(300, Math.floor(Number(process.env.WEFT_FUZZ ?? 3000) / 30));
    const base = Number(process.env.WEFT_SEED ?? 1);
    let valid = 0;
    for (let seed = base; seed < base + count; seed += 1) {
      const text = generateFile(seeded(seed));
      if (parse(text, "test.weft").diagnostics.length > 0) continue;
      valid += 1;
      try {
        assertKept(text);
      } catch (error) {
        throw new Error(`seed ${seed}: ${(error as Error).message}\n${text}`);
      }
    }
    assert.ok(valid > count / 2, `${valid} of ${count} generated files are valid`);
  });
});
