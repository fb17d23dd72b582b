/** The tokens of a file with its comments, nested by brackets and cut into lines: what the formatter lays out. */
import type { IToken, TokenType } from "chevrotain";
import type { Comment } from "../lexer.js";
import { isNewline } from "../lexer.js";
import * as t from "../tokens.js";

export interface Leaf {
  readonly kind: "leaf";
  /** Absent at the end of the file. */
  readonly token: IToken | undefined;
  readonly text: string;
  /** Comments before it, on lines of their own. */
  readonly before: readonly OwnComment[];
  /** Comments behind it on its line; more than one where a token between them was left out. */
  readonly behind: readonly Comment[];
  /** Whether an empty line stands before the token (behind the comments before it). */
  readonly blank: boolean;
  /** Whether it stands on the line of the token before it. */
  readonly sameLine: boolean;
}

export interface OwnComment {
  readonly comment: Comment;
  readonly blank: boolean;
}

export type BracketKind =
  /** ( or [ with a list, and { with imported names: broken only where it does not fit. */
  | "list"
  /** .{ with alternatives of a site pattern; like a list, but without spaces inside. */
  | "sites"
  /** [ behind a value: an index. */
  | "index"
  /** { with statements, members or entries: on one line only where it was written so. */
  | "block";

export interface Bracket {
  readonly kind: "bracket";
  readonly open: Leaf;
  readonly items: readonly Item[];
  readonly close: Leaf;
  readonly bracket: BracketKind;
  /** Whether it begins and ends on one line of the text. */
  readonly oneLine: boolean;
}

export type Element = Leaf | Bracket;
/** What stands between two commas or line ends. */
export type Item = readonly Element[];

const openers = new Set([t.LeftParenthesis, t.LeftBracket, t.LeftBrace]);
const closers = new Set([t.RightParenthesis, t.RightBracket, t.RightBrace]);
const typeWords = new Set(["int", "bool", "float"]);

/** `end` is an empty leaf with the comments that stand behind everything. */
export interface Pieces {
  readonly items: readonly Item[];
  readonly end: Leaf;
}

/** Nests tokens as `endLines` leaves them; there must have been no errors. */
export function readPieces(tokens: readonly IToken[], comments: readonly Comment[], text: string): Pieces {
  const leaves = attachComments(tokens, comments, text);
  let place = 0;

  const readItems = (isBrace: boolean): { items: Item[]; close: Leaf } => {
    const items: Item[] = [];
    let item: Element[] = [];
    const finish = (): void => {
      if (item.length > 0) items.push(item);
      item = [];
    };
    for (;;) {
      const leaf = leaves[place]!;
      place += 1;
      if (leaf === "newline") {
        finish();
        continue;
      }
      const type = leaf.token?.tokenType;
      if (type === undefined || closers.has(type)) {
        finish();
        return { items, close: leaf };
      }
      if (type === t.Comma && separates(item, isBrace)) {
        moveComments(item, leaf, leaves, place);
        finish();
      } else if (openers.has(type)) {
        const bracket = bracketKind(item, type);
        const inside = readItems(type === t.LeftBrace);
        const between = text.slice(leaf.token!.startOffset, inside.close.token!.startOffset);
        item.push({ kind: "bracket", open: leaf, ...inside, bracket, oneLine: !/[\r\n]/.test(between) });
      } else {
        item.push(leaf);
      }
    }
  };
  const { items, close } = readItems(true);
  return { items, end: close };
}

/** A comma belongs to its item in `assert c, "m"` and in lists without brackets. */
function separates(item: readonly Element[], isBrace: boolean): boolean {
  const [first] = item;
  if (!isBrace || first === undefined || first.kind === "bracket") return true;
  return first.token?.tokenType !== t.Assert && first.token?.tokenType !== t.Interface;
}

/** The comments of a comma that is left out go to its neighbours. */
function moveComments(item: Element[], comma: Leaf, leaves: Raw[], next: number): void {
  const comments = [...comma.before.map((own) => own.comment), ...comma.behind];
  const last = item.pop();
  if (last?.kind === "leaf") item.push(withBehind(last, comments));
  else if (last !== undefined) item.push({ ...last, close: withBehind(last.close, comments) });
  else {
    const following = leaves[next]!;
    if (following === "newline") return;
    leaves[next] = {
      ...following,
      before: [...comments.map((comment) => ({ comment, blank: false })), ...following.before],
    };
  }
}

function withBehind(leaf: Leaf, comments: readonly Comment[]): Leaf {
  return { ...leaf, behind: [...leaf.behind, ...comments] };
}

function bracketKind(item: readonly Element[], type: IToken["tokenType"]): BracketKind {
  const last = item[item.length - 1];
  const before = last?.kind === "leaf" ? last.token?.tokenType : undefined;
  if (type === t.LeftBrace) return before === t.Dot ? "sites" : before === t.Import ? "list" : "block";
  if (type === t.LeftParenthesis || last === undefined) return "list";
  if (last.kind === "bracket") return "index";
  return isOperand(last) && !typeWords.has(last.text) ? "index" : "list";
}

const wordsBeforeOperands = new Set<TokenType | undefined>([
  t.Let,
  t.For,
  t.In,
  t.If,
  t.Else,
  t.And,
  t.Or,
  t.Not,
  t.Assert,
]);

/** Whether a leaf ends a value, so that a sign behind it is a binary one. */
export function isOperand(leaf: Leaf): boolean {
  if (wordsBeforeOperands.has(leaf.token?.tokenType)) return false;
  return /^[A-Za-z_0-9"]/.test(leaf.text);
}

type Raw = Leaf | "newline";

/** A comment on the line of a token belongs to that token, any other to the next one. */
function attachComments(tokens: readonly IToken[], comments: readonly Comment[], text: string): Raw[] {
  const raw: Raw[] = [];
  let last = -1;
  let comment = 0;
  let end = 0;
  const add = (token: IToken | undefined, start: number, image: string): void => {
    const before: OwnComment[] = [];
    for (; comment < comments.length && comments[comment]!.span.start < start; comment += 1) {
      const next = comments[comment]!;
      const between = text.slice(end, next.span.start);
      const owner = raw[last];
      if (before.length === 0 && owner !== undefined && owner !== "newline" && !/[\r\n]/.test(between)) {
        raw[last] = withBehind(owner, [next]);
      } else before.push({ comment: next, blank: isBlank(between) });
      end = next.span.end;
    }
    last = raw.length;
    const between = text.slice(end, start);
    const [blank, sameLine] = [isBlank(between), before.length === 0 && !/[\r\n]/.test(between)];
    raw.push({ kind: "leaf", token, text: image, before, behind: [], blank, sameLine });
    end = start + image.length;
  };
  for (const token of tokens) {
    if (isNewline(token)) raw.push("newline");
    else add(token, token.startOffset, token.image);
  }
  add(undefined, text.length + 1, "");
  return raw;
}

function isBlank(between: string): boolean {
  return (between.match(/\r\n|\n|\r/g) ?? []).length > 1;
}
