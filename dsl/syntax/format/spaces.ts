/** Where a space stands between two tokens of one line. */
import type { TokenType } from "chevrotain";
import { precedence } from "../grammar/precedence.js";
import * as t from "../tokens.js";
import { type Element, type Item, isOperand } from "./pieces.js";

const noneBefore = new Set<TokenType | undefined>([t.Comma, t.Colon, t.Dot]);
const noneBehind = new Set<TokenType | undefined>([t.Dot, t.DotDot, t.Ellipsis]);

export function spaceBefore(item: Item, place: number, isIndex: boolean): boolean {
  const previous = item[place - 1];
  const element = item[place]!;
  if (previous === undefined) return false;
  const before = previous.kind === "leaf" ? previous.token?.tokenType : undefined;
  const type = element.kind === "leaf" ? element.token?.tokenType : undefined;
  if (isIndex && (type === t.Colon || before === t.Colon)) return isWideSlice(item);
  if (noneBefore.has(type) || noneBehind.has(before)) return false;
  if (isPrefixMinus(item, place - 1)) return false;
  if (element.kind === "leaf" || element.open.text === "{") return true;
  if (previous.kind === "bracket") return previous.open.text === "{";
  return isGrammarWord(item, place - 1) || !isOperand(previous);
}

/** Slices between sums and products have spaces around their colons. */
function isWideSlice(item: Item): boolean {
  return item.some((element, place) => {
    const previous = item[place - 1];
    if (element.kind === "bracket" || previous === undefined) return false;
    return precedence(element.text) !== undefined && isValue(previous);
  });
}

/** Whether an element ends (or begins) a value, so that a sign beside it is a binary one. */
export function isValue(element: Element): boolean {
  return element.kind === "bracket" || isOperand(element);
}

function isPrefixMinus(item: Item, place: number): boolean {
  const element = item[place]!;
  if (element.kind === "bracket" || element.token?.tokenType !== t.Minus) return false;
  const previous = item[place - 1];
  return previous === undefined || !isValue(previous);
}

/** `with (..)`, `as (..)`, `by (..)`, `into [..]`: words of the grammar rather than names that are called. */
function isGrammarWord(item: Item, place: number): boolean {
  const word = item[place]!;
  const previous = item[place - 1];
  if (word.kind !== "leaf" || previous === undefined) return false;
  switch (word.token?.tokenType) {
    case t.With:
    case t.As:
      return isValue(previous);
    case t.By:
      return previous.kind === "leaf" && previous.token?.tokenType === t.Star;
    case t.Into:
      return item[0]!.kind === "leaf" && item[0]!.token?.tokenType === t.Collect && place === 2;
    default:
      return false;
  }
}
