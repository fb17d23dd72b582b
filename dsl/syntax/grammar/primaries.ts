import type { IToken, ParserMethod } from "chevrotain";
import { syntaxMessages } from "../../diagnostics/messages/syntax.js";
import { diagnose } from "../../diagnostics/registry.js";
import * as t from "../tokens.js";
import type { Expression, IndexItem, Name } from "../tree.js";
import { floatValue, intValue, stringValue } from "./literals.js";
import { SiteGrammar } from "./sites.js";

/** What expressions are made of: literals, names, lists and tuples, and indices. */
export abstract class PrimaryGrammar extends SiteGrammar {
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
