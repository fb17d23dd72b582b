/** Turns pieces into a document: which lines are one item each, and what is kept on one line. */
import * as t from "../tokens.js";
import { alignItems } from "./align.js";
import { type Doc, group, indent, line, lineBreak, softLine } from "./doc.js";
import type { Bracket, Element, Item, Leaf, Pieces } from "./pieces.js";
import { layoutSequence, type SequenceContext } from "./sequence.js";
import { spaceBefore } from "./spaces.js";

interface Line {
  readonly doc: Doc;
  readonly blank: boolean;
}

export function layoutFile(pieces: Pieces): Doc {
  const lines: Line[] = [];
  let before: Item | undefined;
  for (const item of pieces.items) {
    const [first, ...rest] = layoutItem(item);
    const apart = before !== undefined && !(isImport(before) && isImport(item));
    lines.push({ doc: first!.doc, blank: apart || (first!.blank && before !== undefined) }, ...rest);
    before = item;
  }
  lines.push(...ownComments(pieces.end));
  return { kind: "lines", lines };
}

function isImport(item: Item): boolean {
  return firstLeaf(item[0]!).token?.tokenType === t.Import;
}

function ownComments(leaf: Leaf): Line[] {
  return leaf.before.map(({ comment, blank }) => ({ doc: { kind: "comment", text: comment.text, own: true }, blank }));
}

/**
 * An item on lines of its own, the comments before it first. On one line altogether if that is how its blocks were
 * written.
 */
function layoutItem(item: Item): Line[] {
  const first = firstLeaf(item[0]!);
  const last = lastLeaf(item[item.length - 1]!);
  const bare = withoutOuterComments(item);
  const flat = flatText(bare, false);
  const broken = layoutSequence(bare, { isIndex: false, isFree: false }, elementDoc);
  const doc: Doc = flat === undefined ? broken : { kind: "choice", flat, broken };
  return [...ownComments(first), { doc: [doc, ...commentsBehind(last)], blank: first.blank }];
}

function commentsBehind(leaf: Leaf): Doc[] {
  return leaf.behind.map((comment) => ({ kind: "comment", text: comment.text, own: false }));
}

export function firstLeaf(element: Element): Leaf {
  return element.kind === "leaf" ? element : element.open;
}

export function lastLeaf(element: Element): Leaf {
  return element.kind === "leaf" ? element : element.close;
}

function withoutOuterComments(item: Item): Item {
  const [first, ...rest] = withoutCommentsBehind(item);
  if (first!.kind === "leaf") return [{ ...first!, before: [] }, ...rest];
  return [{ ...first!, open: { ...first!.open, before: [] } }, ...rest];
}

function withoutCommentsBehind(item: Item): Item {
  const last = item[item.length - 1]!;
  const bare: Element =
    last.kind === "leaf" ? { ...last, behind: [] } : { ...last, close: { ...last.close, behind: [] } };
  return [...item.slice(0, -1), bare];
}

/** The item on one line; undefined where comments or blocks of several lines stand in the way. */
function flatText(item: Item, isIndex: boolean): string | undefined {
  let text = "";
  for (const [place, element] of item.entries()) {
    const part = element.kind === "leaf" ? flatLeaf(element) : flatBracket(element);
    if (part === undefined) return undefined;
    text += (spaceBefore(item, place, isIndex) ? " " : "") + part;
  }
  return text;
}

function flatLeaf(leaf: Leaf): string | undefined {
  return hasComments(leaf) ? undefined : leaf.text;
}

function flatBracket(bracket: Bracket): string | undefined {
  if (bracket.bracket === "block" && !bracket.oneLine) return undefined;
  if (hasComments(bracket.open) || hasComments(bracket.close)) return undefined;
  const parts = bracket.items.map((item) => flatText(item, bracket.bracket === "index"));
  if (parts.includes(undefined)) return undefined;
  const space = isSpaced(bracket) ? " " : "";
  return `${bracket.open.text}${space}${parts.join(", ")}${space}${bracket.close.text}`;
}

