/**
 * Where lines end. Runs between lexer and parser and knows the innermost open bracket: a newline ends a statement
 * except inside ( and [, after a sign that wants more, and before a sign that continues. What is left is one `Newline`
 * between two statements and one before every `}` and the end of the file, so that the grammar needs no other
 * separator. Brackets are balanced here too: the parser never sees an unbalanced one.
 */
import { createTokenInstance, type IToken, type TokenType } from "chevrotain";
import type { Diagnostic, Span } from "../diagnostics/diagnostic.js";
import { syntaxMessages } from "../diagnostics/messages/syntax.js";
import { diagnose } from "../diagnostics/registry.js";
import { isNewline } from "./lexer.js";
import * as t from "./tokens.js";

/** Brackets within brackets: more than anybody writes, and few enough for every stack. */
export const deepestNesting = 64;

/** What stands at the place of a `Newline` token. */
export type LineEnd = "line" | "brace" | "file";

export interface TokenPlace {
  /** Number of brackets open around the token; a bracket itself counts as outside. */
  readonly depth: number;
  readonly lineEnd?: LineEnd;
}

export interface Lines {
  readonly tokens: readonly IToken[];
  readonly diagnostics: readonly Diagnostic[];
  /** Stretches in which brackets did not match: what the parser says about them is only a consequence. */
  readonly broken: readonly { readonly start: number; readonly end: number }[];
  /** True when the text nests too deeply to be parsed at all. */
  readonly tooDeep: boolean;
}

const closers = new Map<TokenType, TokenType>([
  [t.LeftParenthesis, t.RightParenthesis],
  [t.LeftBracket, t.RightBracket],
  [t.LeftBrace, t.RightBrace],
]);
const closing = new Set<TokenType>(closers.values());

// biome-ignore format: a list of signs
const wantsMore = new Set<TokenType>([
  t.Comma, t.Assign, t.Colon, t.Arrow, t.Dot, t.DotDot, t.LeftBrace, t.Equal, t.NotEqual, t.LessEqual, t.GreaterEqual, t.Less,
  t.Greater, t.Power, t.Star, t.FloorDivide, t.Divide, t.Plus, t.Minus, t.Percent, t.Product, t.And, t.Or, t.Not, t.Let, t.For,
  t.In, t.If, t.Else, t.Assert,
]);

// biome-ignore format: a list of signs
const continues = new Set<TokenType>([
  t.Comma, t.Arrow, t.Dot, t.LeftBrace, t.Equal, t.NotEqual, t.LessEqual, t.GreaterEqual, t.Less, t.Greater, t.Power, t.Star,
  t.FloorDivide, t.Divide, t.Plus, t.Percent, t.Product, t.And, t.Or, t.Else,
]);

const declares = new Set<TokenType>([t.Module, t.Interface, t.Layout, t.Model, t.Import]);

export function tokenPlace(token: IToken): TokenPlace {
  return (token.payload as TokenPlace | undefined) ?? { depth: 0, lineEnd: "file" };
}

/**
 * True when a newline between these two tokens would not end a statement, for the tokens' own sake (brackets aside).
 */
export function joinsLines(
  beforePrevious: IToken | undefined,
  previous: IToken,
  next: IToken,
  afterNext: IToken | undefined,
): boolean {
  if (wantsMore.has(previous.tokenType) || continues.has(next.tokenType)) return true;
  if (isJoiningWord(previous) && beforePrevious !== undefined && endsOperand(beforePrevious)) return true;
  if (!isJoiningWord(next)) return false;
  return afterNext === undefined || (afterNext.tokenType !== t.Assign && afterNext.tokenType !== t.Colon);
}

function isJoiningWord(token: IToken): boolean {
  return token.tokenType === t.With || token.tokenType === t.As;
}

function endsOperand(token: IToken): boolean {
  const type = token.tokenType;
  return type === t.Identifier || type === t.RightParenthesis || type === t.RightBracket || type === t.RightBrace;
}

interface Open {
  readonly token: IToken;
  readonly closer: TokenType;
}

