/** What goes wrong with compile-time values and calls, known only when a model's settings are. */
import { defineMessage } from "../../registry.js";
import { listed } from "./listed.js";

/** A model with one entry point. */
const model = (body: string, before = ""): string => `${before}model M() {\n  fn f(x: [4]) -> [4] {\n${body}\n  }\n}\n`;

export const valueMessages = {
  wrongKind: defineMessage<{ expected: string; found: string }>({
    code: "W301",
    text: ({ expected, found }) => `expected ${expected}, but this is ${found}`,
    example: model("    let sizes = [1, 2.5]\n    x[sizes[1]]"),
  }),
  unknownName: defineMessage<{ name: string }>({
    code: "W302",
    text: ({ name }) => `\`${name}\` is not known here`,
    help: () => "It may be declared under an `if` that does not hold.",
    example:
      "module Gain(on: bool = false) {\n  if on { half = 0.5 }\n  forward(x: [n]) -> [n] { x * half }\n}\nmodel M() {\n  gain = Gain()\n  fn f(x: [4]) -> [4] { gain(x) }\n}\n",
  }),
  unknownMember: defineMessage<{ name: string; found: string; known: readonly string[] }>({
    code: "W303",
    text: ({ name, found }) => `${found} has no member \`${name}\``,
    help: ({ known }) => (known.length === 0 ? undefined : `It has ${listed(known)}.`),
    example: model("    let things = [x]\n    things[0].size"),
  }),
  badOperands: defineMessage<{ operator: string; operands: string }>({
    code: "W304",
    text: ({ operator, operands }) => `\`${operator}\` does not take ${operands}`,
    help: ({ operator, operands }) =>
      operator === "/" && operands.includes("int[")
        ? "`//` divides ints and rounds down; `float(x)` makes floats."
        : undefined,
    example: model('    let words = ["a", 1]\n    words[0] - words[1]\n    x'),
  }),
  notCallable: defineMessage<{ found: string }>({
    code: "W305",
    text: ({ found }) => `${found} cannot be called`,
    example: model("    let things = [x]\n    things[0](x)"),
  }),
  notIterable: defineMessage<{ found: string }>({
    code: "W306",
    text: ({ found }) => `a \`for\` runs over lists known at compile time, but this is ${found}`,
    help: () => "Whole tensors are worked on at once; `range(n)` counts.",
    example: model("    let things = [x]\n    for a in things[0] { a }\n    x"),
  }),
  conditionNotStatic: defineMessage({
    code: "W307",
    text: () => "this condition is a tensor, known only when the model runs",
    help: () => "Use `where(condition, a, b)`, which chooses element by element.",
    example: model("    if x[0] > 0 { x } else { -x }"),
  }),
  unboundNames: defineMessage<{ count: number; found: string }>({
    code: "W308",
    text: ({ count, found }) => `${count} names are given to ${found}`,
    example: model("    let (a, b, c) = split(x, 2)\n    x"),
  }),
  discardedValue: defineMessage<{ negative: boolean }>({
    code: "W309",
    text: () => "this value is thrown away",
    help: ({ negative }) =>
      negative
        ? "A line that begins with `-` is a statement of its own. To go on with the line above, end that line with the `-`."
        : "Only the last line of a body or block is its value. Bind this one with `let`, rebind a name with `name = ..`, or remove it.",
    example: model("    let z = 2 * x\n    - x\n    z"),
  }),
  assertionFailed: defineMessage<{ text: string }>({
    code: "W310",
    text: ({ text }) => (text === "" ? "this assertion does not hold" : text),
    example: 'model M(dim: int = 5) {\n  assert dim % 2 == 0, "dim must be even"\n  fn f(x: [dim]) -> [dim] { x }\n}\n',
  }),
  inexactDivision: defineMessage<{ dividend: number; divisor: number }>({
    code: "W311",
    text: ({ dividend, divisor }) => `${dividend} / ${divisor} is not a whole number`,
    help: () => "`/` on ints must be exact. `//` rounds down; write one of them as a float for a fraction.",
    example: "model M(dim: int = 7) {\n  fn f(x: [dim]) -> [dim / 2] { x }\n}\n",
  }),
  divisionByZero: defineMessage({
    code: "W312",
    text: () => "this divides by zero",
    example: "model M(n: int = 0) {\n  fn f(x: [4]) -> [4] { x * (4 % n) }\n}\n",
  }),
  tooDeep: defineMessage<{ name: string }>({
    code: "W313",
    text: ({ name }) => `${name} leads to itself without end`,
    help: () => "Calls are unrolled while the model is built: they must end for the sizes given.",
    example:
      "fn f(x: [n]) -> [n] { g(x) }\nfn g(x: [n]) -> [n] { f(x) }\nmodel M() {\n  fn h(x: [2]) -> [2] { f(x) }\n}\n",
  }),
  badNumber: defineMessage<{ text: string }>({
    code: "W314",
    text: ({ text }) => text,
    help: () =>
      "At compile time, ints go up to 9007199254740991 and floats must be finite. Tensors hold 32 bits: ints up to 2147483647, floats up to about 3.4e38.",
    example: "model M(n: int = 64) {\n  fn f(x: [4]) -> [4] { x * 2 ** n }\n}\n",
  }),
  noSuchMethod: defineMessage<{ module: string; method: string }>({
    code: "W315",
    text: ({ module, method }) => `${module} has no method \`${method}\``,
    example:
      "module Holder() { inner = 1 }\nmodel M() {\n  parts = [Holder()]\n  fn f(x: [2]) -> [2] { parts[0](x) }\n}\n",
  }),
  missingArgument: defineMessage<{ callee: string; name: string }>({
    code: "W316",
    text: ({ callee, name }) => `${callee} is not given \`${name}\``,
    example:
      "module Add() { forward(x: [n], y: [n]) -> [n] { x + y } }\nmodel M() {\n  parts = [Add()]\n  fn f(x: [2]) -> [2] { parts[0](x) }\n}\n",
  }),
  unknownArgument: defineMessage<{ callee: string; name: string; known: readonly string[] }>({
    code: "W317",
    text: ({ callee, name }) => `${callee} takes no \`${name}\`, or has it already`,
    help: ({ known }) => (known.length === 0 ? undefined : `It takes ${listed(known)}.`),
    example:
      "module Same() { forward(x: [n]) -> [n] { x } }\nmodel M() {\n  parts = [Same()]\n  fn f(x: [2]) -> [2] { parts[0](x, z: x) }\n}\n",
  }),
  tooManyArguments: defineMessage<{ callee: string; count: number; given: number }>({
    code: "W318",
    text: ({ callee, count, given }) =>
      `${callee} takes ${count} ${count === 1 ? "argument" : "arguments"}, not ${given}`,
    example:
      "module Same() { forward(x: [n]) -> [n] { x } }\nmodel M() {\n  parts = [Same()]\n  fn f(x: [2]) -> [2] { parts[0](x, x) }\n}\n",
  }),
  argumentKind: defineMessage<{ name: string; expected: string; found: string }>({
    code: "W319",
    text: ({ name, expected, found }) => `\`${name}\` must be ${expected}, but it is ${found}`,
    example:
      "module Wide(n: int) { forward(x: [n]) -> [n] { x } }\nmodel M() {\n  sizes = [2.5]\n  wide = Wide(sizes[0])\n  fn f(x: [2]) -> [2] { wide(x) }\n}\n",
  }),
  indexOutOfRange: defineMessage<{ index: number; size: number }>({
    code: "W320",
    text: ({ index, size }) => `index ${index} is outside an axis of ${size}`,
    example: model("    x[4] + x"),
  }),
  badIndex: defineMessage<{ found: string }>({
    code: "W321",
    text: ({ found }) => `${found} cannot be used or indexed so`,
    help: () =>
      "Lists take one int or slice; tensors take ints, slices, `...` and `none`, and an int tensor as the first index.",
    example: model("    x[x]"),
  }),
  notTraced: defineMessage({
    code: "W322",
    text: () => "tensors exist only inside functions",
    help: () => "Compute this in a `fn` or a method, or store it: `frozen table: [n] = [..]`.",
    example: "model M() {\n  table = arange(4)\n  fn f(x: [4]) -> [4] { x }\n}\n",
  }),
  moduleWithoutPlace: defineMessage<{ name: string }>({
    code: "W323",
    text: ({ name }) => `this reads \`${name}\` of a module that is no part of the model`,
    help: () => "Make the module in a field, where its stored tensors have a path.",
    example:
      "module Gain() {\n  param gain: [4] = ones()\n  forward(x: [4]) -> [4] { x * gain }\n}\nmodel M() {\n  fn f(x: [4]) -> [4] {\n    let g = Gain()\n    g(x)\n  }\n}\n",
  }),
  badWeightShape: defineMessage<{ name: string; type: string; sizes?: string | undefined }>({
    code: "W324",
    text: ({ name, type, sizes }) =>
      `\`${name}\` has the shape ${type}${sizes === undefined ? "" : `, here ${sizes}`}, which is not made of whole sizes of at least 0`,
    help: () => "Sizes of stored tensors are ints: parameters of the module, or made from them.",
    example:
      "module Gain(n: int) {\n  param gain: [n - 5] = ones()\n  forward(x: [n]) -> [n] { x * sum(gain) }\n}\nmodel M() {\n  gain = Gain(4)\n  fn f(x: [4]) -> [4] { gain(x) }\n}\n",
  }),
  badInitializer: defineMessage<{ found: string }>({
    code: "W325",
    text: ({ found }) => `a stored tensor cannot start as ${found}`,
    help: () => "Use an initializer such as `kaiming()`, a number, or a list of numbers.",
    example:
      'module Gain() {\n  start = ["one"]\n  param gain: [1] = start\n  forward(x: [n]) -> [n] { x * gain }\n}\nmodel M() {\n  gain = Gain()\n  fn f(x: [4]) -> [4] { gain(x) }\n}\n',
  }),
  initializerCount: defineMessage<{ count: number; wanted: number }>({
    code: "W326",
    text: ({ count, wanted }) => `${count} numbers are given for a tensor of ${wanted}`,
    example:
      "module Gain() {\n  param gain: [3] = [1, 2]\n  forward(x: [3]) -> [3] { x * gain }\n}\nmodel M() {\n  gain = Gain()\n  fn f(x: [3]) -> [3] { gain(x) }\n}\n",
  }),
  notSupported: defineMessage<{ what: string }>({
    code: "W327",
    text: ({ what }) => `${what} is not supported yet`,
    example: "model M() { fn f(x: [2, ..4]) -> [2, 4] { x } }\n",
  }),
  badLiteral: defineMessage({
    code: "W328",
    text: () => "this is not a table: nested lists of equal lengths, all of numbers or all of truth values",
    example: model("    x + sum(tensor([[1, 2], [3]]))"),
  }),
  tooLong: defineMessage<{ what: string; most: number }>({
    code: "W329",
    text: ({ what, most }) => `${what}, and ${most} are the most`,
    help: () => "Lists and loops are unrolled while the model is built. `arange(n)` counts in a tensor.",
    example: model("    x * len(range(10000000))"),
  }),
};
