/** Mistakes that a model can make with all names right: they are refused in words, at their place, in good time. */
import { strict as assert } from "node:assert";
import { diagnosticsOf } from "./support.js";

const inBody = (body: string, result = "[4]"): string =>
  `model M() {\n  fn f(x: [4]) -> ${result} {\n${body}\n  }\n}\n`;

/** Code and text of each message, and what of the source it points at. */
async function found(text: string): Promise<string[]> {
  const diagnostics = await diagnosticsOf(text);
  return diagnostics.map(({ code, message, span }) => `${code} ${message} @ ${text.slice(span.start, span.end)}`);
}

describe("a value that nobody asks for", () => {
  it("is refused, with a word on lines that begin with a minus", async () => {
    const [minus] = await diagnosticsOf(inBody("    let z = 2 * x\n    - x\n    z"));
    assert.equal(minus?.code, "W309");
    assert.match(minus.help ?? "", /A line that begins with `-` is a statement of its own/);
    assert.deepEqual(await found(inBody("    relu(x)\n    x")), ["W309 this value is thrown away @ relu(x)"]);
  });

  it("is refused in loops and in the block of an if", async () => {
    assert.deepEqual(await found(inBody("    for i in range(2) { x + i }\n    x")), [
      "W309 this value is thrown away @ x + i",
    ]);
    assert.deepEqual(await found(inBody("    if true { x + 1 }\n    x")), ["W309 this value is thrown away @ x + 1"]);
  });

  it("is none where an if rebinds or a function asserts", async () => {
    const check = 'fn demand(n: int) { assert n > 2, "too few" }\n';
    assert.deepEqual(
      await found(check + inBody("    demand(3)\n    if true { x = x + 1 } else { x = x - 1 }\n    x")),
      [],
    );
  });

  it("is missed where a body ends in a let", async () => {
    const [missing] = await diagnosticsOf(inBody("    let z = x"));
    assert.equal(missing?.help, "The value of a body is its last line, if that is an expression.");
  });
});

describe("compile-time numbers", () => {
  const refused: Readonly<Record<string, string>> = {
    "x * 9007199254740991 ** 2": "W314 this int would be about 8.11e+31, too large to be exact @ 9007199254740991 ** 2",
    "x * (9007199254740991 + 1)":
      "W314 this int would be about 9.01e+15, too large to be exact @ (9007199254740991 + 1)",
    'x * int("99999999999999999999")':
      'W314 this int would be about 1.00e+20, too large to be exact @ int("99999999999999999999")',
    "x * sqrt(-1.0)": "W314 this is not a number @ sqrt(-1.0)",
    "x * log(0.0)": "W314 this is infinite @ log(0.0)",
    "x * (1e308 * 10)": "W314 this is infinite @ (1e308 * 10)",
    "x * 0.0 ** -1": "W312 this divides by zero @ 0.0 ** -1",
    "x / 0": "W312 this divides by zero @ x / 0",
    "float(int(x) // 0)": "W312 this divides by zero @ int(x) // 0",
    "x * 1e39": "W314 1e+39 is beyond what a tensor of floats can hold @ 1e39",
    "float(int(x) + 3000000000)": "W314 3000000000 is beyond what a tensor of ints can hold @ 3000000000",
    "float(full([4], 5000000000))": "W314 5000000000 is beyond what a tensor of ints can hold @ 5000000000",
    "normal(std: -1.0)": "W319 `std` must be at least 0, but it is the number -1.0 @ -1.0",
  };
  for (const [expression, message] of Object.entries(refused)) {
    it(`refuse ${expression}`, async () => assert.deepEqual(await found(inBody(expression)), [message]));
  }

  it("may be taken from long lists", async () => {
    assert.deepEqual(await found(inBody("    x * max(range(300000)) * min(range(300000))")), []);
  });
});

