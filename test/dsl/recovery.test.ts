import assert from "node:assert/strict";
import { parse } from "../../dsl/syntax/parser.js";

/** Each error as `line: message`. */
function errors(text: string): string[] {
  return parse(text, "test.weft").diagnostics.map(({ span, message }) => {
    const line = text.slice(0, span.start).split("\n").length;
    return `${line}: ${message}`;
  });
}

const declared = (text: string): string[] => parse(text, "test.weft").file.declarations.map(({ name }) => name.text);

describe("parser, after an error", () => {
  it("goes on with the next statement, member, entry and declaration", () => {
    const text = `module Scale(dim: int) {
  param weight: = ones()
  forward(x: [n, dim]) -> [n, dim] {
    let y = x +* 2
    let = 3
    for y on x {
      let z = 1
    }
    y
  }
  bias: 3
}

fn double(x: [n]) -> [n] { g(x, axis = 3) }

model Fit() {
  train fit on loss { update [x], steps: , batch: 2 }
}

def last() {}
`;
    assert.deepEqual(errors(text), [
      "2: expected a shape after `:`, but found `=`",
      "4: expected an expression after `+`, but found `*`",
      "5: expected a name, or names in parentheses, after `let`, but found `=`",
      "6: expected `in` after `y`, but found `on`",
      "11: expected `=` after `bias`, but found `:`",
      "14: expected `,` or `)` after `axis`, but found `=`",
      "17: expected `:` after `update`, but found `[`",
      "17: expected an expression after `:`, but found `,`",
      "20: expected `import`, `module`, `interface`, `layout`, `model` or `fn`, but found `def`",
    ]);
    assert.deepEqual(declared(text), ["Scale", "double", "Fit"]);
  });

  it("says one thing of a word in another alphabet, and knows signs that look like its own", () => {
    assert.deepEqual(errors("model M(größe: int = 1) {\n  λ = größe\n  fort = 1\n  forß = 2\n}\n"), [
      "1: `größe` is not part of the language",
      "2: `λ` is not part of the language",
      "2: `größe` is not part of the language",
      "4: `forß` is not part of the language",
    ]);
    const help = (sign: string) => parse(`fn f(x: [n]) -> [n] { x ${sign} 2 }\n`, "test.weft").diagnostics[0]!.help;
    assert.deepEqual(["×", "−", "≤", "÷", "“", "€"].map(help), [
      "Write `*`.",
      "Write `-`.",
      "Write `<=`.",
      "Write `/`.",
      'Write `"`.',
      "Names are made of ASCII letters, digits and `_`.",
    ]);
  });

  it("goes on behind the comma between members", () => {
    const text = "module A() { a = , b = 2, param w: = ones(), c 3, d = 4 }\n";
    assert.deepEqual(errors(text), [
      "1: expected an expression after `=`, but found `,`",
      "1: expected a shape after `:`, but found `=`",
      "1: expected `=` after `c`, but found `3`",
    ]);
  });

  it("finds where a bracket was forgotten, and says nothing of what follows from it", () => {
    assert.deepEqual(
      errors("fn f(x: [n]) -> [n] {\n  let y = (x + x\n  let z = y\n  z w\n}\n\nfn g(x: [n]) -> [n] { x }\n"),
      ["2: this `(` is never closed", "4: expected the end of the line after `z`, but found `w`"],
    );
    const text = "module A() {\n  forward(x: [n]) -> [n] {\n    x\n}\n\nmodule B() {\n  a = [1, 2\n}\n";
    assert.deepEqual(errors(text), ["1: this `{` is never closed", "7: this `[` is never closed"]);
    assert.deepEqual(declared(text), ["A", "B"]);
    assert.deepEqual(errors("fn f(x: [n]) -> [n] { x) }\n"), ["1: this `)` closes nothing"]);
  });

  it("says what stands there instead", () => {
    assert.deepEqual(errors("fn f(x: [n]) -> [n] { x + }\n"), ["1: expected an expression after `+`, but found `}`"]);
    assert.deepEqual(errors("module A() {\n  a =\n}\n"), [
      "2: expected an expression after `=`, but found the end of the line",
    ]);
    assert.deepEqual(errors("module A"), ["1: expected `{` after `A`, but found the end of the file"]);
  });

  it("knows the words of other languages", () => {
    const helps = (text: string): (string | undefined)[] =>
      parse(text, "test.weft").diagnostics.map(({ help }) => help);
    assert.deepEqual(helps("fn f(x: [n]) -> [n] {\n  return x\n}\n"), [
      "A block's value is its last expression; there is no `return`.",
    ]);
    assert.deepEqual(helps("// old habits\nfn f(x: [n]) -> [n] { x }\n"), [
      "`//` divides and rounds down. Comments begin with `#`.",
    ]);
    assert.deepEqual(helps("fn f(x: [n]) -> [n] { f(x, axis = 1) }\n"), [
      "Arguments are named with a colon: `f(x, axis: 0)`.",
    ]);
  });

  it("says what braces in the sites of `adapt` mean", () => {
    const told = (sites: string): string[] =>
      parse(`model M() {\n  memory = adapt ${sites} as Flat(1, 4)\n}\n`, "test.weft").diagnostics.map(
        ({ message, help }) => `${message}; ${help}`,
      );
    const several =
      "Every path in the braces of `adapt` has its interface: `a with LoRA(), b with LoRA()`. One interface for several members of a module is `net.{a, b} with LoRA()`.";
    assert.deepEqual(told("{a, b} with LoRA()"), [`expected \`with\` after \`a\`, but found \`,\`; ${several}`]);
    const path = "A path begins with a name; braces stand behind a dot: `net.blocks[*].{up, down} with LoRA()`.";
    for (const sites of ["{ {a, b} with LoRA() }", "net.{{a, b}, c} with LoRA()"])
      assert.deepEqual(told(sites), [`expected a path of modules after \`{\`, but found \`{\`; ${path}`], sites);
  });

  it("reads the next file as if nothing had been", () => {
    parse("fn f( {", "broken.weft");
    assert.deepEqual(errors("fn f(x: [n]) -> [n] { x }\n"), []);
  });
});
