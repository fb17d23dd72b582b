import type { IToken } from "chevrotain";
import * as t from "./tokens.js";

/** Words of other languages, and what Weft has instead. */
const foreignWords: Readonly<Record<string, string>> = {
  return: "A block's value is its last expression; there is no `return`.",
  def: "Functions are declared with `fn name(x: [n]) -> [n] { .. }`.",
  function: "Functions are declared with `fn name(x: [n]) -> [n] { .. }`.",
  class: "Networks are declared with `module Name(..) { .. }`.",
  var: "Names are bound with `let`.",
  const: "Names are bound with `let`.",
  while: "Loops run over lists: `for x in list { .. }`.",
  elif: "Write `else if`.",
  lambda: "Write a top-level `fn`, and pass its name.",
  struct: "Networks are declared with `module Name(..) { .. }`.",
};

const lineText = (text: string, offset: number): string => {
  const start = Math.max(text.lastIndexOf("\n", offset - 1), text.lastIndexOf("\r", offset - 1)) + 1;
  return text.slice(start, Math.max(start, offset));
};

/** A line of help for a syntax error, from what stands around it. */
export function syntaxHint(
  text: string,
  expected: string,
  found: IToken,
  previous: IToken | undefined,
): string | undefined {
  const offset = Number.isNaN(found.startOffset) ? text.length : found.startOffset;
  const before = lineText(text, offset);
  if (found.tokenType === t.FloorDivide || /\/\//.test(before))
    return "`//` divides and rounds down. Comments begin with `#`.";
  for (const token of [found, previous]) {
    if (token !== undefined && Object.hasOwn(foreignWords, token.image)) return foreignWords[token.image];
  }
  if (found.tokenType === t.Assign && expected.includes("`,` or `)`"))
    return "Arguments are named with a colon: `f(x, axis: 0)`.";
  if (found.tokenType === t.Assign && expected === "`{`") return "Equality is written `==`.";
  if (found.tokenType === t.Assign && expected === "`:`") return "Keys are followed by a colon: `key: value`.";
  if (expected === "a path of modules")
    return "A path begins with a name; braces stand behind a dot: `net.blocks[*].{up, down} with LoRA()`.";
  if (expected === "`with`" && (found.tokenType === t.Comma || found.tokenType === t.RightBrace))
    return "Every path in the braces of `adapt` has its interface: `a with LoRA(), b with LoRA()`. One interface for several members of a module is `net.{a, b} with LoRA()`.";
  if (expected === "a shape")
    return "Shapes look like `[n, dim]`, `int[n]` or `[]`; `int` alone is a compile-time int.";
  if (expected === "`=`" && found.tokenType === t.Colon) {
    return "Fields are written `name = value`, stored tensors `param name: [shape] = initial`.";
  }
  if (expected === "a member")
    return "Members are fields `name = value`, weights `param name: [shape] = initial`, and methods `name(x) { .. }`.";
  if (expected === "the end of the line") return "Every statement stands on a line of its own.";
  return undefined;
}