describe("sizes and lengths", () => {
  const refused: Readonly<Record<string, string>> = {
    "x + sum(zeros([-2]))": "W319 `shape` must be a list of sizes of at least 0, but it is the list [-2] @ [-2]",
    "x + sum(float(arange(-2)))": "W319 `n` must be an int of at least 0, but it is the number -2 @ -2",
    "x + mean(x[:0])": "W337 mean over no elements of [0] @ mean(x[:0])",
    "x + max(x[:0])": "W337 max over no elements of [0] @ max(x[:0])",
    "x + sum(zeros([2000000, 2000000]))":
      "W345 the tensor [2000000, 2000000] is too large: a tensor has at most 2 ** 40 numbers @ zeros([2000000, 2000000])",
    "x * len(range(9007199254740991))":
      "W329 this list would have 9007199254740991 items, and 1000000 are the most @ range(9007199254740991)",
    "x * len([0] * 1000000000)":
      "W329 this list would have 1000000000 items, and 1000000 are the most @ [0] * 1000000000",
    "x[..., ...]": "W346 `...` stands twice in this index @ x[..., ...]",
    "x[0][0] + x": "W343 1 index is given for [] @ x[0][0]",
  };
  for (const [expression, message] of Object.entries(refused)) {
    it(`refuse ${expression}`, async () => assert.deepEqual(await found(inBody(expression)), [message]));
  }

  it("refuse a text that doubles without end", async () => {
    const body = '    let s = "a"\n    for i in range(60) { s = s + s }\n    x';
    assert.deepEqual(await found(inBody(body)), [
      "W329 this string would have 1048576 characters, and 1000000 are the most @ s + s",
    ]);
  });

  it("say which numbers a bad shape came to", async () => {
    assert.deepEqual(await found("model M(n: int = -2) {\n  fn f(x: [n]) -> [n] { x }\n}\n"), [
      "W385 `x` of an entry point is [n], here [-2]: sizes are at least 0 @ x: [n]",
    ]);
    const text =
      'import { Linear } from "std/layers"\nmodel M() {\n  l = Linear(-3, 4)\n  fn f(x: [4]) -> [4] { x }\n}\n';
    const [wrong] = await diagnosticsOf(text);
    assert.match(wrong!.message, /here \[4, -3\]/);
    assert.ok(wrong!.labels.some(({ text }) => text === "making Linear"));
  });

  it("refuse modules without end before they are made", async () => {
    const text =
      'import { Linear } from "std/layers"\nmodel M() {\n  l = [Linear(1, 1)] * 100000000\n  fn f(x: [4]) -> [4] { x }\n}\n';
    assert.match((await found(text)).join(), /^W329 this list would have 100000000 items/);
  });

  it("tell where a layout of no size is used", async () => {
    const text =
      'import { Linear } from "std/layers"\nimport { LoRA } from "std/interfaces"\nimport { Flat } from "std/layouts"\n' +
      "model M() {\n  l = Linear(4, 4)\n  m = adapt l with LoRA(rank: 2) as Flat(0, 2)\n  fn f(x: [4]) -> [4] { x }\n}\n";
    const [wrong] = await diagnosticsOf(text);
    const used = wrong!.labels.map(({ span, text: label }) => `${label} @ ${text.slice(span.start, span.end)}`);
    assert.ok(used.includes("the layout is used here @ Flat(0, 2)"), used.join("\n"));
  });

  it("refuse slots and tokens too large to prove that none is lost", async () => {
    const text = (size: string, layout: string) =>
      `module Net() { forward(x: [4]) -> [4] { x } }
interface Add() on Net {
  slot a: [${size}] = zeros()
  forward(x) { base(x) + sum(a) }
}
import { Flat } from "std/layouts"
model M() {
  net = Net()
  m = adapt net with Add() as ${layout}
  fn f(x: [4]) -> [4] { x }
}
`;
    assert.deepEqual(await found(text("2, 1000000007", "Flat(1, 8)")), [
      "W366 Flat cannot cut slot Add.a of [1, 2, 1000000007]: it comes to 2000000016 numbers, and at most 67108864 can be proven @ Flat(1, 8)",
    ]);
    assert.deepEqual(await found(text("4", "Flat(1000000007, 8)")), [
      "W366 Flat cannot cut slot Add.a of [1, 4]: it comes to 8000000056 numbers, and at most 67108864 can be proven @ Flat(1000000007, 8)",
    ]);
  });

  it("tell which call a default failed for", async () => {
    const text =
      "module A(n: int, h: int = 7 / n) { forward(x: [4]) -> [4] { x } }\nmodel M() {\n  a = A(2)\n  fn f(x: [4]) -> [4] { a(x) }\n}\n";
    const [wrong] = await diagnosticsOf(text);
    assert.equal(wrong?.code, "W311");
    assert.ok(wrong.labels.some(({ text }) => text === "making A"));
  });
});

describe("what a stored tensor starts as", () => {
  it("must be what it can hold", async () => {
    const text = `model M() {
  frozen a: int[2] = [1.5, 2]
  frozen b: int[2] = 3000000000
  frozen c: bool[2] = 2
  param d: [2] = constant(1e300)
  fn f(x: [2]) -> [2] { x }
}
`;
    assert.deepEqual(await found(text), [
      "W325 a stored tensor cannot start as 1.5 in a tensor of ints @ [1.5, 2]",
      "W314 3000000000 is beyond what a tensor of ints can hold @ 3000000000",
      "W325 a stored tensor cannot start as 2 in a tensor of bools @ 2",
      "W314 1e+300 is beyond what a tensor of floats can hold @ constant(1e300)",
    ]);
  });

  it("is drawn from enough distinct ints, and only for ints", async () => {
    const text = `model M() {
  frozen few: int[4] = distinct(below: 4)
  frozen many: int[5] = distinct(below: 4)
  frozen wrong: [2] = distinct(below: 4)
  fn f(x: [2]) -> [2] { x }
}
`;
    assert.deepEqual(await found(text), [
      "W325 a stored tensor cannot start as 5 distinct ints, since only 4 are below 4 @ distinct(below: 4)",
      "W325 a stored tensor cannot start as distinct ints in a tensor of floats @ distinct(below: 4)",
    ]);
  });

  it("is as tokens do only where it ends in the axes of tokens", async () => {
    const text = `import { Linear } from "std/layers"
import { LoRA } from "std/interfaces"
import { Flat } from "std/layouts"
model M() {
  maps   = [Linear(4, 4)] * 2
  memory = adapt maps[*] with LoRA(rank: 1) as Flat(1, 4)
  param one: memory.tokens = memory.initial()
  param table: [3, ...memory.grid.shape] = memory.initial()
  param flat: [16] = memory.initial()
  param fewer: [1, 2, 1, 4] = memory.initial()
  param wider: [2, 2, 1, 8] = memory.initial()
  fn f(x: [2]) -> [2] { x }
}
`;
    assert.deepEqual(await found(text), [
      "W325 a stored tensor cannot start as tokens do, in a tensor [16] @ memory.initial()",
      "W325 a stored tensor cannot start as tokens do, in a tensor [1, 2, 1, 4] @ memory.initial()",
      "W325 a stored tensor cannot start as tokens do, in a tensor [2, 2, 1, 8] @ memory.initial()",
    ]);
  });
});
