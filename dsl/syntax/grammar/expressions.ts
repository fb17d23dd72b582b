import type { IToken, ParserMethod } from "chevrotain";
import { syntaxMessages } from "../../diagnostics/messages/syntax.js";
import { diagnose } from "../../diagnostics/registry.js";
import * as t from "../tokens.js";
import type { Argument, Block, ConfigEntry, Expression } from "../tree.js";
import { combine, longestChain, type Operand } from "./precedence.js";
import { PrimaryGrammar } from "./primaries.js";

const longestElseIf = 60;

type Branch = { readonly start: IToken; readonly condition: Expression; readonly then: Block };

/** Expressions, from `if` down to literals. Binary operators are read flat and given their order by `combine`. */
export abstract class ExpressionGrammar extends PrimaryGrammar {
  abstract readonly block: ParserMethod<[], Block>;
  abstract readonly config: ParserMethod<[], readonly ConfigEntry[]>;

  readonly expression: ParserMethod<[], Expression> = this.rule("expression", () =>
    this.OR<Expression>({
      DEF: [
        { ALT: () => this.SUBRULE(this.choice) },
        { GATE: () => this.beginsAdapt(), ALT: () => this.SUBRULE(this.adapt) },
        { ALT: () => this.SUBRULE(this.changed) },
      ],
      ERR_MSG: "an expression",
      IGNORE_AMBIGUITIES: true,
    }),
  );

  readonly choice: ParserMethod<[], Expression> = this.rule("choice", () => {
    const branches: Branch[] = [];
    const readBranch = (start: IToken, condition: Expression, then: Block) => branches.push({ start, condition, then });
    const start = this.CONSUME(t.If);
    const condition = this.SUBRULE(this.expression);
    readBranch(start, condition, this.SUBRULE(this.block));
    let otherwise: Block | undefined;
    this.MANY({
      GATE: () => otherwise === undefined,
      DEF: () => {
        this.CONSUME(t.Else);
        this.OR([
          {
            ALT: () => {
              const next = this.CONSUME2(t.If);
              const inner = this.SUBRULE2(this.expression);
              readBranch(next, inner, this.SUBRULE2(this.block));
            },
          },
          {
            ALT: () => {
              otherwise = this.SUBRULE3(this.block);
            },
          },
        ]);
      },
    });
    return this.ACTION(() => this.joinBranches(branches, otherwise));
  });

  /** `else if` is an `if` that is all of the block after `else`. */
  private joinBranches(branches: readonly Branch[], last: Block | undefined): Expression {
    if (branches.length > longestElseIf) {
      this.report(diagnose(syntaxMessages.nestedTooDeeply, branches[longestElseIf]!.condition.span, {}));
    }
    let otherwise = last;
    let result: Expression | undefined;
    for (const { start, condition, then } of branches.slice(0, longestElseIf).reverse()) {
      const span = this.spanFrom(start);
      result = { kind: "if", condition, then, ...(otherwise === undefined ? {} : { otherwise }), span };
      otherwise = { kind: "block", statements: [], value: result, span };
    }
    return result!;
  }

  /** `a with op`, `a with { weight: w }`, `a at stage`. */
  readonly changed: ParserMethod<[], Expression> = this.rule("changed", () => {
    const start = this.ACTION(() => this.LA(1));
    let result = this.SUBRULE(this.binary);
    let length = 0;
    this.MANY(() => {
      result = this.OR<Expression>([
        {
          ALT: () => {
            this.CONSUME(t.At);
            const stage = this.CONSUME(t.Name);
            return this.ACTION(() => ({
              kind: "at",
              module: result,
              stage: this.toName(stage),
              span: this.spanFrom(start),
            }));
          },
        },
        {
          ALT: () => {
            this.CONSUME(t.With);
            return this.OR2<Expression>({
              DEF: [
                {
                  ALT: () => {
                    const entries = this.SUBRULE(this.config);
                    return this.ACTION(() => ({
                      kind: "replace",
                      module: result,
                      entries,
                      span: this.spanFrom(start),
                    }));
                  },
                },
                {
                  ALT: () => {
                    const operator = this.SUBRULE2(this.binary);
                    return this.ACTION(() => ({ kind: "with", module: result, operator, span: this.spanFrom(start) }));
                  },
                },
              ],
              ERR_MSG: "an operator, or `{` with the parameters to replace,",
            });
          },
        },
      ]);
      length += 1;
      this.ACTION(() => this.limitChain(length, result));
    });
    return result;
  });

