import {
  EmbeddedActionsParser,
  EOF,
  type IParserErrorMessageProvider,
  type IRecognitionException,
  type IToken,
  NoViableAltException,
  type ParserMethod,
  type TokenType,
} from "chevrotain";
import type { Diagnostic, Span } from "../../diagnostics/diagnostic.js";
import type { Comment } from "../lexer.js";
import { tokenPlace } from "../lines.js";
import * as t from "../tokens.js";
import type { Name } from "../tree.js";

/** What chevrotain's parser has and its types leave out. */
interface Internals {
  readonly RULE_STACK_IDX: number;
  SKIP_TOKEN(): IToken;
  SAVE_ERROR(error: IRecognitionException): IRecognitionException;
}

/** Where a rule that recovers on its own stops skipping. */
type LineKind = "line" | "entry";

/** Chevrotain's errors carry as message only what was expected; `parser.ts` makes the sentence. */
const expectations: IParserErrorMessageProvider = {
  buildMismatchTokenMessage: ({ expected, ruleName }) => describeExpected(expected, ruleName),
  buildNotAllInputParsedMessage: () => "the end of the file",
  buildNoViableAltMessage: ({ customUserDescription }) => customUserDescription ?? "something else",
  buildEarlyExitMessage: ({ customUserDescription }) => customUserDescription ?? "something else",
};

/** What may also stand where a closing bracket is missing, by rule. */
const separated = new Set([
  "callArguments",
  "parameters",
  "staticParameters",
  "list",
  "tupleOrGroup",
  "index",
  "tensorType",
  "tupleType",
]);

function describeExpected(type: TokenType, rule: string): string {
  if (type === t.Name) return "a name";
  if (type === t.Newline) return "the end of the line";
  if (type === t.StringLiteral) return "a string";
  const sign = `\`${type.LABEL ?? type.name}\``;
  if (type === t.LeftBrace && (rule === "config" || rule === "block" || rule === "members")) return "`{`";
  return separated.has(rule) && (type === t.RightParenthesis || type === t.RightBracket) ? `\`,\` or ${sign}` : sign;
}

/**
 * What all rules share: spans, names, documentation, and recovery. Recovery is by line: a statement, member,
 * declaration or entry that cannot be read is reported once and skipped to its end, however many brackets it has
 * opened. Single tokens are never invented or dropped, which would move the blame elsewhere.
 */
export abstract class GrammarBase extends EmbeddedActionsParser {
  path = "";
  reports: Diagnostic[] = [];
  /** Comments of the text in order, and those used as documentation. */
  comments: readonly Comment[] = [];
  usedDocs = new Set<Comment>();
  private readonly lines: { kind: LineKind; depth: number }[] = [];

  /** `validate`: have chevrotain look for mistakes in the grammar itself, which takes a while. */
  constructor(validate: boolean) {
    super(t.allTokens, {
      recoveryEnabled: true,
      maxLookahead: 1,
      errorMessageProvider: expectations,
      skipValidations: !validate,
    });
    // An instance property of chevrotain's; recovery inside repetitions would skip past the ends of lines.
    Object.assign(this, { attemptInRepetitionRecovery: () => undefined });
  }

  override canTokenTypeBeInsertedInRecovery(): boolean {
    return false;
  }

  override canTokenTypeBeDeletedInRecovery(): boolean {
    return false;
  }

  private get internals(): Internals {
    return this as unknown as Internals;
  }

  // Called by chevrotain where a rule with recovery failed.
  protected findReSyncTokenType(): TokenType {
    return t.Newline;
  }

  protected isInCurrentRuleReSyncSet(): boolean {
    return true;
  }

  protected reSyncTo(): IToken[] {
    const line = this.lines[this.internals.RULE_STACK_IDX] ?? { kind: "line", depth: 0 };
    let token = this.LA(1);
    while (token.tokenType !== EOF && !this.ends(token, line)) token = this.internals.SKIP_TOKEN();
    return [];
  }

  private ends(token: IToken, line: { kind: LineKind; depth: number }): boolean {
    const { depth } = tokenPlace(token);
    if (token.tokenType === t.RightBrace) return depth < line.depth;
    if (depth > line.depth) return false;
    return token.tokenType === t.Newline || (line.kind === "entry" && token.tokenType === t.Comma);
  }

  /**
   * A rule for one line (or entry): recovers by itself, giving undefined, and sees to it that nothing stands behind it
   * on its line.
   */
  protected lineRule<R>(name: string, kind: LineKind, body: () => R): ParserMethod<[], R | undefined> {
    return this.RULE<() => R | undefined>(
      name,
      () => {
        const line = { kind, depth: 0 };
        this.ACTION(() => {
          line.depth = tokenPlace(this.LA(1)).depth;
          this.lines[this.internals.RULE_STACK_IDX] = line;
        });
        const result = body();
        this.ACTION(() => {
          if (!this.ends(this.LA(1), line))
            this.fail(kind === "line" ? "the end of the line" : "`,` or the end of the line");
        });
        return result;
      },
      { resyncEnabled: true, recoveryValueFunc: () => undefined },
    );
  }

  /** A rule whose failures are its caller's. */
  protected rule<R>(name: string, body: () => R): ParserMethod<[], R> {
    return this.RULE(name, body, { resyncEnabled: false });
  }

  /** Reports that `expected` should stand here instead of the next token. */
  protected fail(expected: string): never {
    throw this.internals.SAVE_ERROR(new NoViableAltException(expected, this.LA(1), this.LA(0)));
  }

  protected readonly reportNow = (diagnostic: Diagnostic): void => this.report(diagnostic);

  protected report(diagnostic: Diagnostic): void {
    this.reports.push(diagnostic);
  }

  protected next(type: TokenType, ahead = 1): boolean {
    return this.LA(ahead).tokenType === type;
  }

  protected nameAt(ahead: number): boolean {
    const type = this.LA(ahead).tokenType;
    return type === t.Identifier || (type.CATEGORIES ?? []).includes(t.Name);
  }

  /** From the given token to the last one read. */
  protected spanFrom(start: IToken): Span {
    const last = this.LA(0);
    return { file: this.path, start: start.startOffset, end: last.startOffset + last.image.length };
  }

  protected spanOf(token: IToken): Span {
    return { file: this.path, start: token.startOffset, end: token.startOffset + token.image.length };
  }

  protected toName(token: IToken): Name {
    return { text: token.image, span: this.spanOf(token) };
  }

  /** The `///` lines directly above the next token, as a property to spread. */
  protected docAbove(): { doc?: string } {
    const previous = this.LA(0) as IToken | undefined;
    const from = previous === undefined || Number.isNaN(previous.startOffset) ? 0 : previous.startOffset;
    const to = this.LA(1).startOffset;
    const lines: Comment[] = [];
    for (let index = this.firstCommentAfter(to) - 1; index >= 0; index -= 1) {
      const comment = this.comments[index]!;
      if (comment.span.start < from || !comment.doc) break;
      lines.unshift(comment);
    }
    for (const line of lines) this.usedDocs.add(line);
    return lines.length === 0 ? {} : { doc: lines.map((line) => line.text.slice(3).replace(/^ /, "")).join("\n") };
  }

  private firstCommentAfter(offset: number): number {
    let low = 0;
    let high = this.comments.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.comments[middle]!.span.start < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
