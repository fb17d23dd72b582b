/** Models, their settings, entry points and training plans. */
import { defineMessage } from "../../registry.js";
import { listed } from "./listed.js";

const trained = (entries: string, more = ""): string =>
  `module Gain() {\n  param gain: [4] = ones()\n  frozen offset: [4] = zeros()\n  forward(x: [4]) -> [4] { x * gain + offset }\n}\nmodel M() {\n  gain = Gain()\n  fn loss(x: [4]) -> [] { sum(gain(x)) }\n  fn wide(x: [4]) -> [4] { gain(x) }\n  train a on loss { ${entries} }\n${more}}\n`;
const plain = "update: [gain], optimizer: sgd(0.1)";

const settable =
  "interface Shift(by: float = 0.0) on module {\n  slot offset: [4] = zeros()\n  forward(x) { base(x) + by * offset }\n}\nmodule Same() { forward(x: [4]) -> [4] { x } }\nlayout Row() {\n  rows = 1\n  columns = 4\n  tokens(slot: [...]) -> [t, rows, columns] { reshape(slot, [-1, rows, columns]) }\n}\nmodel M(change: interface = Shift()) {\n  same = Same()\n  memory = adapt same with change as Row()\n  fn f(x: [4], t: memory.tokens) -> [4] { (same with memory(t))(x) }\n}\n";