/** Whether spaces stand inside a bracket on one line. */
function isSpaced(bracket: Bracket): boolean {
  return bracket.open.text === "{" && bracket.items.length > 0 && bracket.bracket !== "sites";
}

function hasComments(leaf: Leaf): boolean {
  return leaf.before.length > 0 || leaf.behind.length > 0;
}

/** Comments anywhere in a list break it, those in its blocks aside. */
function bracketHasComments(bracket: Bracket): boolean {
  const inside = bracket.items.some((item) => item.some(elementHasComments));
  return inside || bracket.open.behind.length > 0 || bracket.close.before.length > 0;
}

function elementHasComments(element: Element): boolean {
  if (element.kind === "leaf") return hasComments(element);
  const around = element.open.before.length > 0 || element.close.behind.length > 0;
  return around || (element.bracket !== "block" && bracketHasComments(element));
}

function elementDoc(element: Element, isResult: boolean): Doc {
  if (element.kind === "leaf") return leafDoc(element);
  if (element.bracket === "block") return blockDoc(element);
  // A long signature is broken at its parameters, never inside of its result.
  const flat = isResult ? flatBracket(element) : undefined;
  return flat ?? listDoc(element);
}

function leafDoc(leaf: Leaf): Doc {
  return hasComments(leaf)
    ? [...ownComments(leaf).map(({ doc }) => doc), leaf.text, ...commentsBehind(leaf)]
    : leaf.text;
}

/** One item on a line, without a comma behind it; entries that were written side by side stay so where they fit. */
function blockDoc(block: Bracket): Doc {
  const items = alignItems(block.items, (head) => flatText(head, false)?.length);
  const lines: Line[] = [];
  for (let start = 0; start < items.length; ) {
    let end = start + 1;
    while (end < items.length && firstLeaf(items[end]![0]!).sameLine) end += 1;
    const [first, ...rest] = layoutItems(items.slice(start, end));
    lines.push({ doc: first!.doc, blank: first!.blank && start > 0 }, ...rest);
    start = end;
  }
  lines.push(...ownComments(block.close));
  const end = leafDoc({ ...block.close, before: [] });
  if (lines.length === 0) return [leafDoc(block.open), end];
  return [leafDoc(block.open), indent([lineBreak, { kind: "lines", lines }], true), lineBreak, end];
}

/** Items that were written on one line. */
function layoutItems(items: readonly Item[]): Line[] {
  const separate = items.flatMap(layoutItem);
  if (items.length === 1) return separate;
  const first = firstLeaf(items[0]![0]!);
  const last = items[items.length - 1]!;
  const bare = [withoutOuterComments(items[0]!), ...items.slice(1, -1), withoutCommentsBehind(last)];
  const texts = bare.map((item) => flatText(item, false));
  if (texts.includes(undefined)) return separate;
  const broken: Doc = { kind: "lines", lines: bare.flatMap(layoutItem).map(({ doc }) => ({ doc, blank: false })) };
  const doc: Doc = [
    { kind: "choice", flat: texts.join(", "), broken },
    ...commentsBehind(lastLeaf(last[last.length - 1]!)),
  ];
  return [...ownComments(first), { doc, blank: first.blank }];
}

/** On one line where it fits, else one item on a line; no comma behind the last. */
function listDoc(list: Bracket): Doc {
  const { open, items, close } = list;
  const end = leafDoc({ ...close, before: [] });
  if (items.length === 0 && close.before.length === 0) return [leafDoc(open), end];
  const context: SequenceContext = { isIndex: list.bracket === "index", isFree: open.text !== "{" };
  const parts = items.map((item, place): Doc => {
    // Comments behind an item stand behind its comma.
    const behind = commentsBehind(lastLeaf(item[item.length - 1]!));
    const content = layoutSequence(withoutCommentsBehind(item), context, elementDoc);
    return place === items.length - 1 ? [content, ...behind] : [content, ",", ...behind, line];
  });
  const gap = isSpaced(list) ? line : softLine;
  const comments = ownComments(close).map(({ doc }): Doc => [softLine, doc]);
  return group([leafDoc(open), indent([gap, ...parts, ...comments]), gap, end], bracketHasComments(list));
}
