/** Shapes and dtypes that do not fit. */
import { defineMessage } from "../../registry.js";

const two = (body: string): string => `model M() {\n  fn f(x: [3, 4], y: [4, 5]) -> [] { sum(${body}) }\n}\n`;

export const shapeMessages = {
  notBroadcastable: defineMessage<{ operator: string; left: string; right: string; sizes: string; axis: number }>({
    code: "W330",
    text: ({ operator, left, right, sizes, axis }) =>
      `\`${operator}\` on ${left} and ${right}: ${sizes} differ at the ${ordinal(axis)} axis from the right`,
    help: () => "Sizes must be equal, or one of them 1; missing leading axes repeat.",
    example: two("x + y"),
  }),
  matmulShapes: defineMessage<{ left: string; right: string }>({
    code: "W331",
    text: ({ left, right }) =>
      `\`@\` on ${left} and ${right}: the last axis of the first must equal the last but one of the second`,
    help: () => "`.T` swaps the last two axes.",
    example: two("y @ x"),
  }),
  mixedDtypes: defineMessage<{ left: string; right: string }>({
    code: "W332",
    text: ({ left, right }) => `a tensor of ${left} and a tensor of ${right} do not mix`,
    help: () => "`float(x)` and `int(x)` convert.",
    example: "model M() {\n  fn f(x: [3], i: int[3]) -> [3] { x + i }\n}\n",
  }),
  argumentShape: defineMessage<{ callee: string; name: string; declared: string; found: string; detail: string }>({
    code: "W333",
    text: ({ callee, name, declared, found, detail }) =>
      `\`${name}\` of ${callee} is ${declared}, but it is given ${found}: ${detail}`,
    example:
      "module Sum(dim: int) { forward(x: [n, dim]) -> [n] { sum(x, axis: 1) } }\nmodel M() {\n  total = Sum(3)\n  fn f(x: [2, 4]) -> [2] { total(x) }\n}\n",
  }),
  argumentDtype: defineMessage<{ callee: string; name: string; expected: string; found: string }>({
    code: "W334",
    text: ({ callee, name, expected, found }) =>
      `\`${name}\` of ${callee} is a tensor of ${expected}, but it is given one of ${found}`,
    help: () => "`float(x)` and `int(x)` convert; a comparison gives bool.",
    example: "fn double(x: [n]) -> [n] { 2 * x }\nmodel M() {\n  fn f(i: int[4]) -> [4] { double(i) }\n}\n",
  }),
  unsizedNumber: defineMessage<{ callee: string; name: string; declared: string }>({
    code: "W335",
    text: ({ callee, name, declared }) =>
      `a number is given for \`${name}\` of ${callee}, but nothing says how large ${declared} is`,
    help: () => "Give a tensor: `full([..], v)`.",
    example: "fn double(x: [n]) -> [n] { 2 * x }\nmodel M() {\n  fn f(x: [4]) -> [] { sum(double(1.0)) }\n}\n",
  }),
  resultShape: defineMessage<{ callee: string; declared: string; found: string }>({
    code: "W336",
    text: ({ callee, declared, found }) => `${callee} gives ${found}, but declares ${declared}`,
    help: ({ found }) =>
      found === "none" ? "The value of a body is its last line, if that is an expression." : undefined,
    example: "fn half(x: [n]) -> [n] { x[::2] }\nmodel M() {\n  fn f(x: [4]) -> [] { sum(half(x)) }\n}\n",
  }),
  shapeConflict: defineMessage<{ text: string }>({
    code: "W337",
    text: ({ text }) => text,
    example: two("attention(x, x, x)"),
  }),
  reshapeCount: defineMessage<{ from: string; to: string; count: number; wanted: number }>({
    code: "W338",
    text: ({ from, to, count, wanted }) => `${from} has ${count} numbers, which do not make ${to} (${wanted})`,
    example: two("reshape(x, [5])"),
  }),
  splitSizes: defineMessage<{ size: number; parts: string }>({
    code: "W339",
    text: ({ size, parts }) => `an axis of ${size} does not split into ${parts}`,
    example: two("split(x, 3)[0]"),
  }),
  concatShapes: defineMessage<{ name: string; shapes: string }>({
    code: "W340",
    text: ({ name, shapes }) => `${name} of ${shapes}: all but the joined axis must agree, and the dtypes`,
    example: two("concat([x, y], axis: 1)"),
  }),
  badPattern: defineMessage<{ pattern: string; reason: string }>({
    code: "W341",
    text: ({ pattern, reason }) => `"${pattern}": ${reason}`,
    help: () => 'Patterns name axes: rearrange(x, "n (h d) -> h n d", h: 4).',
    example: two('rearrange(x, "n (h d) -> h n d", h: 3)'),
  }),
  axisOutOfRange: defineMessage<{ axis: number; shape: string }>({
    code: "W342",
    text: ({ axis, shape }) => `axis ${axis} is not in ${shape}`,
    example: two("sum(x, axis: 2)"),
  }),
  tooManyIndices: defineMessage<{ count: number; shape: string }>({
    code: "W343",
    text: ({ count, shape }) => `${count} ${count === 1 ? "index is" : "indices are"} given for ${shape}`,
    example: two("x[0, 0, 0]"),
  }),
  tooLarge: defineMessage<{ what: string; shape: string }>({
    code: "W345",
    text: ({ what, shape }) => `${what} ${shape} is too large: a tensor has at most 2 ** 40 numbers`,
    example: two("zeros([2000000, 2000000])"),
  }),
  severalEllipses: defineMessage<{ count: number }>({
    code: "W346",
    text: ({ count }) => `\`...\` stands ${count === 2 ? "twice" : `${count} times`} in this index`,
    help: () => "It stands for all axes that are not named, once. `:` is one whole axis.",
    example: two("x[..., ...]"),
  }),
  emptyReduction: defineMessage<{ name: string }>({
    code: "W344",
    text: ({ name }) => `${name} of an empty list has no value`,
    example: "model M() {\n  sizes = []\n  largest = max(sizes)\n  fn f(x: [4]) -> [4] { x }\n}\n",
  }),
};

const ordinal = (place: number): string => ["last", "second", "third"][place - 1] ?? `${place}th`;
