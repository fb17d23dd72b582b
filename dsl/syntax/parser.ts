import { EOF, type IRecognitionException, type IToken } from "chevrotain";
import type { Diagnostic } from "../diagnostics/diagnostic.js";
import { syntaxMessages } from "../diagnostics/messages/syntax.js";
import { diagnose } from "../diagnostics/registry.js";
import { FileGrammar } from "./grammar/file.js";
import { syntaxHint } from "./hints.js";
import { type Comment, lex } from "./lexer.js";
import { endLines, type Lines, tokenPlace } from "./lines.js";
import { firstTooDeep } from "./nesting.js";
import * as t from "./tokens.js";
import type { Expression, File } from "./tree.js";

export type { Comment } from "./lexer.js";

export interface Parsed {
  /** What could be read; whole when there are no diagnostics. */
  readonly file: File;
  readonly diagnostics: readonly Diagnostic[];
  readonly comments: readonly Comment[];
}

/** Made at the first use: chevrotain analyses the grammar once. */
let grammar: FileGrammar | undefined;

/**
 * Reads one file. Never throws, whatever the text; reports one error for each statement, member, declaration or entry
 * that cannot be read, ordered by place.
 */
export function parse(text: string, path: string): Parsed {
  const lexed = lex(text, path);
  const lines = endLines(lexed.tokens, text, path);
  const parsed = parseTokens(lines, lexed.comments, text, path);
  const diagnostics = [...lexed.diagnostics, ...lines.diagnostics, ...parsed.diagnostics];
  if (diagnostics.length === 0) diagnostics.push(...strayDocs(lexed.comments, parsed.usedDocs));
  diagnostics.sort((a, b) => a.span.start - b.span.start);
  return { file: parsed.file, diagnostics, comments: lexed.comments };
}

/** Reads a text that is one expression. Never throws; reports the first thing that is wrong, and then there is no expression. */
export function parseExpression(
  text: string,
  path: string,
): { readonly expression: Expression } | { readonly diagnostics: readonly Diagnostic[] } {
  const lexed = lex(text, path);
  const lines = endLines(lexed.tokens, text, path);
  const read = readTokens(lines, lexed.comments, text, path, (rules) => rules.lone());
  const diagnostics = [...lexed.diagnostics, ...lines.diagnostics, ...read.diagnostics];
  diagnostics.sort((a, b) => a.span.start - b.span.start);
  const deep = firstTooDeep(read.result);
  if (deep !== undefined) diagnostics.push(diagnose(syntaxMessages.nestedTooDeeply, deep, {}));
  return read.result === undefined || diagnostics.length > 0
    ? { diagnostics: diagnostics.slice(0, 1) }
    : { expression: read.result };
}

function parseTokens(
  lines: Lines,
  comments: readonly Comment[],
  text: string,
  path: string,
): { file: File; diagnostics: readonly Diagnostic[]; usedDocs: ReadonlySet<Comment> } {
  const span = { file: path, start: 0, end: text.length };
  const empty: File = { kind: "file", path, text, imports: [], declarations: [], span };
  const { result, diagnostics, usedDocs } = readTokens(lines, comments, text, path, (rules) => rules.file());
  const file: File = { ...empty, ...result };
  const deep = firstTooDeep(file.declarations);
  if (deep === undefined) return { file, diagnostics, usedDocs };
  return { file: empty, diagnostics: [...diagnostics, diagnose(syntaxMessages.nestedTooDeeply, deep, {})], usedDocs };
}

/** What a rule of the grammar makes of a text. */
function readTokens<T>(
  lines: Lines,
  comments: readonly Comment[],
  text: string,
  path: string,
  rule: (grammar: FileGrammar) => T | undefined,
): { result: T | undefined; diagnostics: readonly Diagnostic[]; usedDocs: ReadonlySet<Comment> } {
  const usedDocs = new Set<Comment>();
  if (lines.tooDeep) return { result: undefined, diagnostics: [], usedDocs };
  grammar ??= new FileGrammar();
  Object.assign(grammar, { path, comments, usedDocs, reports: [], input: lines.tokens });
  let result: T | undefined;
  try {
    result = rule(grammar);
  } catch (error) {
    // The caller's own stack was nearly full; a parser thrown out of its rules cannot be used again.
    grammar = undefined;
    if (!(error instanceof RangeError)) throw error;
    const span = { file: path, start: 0, end: 0 };
    return { result: undefined, diagnostics: [diagnose(syntaxMessages.nestedTooDeeply, span, {})], usedDocs };
  }
  const diagnostics = [
    ...grammar.errors.filter((error) => !isBroken(error, lines, text)).map((error) => toDiagnostic(error, text, path)),
    ...grammar.reports,
  ];
  return { result, diagnostics, usedDocs };
}

/** Whether an error stands where brackets do not match, which is reported already. */
function isBroken(error: IRecognitionException, lines: Lines, text: string): boolean {
  const offset = offsetOf(error.token, text);
  return lines.broken.some((range) => range.start <= offset && offset <= range.end);
}

function offsetOf(token: IToken, text: string): number {
  return token.tokenType === EOF || Number.isNaN(token.startOffset) ? text.length : token.startOffset;
}

function toDiagnostic(error: IRecognitionException, text: string, path: string): Diagnostic {
  const start = offsetOf(error.token, text);
  const previous = "previousToken" in error ? (error.previousToken as IToken | undefined) : undefined;
  const expected = error.message;
  const values = {
    expected,
    after: previous === undefined ? undefined : describePrevious(previous),
    found: describeFound(error.token, text),
    help: syntaxHint(text, expected, error.token, previous),
  };
  const end = Math.min(text.length, start + error.token.image.length);
  return diagnose(syntaxMessages.expected, { file: path, start, end: Math.max(start, end) }, values);
}

function describePrevious(token: IToken): string | undefined {
  return token.tokenType === t.Newline || token.image === undefined || token.image === ""
    ? undefined
    : quote(token.image);
}

function describeFound(token: IToken, text: string): string {
  if (token.tokenType === EOF) return "the end of the file";
  if (token.tokenType !== t.Newline) return quote(token.image);
  switch (tokenPlace(token).lineEnd) {
    case "file":
      return text.slice(token.startOffset).trim() === "" ? "the end of the file" : "the end of the line";
    case "brace":
      return "`}`";
    case "line":
    case undefined:
      return "the end of the line";
  }
}

function quote(image: string): string {
  return `\`${image.length > 24 ? `${image.slice(0, 24)}...` : image}\``;
}

function strayDocs(comments: readonly Comment[], used: ReadonlySet<Comment>): Diagnostic[] {
  return comments
    .filter((comment) => comment.doc && !used.has(comment))
    .map((comment) => diagnose(syntaxMessages.strayDoc, comment.span, {}));
}
