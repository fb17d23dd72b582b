/** Messages of `dsl/syntax`: what is wrong with the text before anything is known of its meaning. Codes W1xx. */
import { defineMessage } from "../registry.js";

export const syntaxMessages = {
  expected: defineMessage<{ expected: string; after?: string | undefined; found: string; help?: string | undefined }>({
    code: "W101",
    text: ({ expected, after, found }) =>
      `expected ${expected}${after === undefined ? "" : ` after ${after}`}, but found ${found}`,
    help: ({ help }) => help,
    example:
      "module Scale(dim: int) {\n  param weight: = ones()\n  forward(x: [n, dim]) -> [n, dim] { x * weight }\n}\n",
  }),
  unexpectedCharacter: defineMessage<{ text: string }>({
    code: "W102",
    text: ({ text }) => `\`${printable(text)}\` is not part of the language`,
    help: ({ text }) => characterHelp(text),
    example: "fn half(x: [n]) -> [n] { x / 2; }\n",
  }),
  unclosedString: defineMessage({
    code: "W103",
    text: () => "this string does not end on its line",
    help: () => 'Close it with `"`. A string stands on one line; `\\n` is a line break inside it.',
    example: 'import { Linear } from "std/layers\n',
  }),
  unclosedBracket: defineMessage<{ open: string; close: string }>({
    code: "W104",
    text: ({ open }) => `this \`${open}\` is never closed`,
    help: ({ close }) => `Add the \`${close}\` that belongs to it.`,
    example: "fn double(x: [n]) -> [n] {\n  let y = (x + x\n  y\n}\n",
  }),
  unopenedBracket: defineMessage<{ close: string }>({
    code: "W105",
    text: ({ close }) => `this \`${close}\` closes nothing`,
    help: () => "Remove it, or add the bracket that it should close.",
    example: "fn double(x: [n]) -> [n] { x + x) }\n",
  }),
  nestedTooDeeply: defineMessage({
    code: "W106",
    text: () => "this is nested too deeply",
    help: () => "Give inner parts a name with `let`, or move them to a function of their own.",
    example: `fn deep(x: [n]) -> [n] { ${"(".repeat(70)}x${")".repeat(70)} }\n`,
  }),
  chainedComparison: defineMessage<{ first: string; second: string }>({
    code: "W107",
    text: ({ first, second }) => `\`${first}\` and \`${second}\` cannot be chained`,
    help: () => "Write two comparisons joined by `and`: `a < b and b < c`.",
    example: "fn inside(x: int) -> [] { if 0 < x < 9 { 1.0 } else { 0.0 } }\n",
  }),
  numberTooLarge: defineMessage<{ text: string }>({
    code: "W108",
    text: ({ text }) => `${text} is too large for an exact int`,
    help: () => "Ints go up to 9007199254740991. Write a float, such as `1e16`, where it need not be exact.",
    example: "fn large() -> [] { full([], 9007199254740993) }\n",
  }),
  unknownEscape: defineMessage<{ text: string }>({
    code: "W109",
    text: ({ text }) => `\`${text}\` means nothing in a string`,
    help: () => 'Strings know `\\"`, `\\\\`, `\\n` and `\\t`.',
    example: 'fn noise() -> [4] { normal([4], key: "a\\q") }\n',
  }),
  assignmentTarget: defineMessage({
    code: "W110",
    text: () => "only a name can be assigned to",
    help: () => "Write `name = value`, or `(a, b) = value` for a tuple. Tensors are never changed in place.",
    example: "fn first(x: [n]) -> [n] {\n  x[0] = 1.0\n  x\n}\n",
  }),
  leadingAxes: defineMessage({
    code: "W111",
    text: () => "`...` may only be the first axis of a shape",
    help: () => "Write it first, as in `[..., n, d]`; it stands for any number of leading axes.",
    example: "fn same(x: [n, ...]) -> [n] { x }\n",
  }),
  strayDoc: defineMessage({
    code: "W112",
    text: () => "this `///` comment documents nothing",
    help: () => "Documentation stands directly before a declaration or a member. Use `#` for other comments.",
    example: "fn same(x: [n]) -> [n] {\n  /// nothing happens\n  x\n}\n",
  }),
  lonelyTuple: defineMessage({
    code: "W113",
    text: () => "a tuple has at least two items",
    help: () => "Remove the comma, or write a list: `[x]`.",
    example: "fn same(x: [n]) -> [n] {\n  let y = (x,)\n  y\n}\n",
  }),
  textTooLong: defineMessage({
    code: "W114",
    text: () => "this statement is too long to be read",
    help: () => "Split it into several with `let`.",
    example: `fn long(x: [n]) -> [n] { x${" + x".repeat(2000)} }\n`,
  }),
};

/** Control and direction characters by their code, so that a message never moves the cursor. */
function printable(text: string): string {
  return text.slice(0, 20).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/** Signs that editors and papers put in the place of those of a keyboard. */
const lookalikes: readonly (readonly [string, string])[] = [
  ["\u2212\u2013\u2014", "-"],
  ["\u00d7\u00b7\u22c5\u2217", "*"],
  ["\u00f7\u2215", "/"],
  ["\u201c\u201d\u201e", '"'],
  ["\u2264", "<="],
  ["\u2265", ">="],
  ["\u2260", "!="],
  ["\u2192", "->"],
  ["\u2026", "..."],
];

function characterHelp(text: string): string | undefined {
  if (text.startsWith("'")) return 'Strings stand in double quotes: `"text"`.';
  if (text.startsWith(";")) return "A new line ends a statement; no semicolon is needed.";
  if (text.startsWith("!")) return "Write `not x`, or `a != b`.";
  if (text.startsWith("&")) return "Write `a and b`.";
  if (text.startsWith("|")) return "Write `a or b`.";
  if (text.startsWith("^")) return "Powers are written `x ** 2`.";
  if (text.startsWith("?"))
    return "A choice by compile-time values is `if c { a } else { b }`; by tensors, `where(c, a, b)`.";
  const meant = lookalikes.find(([signs]) => signs.includes(text[0]!));
  if (meant) return `Write \`${meant[1]}\`.`;
  if (/[^\0-\x7f]/.test(text)) return "Names are made of ASCII letters, digits and `_`.";
  return undefined;
}
