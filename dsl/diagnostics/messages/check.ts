/** Messages of `dsl/check`: names, kinds and arguments. Codes W2xx. */
import { defineMessage } from "../registry.js";

type Near = { nearest: string | undefined };

const quote = (name: string): string => `\`${name}\``;
const listed = (names: readonly string[]): string => names.map(quote).join(", ");

function suggestion({ nearest }: Near): string | undefined {
  return nearest === undefined ? undefined : `Did you mean \`${nearest}\`?`;
}

function suggestionOf(known: readonly string[], values: Near, what: string): string | undefined {
  if (values.nearest !== undefined) return suggestion(values);
  return known.length === 0 ? undefined : `${what}: ${listed(known.slice(0, 12))}${known.length > 12 ? ", ..." : ""}.`;
}

const plural = (count: number, word: string): string =>
  `${count === 0 ? "no" : count} ${word}${count === 1 ? "" : "s"}`;

export const checkMessages = {
  undefinedName: defineMessage<{ name: string; inAxis?: boolean } & Near>({
    code: "W201",
    text: ({ name }) => `\`${name}\` is not defined`,
    help: (values) =>
      values.inAxis
        ? `A name takes the size of an axis only where it stands alone, as in \`[${values.name}]\`; nothing is solved for. Let a parameter have such an axis, or give \`${values.name}\` as an int.`
        : suggestion(values),
    example: "fn double(value: [n]) -> [n] { 2 * valeu }\n",
  }),
  duplicateName: defineMessage<{ name: string; where: string }>({
    code: "W202",
    text: ({ name, where }) => `\`${name}\` is defined twice in ${where}`,
    help: () => "Give one of them another name.",
    example: "fn twice(x: [n]) -> [n] { 2 * x }\nfn twice(x: [n]) -> [n] { x + x }\n",
  }),
  missingFile: defineMessage<{ path: string; resolved: string }>({
    code: "W203",
    text: ({ path }) => `there is no file \`${path}\``,
    help: ({ path, resolved }) =>
      path.startsWith("std/")
        ? "The standard library has no module of that name."
        : `It was looked for at ${resolved}. Paths are relative to the file that imports.`,
    example: 'import { Linear } from "./missing.weft"\n',
  }),
  missingExport: defineMessage<{ name: string; path: string; known: readonly string[] } & Near>({
    code: "W204",
    text: ({ name, path }) => `\`${path}\` declares no \`${name}\``,
    help: (values) => suggestionOf(values.known, values, "It declares"),
    example: 'import { Linaer } from "std/layers"\n',
  }),
  importCycle: defineMessage<{ cycle: readonly string[] }>({
    code: "W205",
    text: () => "these files import one another",
    help: ({ cycle }) => `${cycle.join(" -> ")}. Move what they share to a file of its own.`,
    example: 'import { twice } from "./main.weft"\n\nfn once(x: [n]) -> [n] { x }\n',
  }),
  importPath: defineMessage<{ path: string }>({
    code: "W206",
    text: ({ path }) => `\`${path}\` names no file`,
    help: () => "Import from the standard library (`std/layers`) or from a file beside this one (`./layers.weft`).",
    example: 'import { Linear } from "layers"\n',
  }),
  notCallable: defineMessage<{ found: string; kind: string }>({
    code: "W207",
    text: ({ found }) => `${found} cannot be called`,
    help: ({ kind }) => callHelp(kind),
    example: "module Scale(factor: int) {\n  forward(x: [n]) -> [n] { factor(x) }\n}\n",
  }),
  tooManyArguments: defineMessage<{ callee: string; count: number; given: number }>({
    code: "W208",
    text: ({ callee, count, given }) => `\`${callee}\` takes ${plural(count, "argument")}, but ${given} are given`,
    example: "fn shifted(x: [n]) -> [n] { tanh(x, 2.0) }\n",
  }),
  unknownArgument: defineMessage<{ callee: string; name: string; known: readonly string[] } & Near>({
    code: "W209",
    text: ({ callee, name }) => `\`${callee}\` has no parameter \`${name}\``,
    help: (values) => suggestionOf(values.known, values, "It has"),
    example: "fn total(x: [n]) -> [] { softmax(x, axes: 0) }\n",
  }),
  missingArgument: defineMessage<{ callee: string; names: readonly string[] }>({
    code: "W210",
    text: ({ callee, names }) => `\`${callee}\` is called without ${listed(names)}`,
    help: ({ names }) => `Add ${names.map((name) => `\`${name}: ..\``).join(", ")}.`,
    example: "fn bounded(x: [n]) -> [n] { clamp(x, 0.0) }\n",
  }),
  argumentTwice: defineMessage<{ callee: string; name: string }>({
    code: "W211",
    text: ({ callee, name }) => `\`${name}\` of \`${callee}\` is given twice`,
    help: () => "Remove one of them.",
    example: "fn total(x: [n]) -> [] { sum(x, 0, axis: 0) }\n",
  }),
  positionalAfterNamed: defineMessage({
    code: "W212",
    text: () => "arguments without names come first",
    help: () => "Move it before the named ones, or name it too.",
    example: "fn bounded(x: [n]) -> [n] { clamp(x, low: 0.0, 1.0) }\n",
  }),
  notAModule: defineMessage<{ found: string }>({
    code: "W213",
    text: ({ found }) => `${found} is no module that could be changed`,
    help: () =>
      "Before `with` stands a module, such as a field of the model; before `at` also a list of modules, or a stored tensor.",
    example: "fn changed(x: [n], change: operator) -> [n] { (x with change) }\n",
  }),
  notAnOperator: defineMessage<{ found: string; adaptation: boolean }>({
    code: "W214",
    text: ({ found }) => `after \`with\` stands an operator, but this is ${found}`,
    help: ({ adaptation }) =>
      adaptation
        ? "Give it tokens: `memory(tokens)` is an operator."
        : "An operator is what an adaptation makes of tokens: `backbone with memory(tokens)`.",
    example: "fn changed(net: module, x: [n]) -> [n] { (net with x)(x) }\n",
  }),
  notAnInterface: defineMessage<{ found: string }>({
    code: "W215",
    text: ({ found }) => `sites are adapted with an interface, but this is ${found}`,
    help: () => "Write an interface with its parameters: `adapt backbone.blocks[*].attn with LoRA(rank: 8) as ..`.",
    example: `module Net() {
  forward(x: [n]) -> [n] { x }
}

layout Whole() {
  tokens(slot: [...]) -> [t, 1, 1] { reshape(slot, [-1, 1, 1]) }
}

model Wrong() {
  net = Net()
  memory = adapt net with Net() as Whole()
}
`,
  }),
  notALayout: defineMessage<{ found: string }>({
    code: "W216",
    text: ({ found }) => `after \`as\` stands a layout, but this is ${found}`,
    help: () => "Write a layout with its parameters: `as RankAnchored(segment: 32)`.",
    example: `module Net() {
  forward(x: [n]) -> [n] { x }
}

interface Shift() on Net {
  slot shift: [4] = zeros()
  forward(x) { base(x) + shift }
}

model Wrong() {
  net = Net()
  memory = adapt net with Shift() as Shift()
}
`,
  }),
  unknownMember: defineMessage<{ owner: string; name: string; known: readonly string[] } & Near>({
    code: "W217",
    text: ({ owner, name }) => `${owner} has no \`${name}\``,
    help: (values) => suggestionOf(values.known, values, "It has"),
    example: `module Scale(dim: int) {
  param weight: [dim] = ones()
  forward(x: [dim]) -> [dim] { x * weight }
}

module Outer(dim: int) {
  scale = Scale(dim)
  forward(x: [dim]) -> [dim] { x * scale.wieght }
}
`,
  }),
  unknownKey: defineMessage<{ key: string; stage: string; known: readonly string[] } & Near>({
    code: "W218",
    text: ({ key, stage }) => `\`${stage}\` has no key \`${key}\``,
    help: (values) => suggestionOf(values.known, values, "Its keys are"),
    example: `model Fit() {
  param weight: [4] = zeros()
  fn loss(x: [4]) -> [] { sum(x * weight) }
  train fit on loss { updates: [weight], optimizer: sgd(0.1), batch: 1, steps: 1 }
}
`,
  }),
  unknownEntryPoint: defineMessage<{ name: string; known: readonly string[] } & Near>({
    code: "W219",
    text: ({ name }) => `this model has no \`fn ${name}\``,
    help: (values) => suggestionOf(values.known, values, "Its functions are"),
    example: `model Fit() {
  param weight: [4] = zeros()
  fn loss(x: [4]) -> [] { sum(x * weight) }
  train fit on los { update: [weight], optimizer: sgd(0.1), batch: 1, steps: 1 }
}
`,
  }),
  unknownStage: defineMessage<{ name: string; known: readonly string[] } & Near>({
    code: "W220",
    text: ({ name }) => `this model has no stage \`${name}\``,
    help: (values) => suggestionOf(values.known, values, "Its stages are"),
    example: `model Fit() {
  param weight: [4] = zeros()
  fn loss(x: [4]) -> [] { sum(x * weight) }
  train fit on loss { update: [weight], optimizer: sgd(0.1), batch: 1, steps: 1, after: pretrain }
}
`,
  }),
  stageCycle: defineMessage<{ cycle: readonly string[] }>({
    code: "W221",
    text: () => "these stages wait for one another",
    help: ({ cycle }) => `${cycle.join(" after ")}. One of them must come first: remove its \`after\`.`,
    example: `model Fit() {
  param weight: [4] = zeros()
  fn loss(x: [4]) -> [] { sum(x * weight) }
  train first on loss { update: [weight], optimizer: sgd(0.1), batch: 1, steps: 1, after: second }
  train second on loss { update: [weight], optimizer: sgd(0.1), batch: 1, steps: 1, after: first }
}
`,
  }),
  unusedSlot: defineMessage<{ name: string }>({
    code: "W222",
    text: ({ name }) => `the slot \`${name}\` is generated but never used`,
    help: ({ name }) => `Use \`${name}\` in a method of the interface, or remove it.`,
    example: `module Net(dim: int) {
  forward(x: [dim]) -> [dim] { x }
}

interface Shift() on Net {
  slot shift: [base.dim] = zeros()
  slot scale: [base.dim] = zeros()
  forward(x) { base(x) + shift }
}
`,
  }),
  neverBound: defineMessage<{ name: string } & Near>({
    code: "W223",
    text: ({ name }) => `\`${name}\` was never bound in this function`,
    help: (values) =>
      suggestion(values) ?? `Bind it first: \`let ${values.name} = ..\`. Members of a module never change.`,
    example: "fn total(x: [n]) -> [n] {\n  result = x + 1\n  result\n}\n",
  }),
  notAnInitializer: defineMessage<{ found: string }>({
    code: "W224",
    text: ({ found }) => `a weight starts from an initializer, but this is ${found}`,
    help: () =>
      "Initializers are `zeros()`, `ones()`, `constant(c)`, `normal(std: s)`, `uniform(bound: b)`, `kaiming()`, `xavier()`, `orthogonal()` and `distinct(below: n)`; or write a number, or a list of numbers.",
    example:
      'module Scale(dim: int) {\n  param weight: [dim] = "ones"\n  forward(x: [dim]) -> [dim] { x * weight }\n}\n',
  }),
  slotInitializer: defineMessage<{ name: string; found: string }>({
    code: "W225",
    text: ({ name, found }) => `the slot \`${name}\` cannot start from \`${found}\``,
    help: () => "A generator can start a slot at `zeros()`, `constant(c)` or `normal(std: s)`.",
    example: `module Net(dim: int) {
  forward(x: [dim]) -> [dim] { x }
}

interface Shift() on Net {
  slot shift: [base.dim] = kaiming()
  forward(x) { base(x) + shift }
}
`,
  }),
  slotDtype: defineMessage<{ name: string; found: string }>({
    code: "W234",
    text: ({ name, found }) => `the slot \`${name}\` holds ${found}s, but a generator writes floats`,
    help: () => "Only `param` and `frozen` tensors may hold ints or truth values.",
    example: `module Net(dim: int) {
  forward(x: [dim]) -> [dim] { x }
}

interface Choose() on Net {
  slot place: int[1] = zeros()
  forward(x) { base(x)[place] }
}
`,
  }),
  onNoModule: defineMessage<{ name: string; found: string | undefined } & Near>({
    code: "W226",
    text: ({ name, found }) =>
      found === undefined
        ? `there is no module \`${name}\``
        : `\`${name}\` is a ${found}, and interfaces change modules`,
    help: suggestion,
    example: `interface Shift() on Nothing {
  slot shift: [4] = zeros()
  forward(x) { base(x) + shift }
}
`,
  }),
  unknownType: defineMessage<{ name: string } & Near>({
    code: "W227",
    text: ({ name }) => `\`${name}\` is neither a kind of value nor a module`,
    help: (values) => suggestion(values) ?? `A tensor's shape stands in brackets: \`[${values.name}]\`.`,
    example: "module Scale(dim: integer) {\n  forward(x: [dim]) -> [dim] { x }\n}\n",
  }),
  replacesNothing: defineMessage<{ name: string; on: readonly string[]; known: readonly string[] } & Near>({
    code: "W228",
    text: ({ name, on }) =>
      `\`${name}\` replaces nothing: ${on.map(quote).join(" and ")} ${on.length > 1 ? "have" : "has"} no such method`,
    help: (values) => suggestionOf(values.known, values, "Methods that can be replaced"),
    example: `module Net(dim: int) {
  forward(x: [dim]) -> [dim] { x }
}

interface Shift() on Net {
  slot shift: [base.dim] = zeros()
  forwards(x) { base(x) + shift }
}
`,
  }),
  usedBeforeMade: defineMessage<{ name: string }>({
    code: "W229",
    text: ({ name }) => `\`${name}\` is used before it is made`,
    help: ({ name }) => `Fields are made in order. Move \`${name}\` above this line.`,
    example: "module Outer() {\n  wide = 4 * dim\n  dim = 8\n  forward(x: [dim]) -> [dim] { x }\n}\n",
  }),
  parameterKind: defineMessage<{ name: string; expected: string; found: string }>({
    code: "W230",
    text: ({ name, expected, found }) => `\`${name}\` is ${expected}, but this is ${found}`,
    example: `module Scale(dim: int) {
  forward(x: [dim]) -> [dim] { x }
}

module Outer() {
  scale = Scale("wide")
  forward(x: [4]) -> [4] { scale(x) }
}
`,
  }),
  noForward: defineMessage<{ name: string; methods: readonly string[] }>({
    code: "W231",
    text: ({ name }) => `\`${name}\` has no \`forward\` and cannot be called itself`,
    help: ({ methods }) => (methods.length === 0 ? undefined : `Call one of its methods: ${listed(methods)}.`),
    example: `module Table() {
  read(x: [4]) -> [4] { x }
}

module Outer() {
  table = Table()
  forward(x: [4]) -> [4] { table(x) }
}
`,
  }),
  misplacedMember: defineMessage<{ what: string; holder: string }>({
    code: "W232",
    text: ({ what, holder }) => `\`${what}\` does not belong in a ${holder}`,
    help: ({ what }) => placeOf(what),
    example: "module Net(dim: int) {\n  slot shift: [dim] = zeros()\n  forward(x: [dim]) -> [dim] { x + shift }\n}\n",
  }),
  wrongValue: defineMessage<{ key: string; wanted: string; found?: string | undefined }>({
    code: "W233",
    text: ({ key, wanted, found }) => `\`${key}\` is ${wanted}${found === undefined ? "" : `, but this is ${found}`}`,
    example: `model Fit() {
  param weight: [4] = zeros()
  fn loss(x: [4]) -> [] { sum(x * weight) }
  train fit on loss { update: [weight], optimizer: 0.1, batch: 1, steps: 1 }
}
`,
  }),
};

function callHelp(kind: string): string | undefined {
  switch (kind) {
    case "int":
    case "float":
    case "tensor":
      return "Multiplication is written `a * b`.";
    case "interface":
      return "Apply it with `adapt`: `memory = adapt SITES with Interface(..) as Layout(..)`.";
    case "operator":
      return "Apply it to a module: `(backbone with operator)(x)`.";
    case "list":
      return "Call its items: `for block in blocks { x = block(x) }`.";
    default:
      return undefined;
  }
}

function placeOf(what: string): string | undefined {
  switch (what) {
    case "slot":
    case "given":
      return "Only interfaces have it: what is generated, or given where an operator is used.";
    case "shared":
      return "Sites share a `param` or `frozen` of an interface, instances an argument of a model's function; nothing else is shared.";
    case "param":
    case "frozen":
      return "Layouts only move numbers; weights belong in modules, interfaces and models.";
    default:
      return "It belongs in a model.";
  }
}