export const modelMessages = {
  noModel: defineMessage<{ name: string | undefined; known: readonly string[] }>({
    code: "W380",
    text: ({ name }) => (name === undefined ? "this file has no model" : `this file has no model \`${name}\``),
    help: ({ known }) => (known.length === 0 ? "Add `model Name() { .. }`." : `It has ${listed(known)}.`),
    example: "fn double(x: [n]) -> [n] { 2 * x }\n",
  }),
  severalModels: defineMessage<{ known: readonly string[] }>({
    code: "W381",
    text: ({ known }) => `this file has several models: ${listed(known)}`,
    help: () => "Say which one to build.",
    example: "model A() { fn f(x: [2]) -> [2] { x } }\nmodel B() { fn f(x: [2]) -> [2] { x } }\n",
  }),
  unknownSetting: defineMessage<{ name: string; known: readonly string[] }>({
    code: "W382",
    text: ({ name }) => `the model has no parameter \`${name}\``,
    help: ({ known }) => (known.length === 0 ? "It has none." : `It has ${listed(known)}.`),
    example: "model M(dim: int = 2) { fn f(x: [dim]) -> [dim] { x } }\n",
  }),
  unsetSetting: defineMessage<{ name: string }>({
    code: "W383",
    text: ({ name }) => `\`${name}\` has no default, so it must be set`,
    example: "model M(dim: int) { fn f(x: [dim]) -> [dim] { x } }\n",
  }),
  badSetting: defineMessage<{ name: string; kind: string; given: string }>({
    code: "W384",
    text: ({ name, kind, given }) =>
      `\`${name}\` is ${/^[aeiou]/.test(kind) ? "an" : "a"} ${kind}, but it is set to ${given}`,
    help: ({ kind }) =>
      kind === "interface" ? "Write one with its arguments, as in the language: `OFT(block: 4)`." : undefined,
    example: "model M(dim: int = 2) { fn f(x: [dim]) -> [dim] { x } }\n",
  }),
  unknownInterface: defineMessage<{
    name: string;
    found: string | undefined;
    nearest: string | undefined;
    known: readonly string[];
  }>({
    code: "W398",
    text: ({ name, found }) =>
      found === undefined ? `there is no interface \`${name}\`` : `\`${name}\` is a ${found}, not an interface`,
    help: ({ nearest, known }) => {
      const near = nearest === undefined ? "" : `Did you mean \`${nearest}\`? `;
      return known.length === 0 ? `${near}There are none.` : `${near}There are ${known.join(", ")}.`;
    },
    example: settable,
  }),
  settingNotLiteral: defineMessage<{ found: string }>({
    code: "W399",
    text: ({ found }) => `\`${found}\` stands in a setting, which holds only what needs no computing`,
    help: () => "Numbers, strings, truth values, lists of them, and names of built-in functions.",
    example: settable,
  }),
  inputSize: defineMessage<{ name: string; type: string; sizes?: string | undefined }>({
    code: "W385",
    text: ({ name, type, sizes }) =>
      sizes === undefined
        ? `\`${name}\` of an entry point is ${type}: all its sizes must be known`
        : `\`${name}\` of an entry point is ${type}, here ${sizes}: sizes are at least 0`,
    help: () => "Use ints or parameters of the model; columns of varying length are `int[..24]`.",
    example: "model M() { fn f(x: [n]) -> [n] { x } }\n",
  }),
  entryResult: defineMessage<{ name: string; found: string }>({
    code: "W386",
    text: ({ name, found }) => `${name} must give tensors, but it gives ${found}`,
    example: 'model M() {\n  fn f(x: [2]) { "done" }\n}\n',
  }),
  missingKey: defineMessage<{ key: string; stage: string }>({
    code: "W388",
    text: ({ key, stage }) => `\`${stage}\` does not say its \`${key}\``,
    example: trained("update: [gain]"),
  }),
  badPlanValue: defineMessage<{ key: string; expected: string; found: string }>({
    code: "W389",
    text: ({ key, expected, found }) => `\`${key}\` must be ${expected}, but it is ${found}`,
    example: trained(`${plain}, batch: 0`),
  }),
  notAnEntryPoint: defineMessage<{ name: string; known: readonly string[] }>({
    code: "W390",
    text: ({ name }) => `\`${name}\` is not an entry point`,
    help: ({ known }) => `Entry points are the functions whose arguments are all tensors: ${listed(known)}.`,
    example: trained(
      plain,
      "  fn with_net(net: Gain, x: [4]) -> [] { sum(net(x)) }\n  train b on with_net { update: [gain], optimizer: sgd(0.1) }\n",
    ),
  }),
  nothingToUpdate: defineMessage<{ path: string; frozen: number }>({
    code: "W391",
    text: ({ path, frozen }) =>
      `nothing below \`${path}\` is trained: ${frozen === 0 ? "it stores nothing" : "all of it is frozen"}`,
    example: trained("update: [gain.offset], optimizer: sgd(0.1)"),
  }),
  updateNotReached: defineMessage<{ name: string; stage: string; update: readonly string[] }>({
    code: "W392",
    text: ({ name, stage, update }) => `stage \`${stage}\` trains ${listed(update)}, but ${name} reads nothing of it`,
    help: () => "Train on a function that uses what is updated, or update something else.",
    example: trained(
      plain,
      "  fn other(x: [4]) -> [] { sum(x) }\n  train b on other { update: [gain], optimizer: sgd(0.1) }\n",
    ),
  }),
  notALoss: defineMessage<{ name: string; stage: string; found: string }>({
    code: "W394",
    text: ({ name, stage, found }) =>
      `stage \`${stage}\` trains on ${name}, which gives ${found} instead of one number`,
    help: () => "A loss is a scalar, `[]`: take the mean.",
    example: trained(plain, "  train b on wide { update: [gain], optimizer: sgd(0.1) }\n"),
  }),
  stageCircle: defineMessage<{ circle: readonly string[] }>({
    code: "W395",
    text: ({ circle: [first, ...others] }) =>
      `stage \`${first}\` needs what ${others.map((name) => `\`${name}\` left`).join(", which needs what ")}`,
    help: () =>
      "What a stage trains or is measured on can read only stages `at` which it does not take part in: those that end before it begins.",
    example: trained(
      "update: [gain], optimizer: sgd(0.1), after: b",
      "  fn apart(x: [4]) -> [] { sum((gain(x) - (gain at a)(x)) ** 2) }\n  train b on apart { update: [gain], optimizer: sgd(0.1) }\n",
    ),
  }),
  unknownCopyStage: defineMessage<{ name: string; known: readonly string[] }>({
    code: "W396",
    text: ({ name }) => `the model has no stage \`${name}\``,
    help: ({ known }) => (known.length === 0 ? "It has none." : `It has ${listed(known)}.`),
    example:
      "module Gain() {\n  param gain: [4] = ones()\n  forward(x: [4]) -> [4] { x * gain }\n}\nfn old(net: Gain, x: [4]) -> [4] { (net at first)(x) }\nmodel M() {\n  gain = Gain()\n  fn f(x: [4]) -> [4] { old(gain, x) }\n}\n",
  }),
  collectMismatch: defineMessage<{ stage: string; name: string; found: string; path: string; wanted: string }>({
    code: "W397",
    text: ({ stage, name, found, path, wanted }) =>
      `\`${stage}\` stores the mean of ${name}, which gives ${found}, into \`${path}\`, which is ${wanted}`,
    example: trained(
      plain,
      "  param place: [3] = zeros()\n  collect average into place { mean: wide, data: some, after: a }\n",
    ),
  }),
};