  readonly binary: ParserMethod<[], Expression> = this.rule("binary", () => {
    const operands = [this.SUBRULE(this.prefixed)];
    const operators: IToken[] = [];
    this.MANY(() => {
      operators.push(this.CONSUME(t.BinarySign));
      operands.push(this.SUBRULE2(this.prefixed));
    });
    return this.ACTION(() => combine(operands, operators, this.path, (diagnostic) => this.report(diagnostic)));
  });

  readonly prefixed: ParserMethod<[], Operand> = this.rule("prefixed", () => {
    const prefixes: IToken[] = [];
    this.MANY(() => {
      prefixes.push(this.CONSUME(t.PrefixSign));
    });
    const expression = this.SUBRULE(this.postfix);
    return { prefixes, expression };
  });

  readonly postfix: ParserMethod<[], Expression> = this.rule("postfix", () => {
    const start = this.ACTION(() => this.LA(1));
    let result = this.SUBRULE(this.primary);
    let length = 0;
    this.MANY(() => {
      result = this.OR<Expression>([
        {
          ALT: () => {
            const values = this.SUBRULE(this.callArguments);
            return this.ACTION(() => ({ kind: "call", callee: result, arguments: values, span: this.spanFrom(start) }));
          },
        },
        {
          ALT: () => {
            const items = this.SUBRULE(this.index);
            return this.ACTION(() => ({ kind: "index", object: result, items, span: this.spanFrom(start) }));
          },
        },
        {
          ALT: () => {
            this.CONSUME(t.Dot);
            const member = this.CONSUME(t.Name);
            return this.ACTION(() => ({
              kind: "member",
              object: result,
              member: this.toName(member),
              span: this.spanFrom(start),
            }));
          },
        },
      ]);
      length += 1;
      this.ACTION(() => this.limitChain(length, result));
    });
    return result;
  });

  private limitChain(length: number, expression: Expression): void {
    if (length === longestChain) this.report(diagnose(syntaxMessages.textTooLong, expression.span, {}));
  }

  readonly callArguments: ParserMethod<[], readonly Argument[]> = this.rule("callArguments", () => {
    const values: Argument[] = [];
    this.CONSUME(t.LeftParenthesis);
    this.MANY({
      GATE: () => !this.next(t.RightParenthesis),
      DEF: () => {
        values.push(this.SUBRULE(this.argument));
        this.ACTION(() => this.behindArgument(values.at(-1)!.rest));
        this.OPTION(() => this.CONSUME(t.Comma));
      },
    });
    this.CONSUME(t.RightParenthesis);
    return values;
  });

  /** Behind an item of a parenthesis stands a comma, unless it is the last; what takes or gives the rest is always the last. */
  protected behindArgument(isLast: boolean): void {
    if (this.next(t.RightParenthesis) || (!isLast && this.next(t.Comma))) return;
    this.fail(isLast ? "`)`" : "`,` or `)`");
  }

  readonly argument: ParserMethod<[], Argument> = this.rule("argument", () => {
    const start = this.ACTION(() => this.LA(1));
    let rest = false;
    this.OPTION(() => {
      this.CONSUME(t.Ellipsis);
      rest = true;
    });
    const name = this.OPTION2({
      GATE: () => !rest && this.next(t.Colon, 2),
      DEF: () => {
        const token = this.CONSUME(t.Name);
        this.CONSUME(t.Colon);
        return token;
      },
    });
    const value = this.SUBRULE(this.expression);
    return this.ACTION(
      (): Argument => ({
        ...(name === undefined ? {} : { name: this.toName(name) }),
        value,
        rest,
        span: this.spanFrom(start),
      }),
    );
  });
}
