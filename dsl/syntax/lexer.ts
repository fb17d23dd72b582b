import { type IToken, Lexer } from "chevrotain";
import type { Diagnostic, Span } from "../diagnostics/diagnostic.js";
import { syntaxMessages } from "../diagnostics/messages/syntax.js";
import { diagnose } from "../diagnostics/registry.js";
import { DocComment, ForeignName, lexedTokens, Newline, UnclosedString } from "./tokens.js";

/** A comment, which is no token: `#` to the end of the line, or `///` (documentation). */
export interface Comment {
  readonly text: string;
  readonly doc: boolean;
  readonly span: Span;
}

export interface Lexed {
  /** All tokens, `Newline` among them. */
  readonly tokens: readonly IToken[];
  readonly comments: readonly Comment[];
  readonly diagnostics: readonly Diagnostic[];
}

const lexer = new Lexer(lexedTokens, { positionTracking: "onlyOffset" });

/** Cuts a text into tokens. Characters that begin no token are reported and left out. */
export function lex(text: string, path: string): Lexed {
  const { tokens, groups, errors } = lexer.tokenize(text);
  const diagnostics: Diagnostic[] = [];
  for (const error of errors) {
    const end = error.offset + Math.max(1, error.length);
    const span = { file: path, start: error.offset, end: Math.min(end, text.length) };
    diagnostics.push(diagnose(syntaxMessages.unexpectedCharacter, span, { text: text.slice(span.start, span.end) }));
  }
  for (const token of tokens) {
    if (token.tokenType !== UnclosedString && token.tokenType !== ForeignName) continue;
    const span = { file: path, start: token.startOffset, end: token.startOffset + token.image.length };
    diagnostics.push(
      token.tokenType === UnclosedString
        ? diagnose(syntaxMessages.unclosedString, span, {})
        : diagnose(syntaxMessages.unexpectedCharacter, span, { text: token.image }),
    );
  }
  const comments = (groups.comments ?? []).map((token) => ({
    text: token.image.trimEnd(),
    doc: token.tokenType === DocComment,
    span: { file: path, start: token.startOffset, end: token.startOffset + token.image.trimEnd().length },
  }));
  return { tokens, comments, diagnostics };
}

export function isNewline(token: IToken): boolean {
  return token.tokenType === Newline;
}
