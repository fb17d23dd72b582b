/** Tokens and brackets side by side, broken at their loosest operators first when they are too long. */
import { precedence } from "../grammar/precedence.js";
import { joinsLines } from "../lines.js";
import * as t from "../tokens.js";
import { type Doc, group, indent, line } from "./doc.js";
import type { Element, Item } from "./pieces.js";
import { isValue, spaceBefore } from "./spaces.js";

export interface SequenceContext {
  /** In an index, colons are those of slices. */
  readonly isIndex: boolean;
  /** In ( and [ a newline means nothing; elsewhere only some may be added. */
  readonly isFree: boolean;
}

/** Lays out one element; `isResult`: it is the type behind `->`. */
type LayoutElement = (element: Element, isResult: boolean) => Doc;

/** Commas and `for`, `with` and `as`, then `or` down to products. */
const levels = 12;

export function layoutSequence(item: Item, context: SequenceContext, layout: LayoutElement): Doc {
  const between = (from: number, to: number, lowest: number): Doc => {
    for (let level = lowest; level < levels; level += 1) {
      const parts: Doc[] = [];
      let start = from;
      for (let place = from + 1; place < to; place += 1) {
        const found = breakAt(item, place);
        if (found?.level !== level) continue;
        const end = found.before ? place : place + 1;
        if (end >= to || !(context.isFree || mayBreak(item, end))) continue;
        parts.push(between(start, end, level + 1), line);
        start = end;
      }
      if (parts.length > 0) {
        const [first, ...rest] = [...parts, between(start, to, level + 1)];
        return group([first!, level === 0 && context.isFree ? rest : indent(rest)]);
      }
    }
    const docs: Doc[] = [];
    for (let place = from; place < to; place += 1) {
      const element = item[place]!;
      const doc = layout(element, isBehindArrow(item, place));
      const spaced = place > from && spaceBefore(item, place, context.isIndex) ? [" ", doc] : doc;
      // Only a comment can begin a new line here.
      docs.push(place > from && element.kind === "leaf" ? indent(spaced, true) : spaced);
    }
    return docs;
  };
  // Blocks stand at the margin of the item, however deep its operators are.
  const docs: Doc[] = [];
  let start = 0;
  for (let place = 0; place <= item.length; place += 1) {
    const element = item[place];
    if (element !== undefined && !isBlock(element)) continue;
    if (start < place)
      docs.push(start > 0 && spaceBefore(item, start, context.isIndex) ? " " : "", between(start, place, 0));
    if (element !== undefined) docs.push(spaceBefore(item, place, context.isIndex) ? " " : "", layout(element, false));
    start = place + 1;
  }
  return docs;
}

function isBlock(element: Element): boolean {
  return element.kind === "bracket" && element.bracket === "block";
}

/** How loosely the sequence hangs together at `place`, and whether a line ends before that element or behind it. */
function breakAt(item: Item, place: number): { readonly level: number; readonly before: boolean } | undefined {
  const element = item[place]!;
  const previous = item[place - 1]!;
  if (element.kind === "bracket") return undefined;
  const type = element.token?.tokenType;
  if (type === t.Comma) return { level: 0, before: false };
  if (!isValue(previous)) return undefined;
  if (type === t.For || type === t.If) return { level: 0, before: true };
  const following = item[place + 1];
  const joins = type === t.With || type === t.As;
  if (joins && following !== undefined && isValue(following)) return { level: 1, before: true };
  const level = precedence(element.text);
  if (level === undefined || element.text === "**") return undefined;
  return { level: level + 2, before: element.text === "and" || element.text === "or" };
}

function isBehindArrow(item: Item, place: number): boolean {
  const previous = item[place - 1];
  return previous?.kind === "leaf" && previous.token?.tokenType === t.Arrow;
}

/** Whether a newline before this element would end no statement. */
function mayBreak(item: Item, place: number): boolean {
  const first = (at: number) => {
    const element = item[at];
    return element?.kind === "bracket" ? element.open.token : element?.token;
  };
  const last = (at: number) => {
    const element = item[at];
    return element?.kind === "bracket" ? element.close.token : element?.token;
  };
  const [previous, next] = [last(place - 1), first(place)];
  return previous !== undefined && next !== undefined && joinsLines(last(place - 2), previous, next, first(place + 1));
}
