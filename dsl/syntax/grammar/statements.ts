import type { ParserMethod } from "chevrotain";
import { syntaxMessages } from "../../diagnostics/messages/syntax.js";
import { diagnose } from "../../diagnostics/registry.js";
import * as t from "../tokens.js";
import type {
  Assertion,
  Assign,
  Block,
  ConfigEntry,
  Expression,
  ExpressionStatement,
  For,
  Let,
  Name,
  Statement,
} from "../tree.js";
import { ExpressionGrammar } from "./expressions.js";

/** Blocks and what stands in them. */
export abstract class StatementGrammar extends ExpressionGrammar {
  readonly block: ParserMethod<[], Block> = this.rule("block", () => {
    const start = this.CONSUME(t.LeftBrace);
    const statements: Statement[] = [];
    this.MANY(() => {
      const statement = this.SUBRULE(this.statement);
      this.ACTION(() => {
        if (statement !== undefined) statements.push(statement);
      });
      this.CONSUME(t.Newline);
    });
    this.CONSUME(t.RightBrace);
    return this.ACTION((): Block => {
      const span = this.spanFrom(start);
      const last = statements[statements.length - 1];
      return last?.kind === "expression"
        ? { kind: "block", statements: statements.slice(0, -1), value: last.expression, span }
        : { kind: "block", statements, span };
    });
  });

  readonly statement: ParserMethod<[], Statement | undefined> = this.lineRule("statement", "line", () =>
    this.OR<Statement>({
      DEF: [
        { ALT: () => this.SUBRULE(this.letStatement) },
        { ALT: () => this.SUBRULE(this.forStatement) },
        { ALT: () => this.SUBRULE(this.assertion) },
        { ALT: () => this.SUBRULE(this.valueStatement) },
        { ALT: () => this.SUBRULE(this.strayStatement) },
      ],
      ERR_MSG: "a statement",
      IGNORE_AMBIGUITIES: true,
    }),
  );

  /** What cannot begin a statement: consumed so that the block goes on behind it. */
  readonly strayStatement: ParserMethod<[], never> = this.rule("strayStatement", () => {
    this.ACTION(() => this.fail("a statement"));
    this.CONSUME(t.Anything);
    return undefined as never;
  });

  readonly letStatement: ParserMethod<[], Let> = this.rule("letStatement", () => {
    const start = this.CONSUME(t.Let);
    const target = this.SUBRULE(this.loopNames);
    this.CONSUME(t.Assign);
    const value = this.SUBRULE(this.expression);
    return this.ACTION((): Let => ({ kind: "let", ...target, value, span: this.spanFrom(start) }));
  });

  readonly forStatement: ParserMethod<[], For> = this.rule("forStatement", () => {
    const start = this.CONSUME(t.For);
    const target = this.SUBRULE(this.loopNames);
    this.CONSUME(t.In);
    const iterable = this.SUBRULE(this.expression);
    const body = this.SUBRULE(this.block);
    return this.ACTION((): For => ({ kind: "for", ...target, iterable, body, span: this.spanFrom(start) }));
  });

  readonly assertion: ParserMethod<[], Assertion> = this.rule("assertion", () => {
    const start = this.CONSUME(t.Assert);
    const condition = this.SUBRULE(this.expression);
    const message = this.OPTION(() => {
      this.CONSUME(t.Comma);
      return this.SUBRULE2(this.expression);
    });
    return this.ACTION(
      (): Assertion => ({
        kind: "assert",
        condition,
        ...(message === undefined ? {} : { message }),
        span: this.spanFrom(start),
      }),
    );
  });

  /** An expression, or the names on the left of `=`. */
  readonly valueStatement: ParserMethod<[], Assign | ExpressionStatement> = this.rule("valueStatement", () => {
    const start = this.ACTION(() => this.LA(1));
    const expression = this.SUBRULE(this.expression);
    const value = this.OPTION(() => {
      this.CONSUME(t.Assign);
      return this.SUBRULE2(this.expression);
    });
    return this.ACTION((): Assign | ExpressionStatement => {
      const span = this.spanFrom(start);
      if (value === undefined) return { kind: "expression", expression, span };
      const names = assignedNames(expression);
      if (names === undefined) this.report(diagnose(syntaxMessages.assignmentTarget, expression.span, {}));
      return { kind: "assign", names: names ?? [], tuple: expression.kind === "tuple", value, span };
    });
  });

  /** `{ key: value, .. }`: the settings of a stage, or replaced parameters. */
  readonly config: ParserMethod<[], readonly ConfigEntry[]> = this.rule("config", () => {
    const entries: ConfigEntry[] = [];
    this.CONSUME(t.LeftBrace);
    this.MANY(() => {
      const entry = this.SUBRULE(this.entry);
      this.ACTION(() => {
        if (entry !== undefined) entries.push(entry);
      });
      this.OPTION(() => this.SUBRULE(this.itemEnd));
    });
    this.CONSUME(t.RightBrace);
    return entries;
  });

  readonly entry: ParserMethod<[], ConfigEntry | undefined> = this.lineRule("entry", "entry", () => {
    const key = this.OR({
      DEF: [
        { ALT: () => this.CONSUME(t.Name) },
        {
          ALT: () => {
            this.ACTION(() => this.fail("a key"));
            return this.CONSUME(t.Anything);
          },
        },
      ],
      ERR_MSG: "a key",
      IGNORE_AMBIGUITIES: true,
    });
    this.CONSUME(t.Colon);
    const value = this.SUBRULE(this.expression);
    return this.ACTION((): ConfigEntry => ({ key: this.toName(key), value, span: this.spanFrom(key) }));
  });
}

function assignedNames(target: Expression): readonly Name[] | undefined {
  const items = target.kind === "tuple" ? target.items : [target];
  const names: Name[] = [];
  for (const item of items) {
    if (item.kind !== "name") return undefined;
    names.push({ text: item.name, span: item.span });
  }
  return names;
}