export function endLines(lexed: readonly IToken[], text: string, path: string): Lines {
  const tokens: IToken[] = [];
  const diagnostics: Diagnostic[] = [];
  const broken: { start: number; end: number }[] = [];
  const open: Open[] = [];
  let newline: IToken | undefined;

  const spanOf = (token: IToken): Span => ({
    file: path,
    start: token.startOffset,
    end: token.startOffset + token.image.length,
  });
  const push = (token: IToken, place: TokenPlace): void => {
    token.payload = place;
    tokens.push(token);
  };
  const previous = (): IToken | undefined => tokens[tokens.length - 1];
  const endLine = (offset: number, lineEnd: LineEnd): void => {
    const last = previous();
    if (last === undefined || isNewline(last) || last.tokenType === t.LeftBrace || last.tokenType === t.Comma) return;
    push(virtual(t.Newline, offset), { depth: open.length, lineEnd });
  };
  const close = (token: IToken): void => {
    const last = previous();
    if (token.tokenType === t.RightBrace && last !== undefined) {
      const end = newline?.startOffset ?? last.startOffset + last.image.length;
      endLine(end, newline === undefined ? "brace" : "line");
    }
    open.pop();
    push(token, { depth: open.length });
  };
  /** Closes the brackets above `keep`, which the text left open, and reports the innermost. */
  const closeForgotten = (keep: number, at: number): void => {
    const innermost = open[open.length - 1]!;
    const span = spanOf(innermost.token);
    diagnostics.push(
      diagnose(syntaxMessages.unclosedBracket, span, {
        open: innermost.token.image,
        close: innermost.closer.LABEL ?? "",
      }),
    );
    broken.push({ start: open[keep]!.token.startOffset, end: at });
    while (open.length > keep) close(virtual(open[open.length - 1]!.closer, at));
  };

  for (let index = 0; index < lexed.length; index += 1) {
    const token = lexed[index]!;
    if (isNewline(token)) {
      newline ??= token;
      continue;
    }
    if (newline !== undefined && open.length > 0) {
      const keep = forgottenAbove(open, token, lexed, index, text);
      if (keep < open.length) closeForgotten(keep, newline.startOffset);
    }
    const innermost = open[open.length - 1];
    const last = previous();
    if (
      newline !== undefined &&
      last !== undefined &&
      (innermost === undefined || innermost.closer === t.RightBrace) &&
      token.tokenType !== t.RightBrace &&
      !joinsLines(tokens[tokens.length - 2], last, token, lexed[index + 1])
    ) {
      endLine(newline.startOffset, "line");
    }
    const closer = closers.get(token.tokenType);
    if (closer !== undefined) {
      if (open.length >= deepestNesting) {
        diagnostics.push(diagnose(syntaxMessages.nestedTooDeeply, spanOf(token), {}));
        return { tokens: [], diagnostics, broken, tooDeep: true };
      }
      push(token, { depth: open.length });
      open.push({ token, closer });
    } else if (closing.has(token.tokenType)) {
      const match = open.findLastIndex((candidate) => candidate.closer === token.tokenType);
      if (match < 0) {
        diagnostics.push(diagnose(syntaxMessages.unopenedBracket, spanOf(token), { close: token.image }));
        broken.push({ start: token.startOffset, end: token.startOffset + 1 });
      } else {
        if (match < open.length - 1) closeForgotten(match + 1, token.startOffset);
        close(token);
      }
    } else {
      push(token, { depth: open.length });
    }
    newline = undefined;
  }
  if (open.length > 0) closeForgotten(0, text.length);
  endLine(newline?.startOffset ?? text.length, "file");
  return { tokens, diagnostics, broken, tooDeep: false };
}

/** A token that stands at no text of its own. */
function virtual(type: TokenType, offset: number): IToken {
  return createTokenInstance(type, "", offset, offset - 1, Number.NaN, Number.NaN, Number.NaN, Number.NaN);
}

/**
 * How many of the open brackets can really still be open where `token` begins a line: `let` and `assert` never stand
 * directly in ( or [, and a declaration at the left margin stands in no bracket at all.
 */
function forgottenAbove(
  open: readonly Open[],
  token: IToken,
  lexed: readonly IToken[],
  index: number,
  text: string,
): number {
  const next = lexed[index + 1];
  const atMargin = token.startOffset === 0 || /[\r\n]/.test(text[token.startOffset - 1]!);
  if (atMargin && declares.has(token.tokenType) && next !== undefined) {
    const declaration = token.tokenType === t.Import ? next.tokenType === t.LeftBrace : isName(next);
    if (declaration) return 0;
  }
  if (token.tokenType !== t.Let && token.tokenType !== t.Assert) return open.length;
  return open.findLastIndex((candidate) => candidate.closer === t.RightBrace) + 1;
}

function isName(token: IToken): boolean {
  return token.tokenType.categoryMatchesMap !== undefined && (token.tokenType.CATEGORIES ?? []).includes(t.Name);
}
