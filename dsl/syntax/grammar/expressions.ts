import type { IToken, ParserMethod } from "chevrotain";
import { syntaxMessages } from "../../diagnostics/messages/syntax.js";
import { diagnose } from "../../diagnostics/registry.js";
import * as t from "../tokens.js";
import type { Argument, Block, ConfigEntry, Expression, IndexItem, Name } from "../tree.js";
import { floatValue, intValue, stringValue } from "./literals.js";
import { combine, longestChain, type Operand } from "./precedence.js";
import { SiteGrammar } from "./sites.js";

const longestElseIf = 60;

type Branch = { readonly start: IToken; readonly condition: Expression; readonly then: Block };

/** Expressions, from `if` down to literals. Binary operators are read flat and given their order by `combine`. */
export abstract class ExpressionGrammar extends SiteGrammar {
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
        this.separator(t.RightParenthesis);
        this.OPTION(() => this.CONSUME(t.Comma));
      },
    });
    this.CONSUME(t.RightParenthesis);
    return values;
  });

  /** Between two items of a bracket stands a comma. */
  private separator(closer: IToken["tokenType"]): void {
    this.ACTION(() => {
      if (!this.next(t.Comma) && !this.next(closer)) this.fail(`\`,\` or \`${closer.LABEL}\``);
    });
  }

  readonly argument: ParserMethod<[], Argument> = this.rule("argument", () => {
    const start = this.ACTION(() => this.LA(1));
    const name = this.OPTION({
      GATE: () => this.next(t.Colon, 2),
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
        span: this.spanFrom(start),
      }),
    );
  });

  readonly index: ParserMethod<[], readonly IndexItem[]> = this.rule("index", () => {
    const items: IndexItem[] = [];
    this.CONSUME(t.LeftBracket);
    this.AT_LEAST_ONE_SEP({
      SEP: t.Comma,
      DEF: () => {
        items.push(this.SUBRULE(this.indexItem));
      },
      ERR_MSG: "an index",
    });
    this.CONSUME(t.RightBracket);
    return items;
  });

  readonly indexItem: ParserMethod<[], IndexItem> = this.rule("indexItem", () => {
    const first = this.ACTION(() => this.LA(1));
    return this.OR<IndexItem>({
      DEF: [
        {
          ALT: () => {
            this.CONSUME(t.Ellipsis);
            return this.ACTION(() => ({ kind: "ellipsis", span: this.spanFrom(first) }));
          },
        },
        {
          ALT: () => {
            this.CONSUME(t.Colon);
            return this.SUBRULE(this.sliceEnd, { ARGS: [first, undefined] });
          },
        },
        {
          ALT: () => {
            const value = this.SUBRULE(this.expression);
            const slice = this.OPTION(() => {
              this.CONSUME2(t.Colon);
              return this.SUBRULE2(this.sliceEnd, { ARGS: [first, value] });
            });
            return this.ACTION((): IndexItem => {
              if (slice !== undefined) return slice;
              const newAxis = value.kind === "name" && value.name === "none";
              return newAxis ? { kind: "new_axis", span: value.span } : { kind: "at", value, span: value.span };
            });
          },
        },
      ],
      ERR_MSG: "an index",
    });
  });

  /** What follows the first `:` of a slice. */
  readonly sliceEnd: ParserMethod<[IToken, Expression | undefined], IndexItem> = this.RULE(
    "sliceEnd",
    (first: IToken, start: Expression | undefined) => {
      const stop = this.OPTION(() => this.SUBRULE(this.expression));
      const step = this.OPTION2(() => {
        this.CONSUME(t.Colon);
        return this.OPTION3(() => this.SUBRULE2(this.expression));
      });
      return this.ACTION(
        (): IndexItem => ({
          kind: "slice",
          ...(start === undefined ? {} : { start }),
          ...(stop === undefined ? {} : { stop }),
          ...(step === undefined ? {} : { step }),
          span: this.spanFrom(first),
        }),
      );
    },
    { resyncEnabled: false },
  );

  readonly primary: ParserMethod<[], Expression> = this.rule("primary", () =>
    this.OR<Expression>({
      DEF: [
        { ALT: () => this.SUBRULE(this.literal) },
        {
          ALT: () => {
            const name = this.CONSUME(t.Name);
            return this.ACTION(() => ({ kind: "name", name: name.image, span: this.spanOf(name) }));
          },
        },
        { ALT: () => this.SUBRULE(this.tupleOrGroup) },
        { ALT: () => this.SUBRULE(this.list) },
      ],
      ERR_MSG: "an expression",
    }),
  );

  readonly literal: ParserMethod<[], Expression> = this.rule("literal", () => {
    const first = this.ACTION(() => this.LA(1));
    const report = this.reportNow;
    return this.OR<Expression>([
      {
        ALT: () => {
          const token = this.CONSUME(t.IntLiteral);
          return this.ACTION(() => ({
            kind: "int",
            value: intValue(token, this.spanOf(token), report),
            span: this.spanOf(token),
          }));
        },
      },
      {
        ALT: () => {
          const token = this.CONSUME(t.FloatLiteral);
          return this.ACTION(() => ({ kind: "float", value: floatValue(token), span: this.spanOf(token) }));
        },
      },
      {
        ALT: () => {
          const token = this.CONSUME(t.StringLiteral);
          return this.ACTION(() => ({
            kind: "string",
            value: stringValue(token, this.path, report),
            span: this.spanOf(token),
          }));
        },
      },
      {
        ALT: () => {
          this.CONSUME(t.True);
          return this.ACTION(() => ({ kind: "bool", value: true, span: this.spanOf(first) }));
        },
      },
      {
        ALT: () => {
          this.CONSUME(t.False);
          return this.ACTION(() => ({ kind: "bool", value: false, span: this.spanOf(first) }));
        },
      },
    ]);
  });

  /** `(a)` is `a`; `(a, b)` is a tuple. */
  readonly tupleOrGroup: ParserMethod<[], Expression> = this.rule("tupleOrGroup", () => {
    const start = this.CONSUME(t.LeftParenthesis);
    const items = [this.SUBRULE(this.expression)];
    let commas = 0;
    this.MANY({
      GATE: () => this.next(t.Comma),
      DEF: () => {
        this.CONSUME(t.Comma);
        commas += 1;
        this.OPTION({
          GATE: () => !this.next(t.RightParenthesis),
          DEF: () => {
            items.push(this.SUBRULE2(this.expression));
          },
        });
      },
    });
    this.CONSUME(t.RightParenthesis);
    return this.ACTION((): Expression => {
      const span = this.spanFrom(start);
      if (items.length > 1) return { kind: "tuple", items, span };
      if (commas > 0) this.report(diagnose(syntaxMessages.lonelyTuple, span, {}));
      return { ...items[0]!, span };
    });
  });

  readonly list: ParserMethod<[], Expression> = this.rule("list", () => {
    const start = this.CONSUME(t.LeftBracket);
    const items: Expression[] = [];
    let comprehension: Omit<Extract<Expression, { kind: "comprehension" }>, "kind" | "value" | "span"> | undefined;
    this.OPTION({
      GATE: () => !this.next(t.RightBracket),
      DEF: () => {
        items.push(this.SUBRULE(this.expression));
        this.OR([
          {
            ALT: () => {
              this.CONSUME(t.For);
              const target = this.SUBRULE(this.loopNames);
              this.CONSUME(t.In);
              const iterable = this.SUBRULE2(this.expression);
              const condition = this.OPTION2(() => {
                this.CONSUME(t.If);
                return this.SUBRULE3(this.expression);
              });
              comprehension = { ...target, iterable, ...(condition === undefined ? {} : { condition }) };
            },
          },
          {
            ALT: () => {
              this.MANY(() => {
                this.CONSUME(t.Comma);
                this.OPTION3({
                  GATE: () => !this.next(t.RightBracket),
                  DEF: () => {
                    items.push(this.SUBRULE4(this.expression));
                  },
                });
              });
            },
          },
        ]);
      },
    });
    this.CONSUME(t.RightBracket);
    return this.ACTION((): Expression => {
      const span = this.spanFrom(start);
      return comprehension === undefined
        ? { kind: "list", items, span }
        : { kind: "comprehension", value: items[0]!, ...comprehension, span };
    });
  });

  /** `x` or `(a, b)` before `in` and after `let`. */
  readonly loopNames: ParserMethod<[], { readonly names: readonly Name[]; readonly tuple: boolean }> = this.rule(
    "loopNames",
    () => {
      const names: Name[] = [];
      return this.OR({
        DEF: [
          {
            ALT: () => {
              const name = this.CONSUME(t.Name);
              return this.ACTION(() => ({ names: [this.toName(name)], tuple: false }));
            },
          },
          {
            ALT: () => {
              this.CONSUME(t.LeftParenthesis);
              this.AT_LEAST_ONE_SEP({
                SEP: t.Comma,
                DEF: () => {
                  const name = this.CONSUME2(t.Name);
                  this.ACTION(() => names.push(this.toName(name)));
                },
                ERR_MSG: "a name",
              });
              this.CONSUME(t.RightParenthesis);
              return { names, tuple: true };
            },
          },
        ],
        ERR_MSG: "a name, or names in parentheses,",
      });
    },
  );
}
