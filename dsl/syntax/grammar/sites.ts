import { EOF, type ParserMethod } from "chevrotain";
import * as t from "../tokens.js";
import type { Expression, SitePattern, SiteStep } from "../tree.js";
import { TypeGrammar } from "./types.js";

type Application = Extract<Expression, { kind: "adapt" }>["applications"][number];

/** `adapt blocks[*].{attn.q, mlp.up} with I(..) as L(..)`. */
export abstract class SiteGrammar extends TypeGrammar {
  abstract readonly binary: ParserMethod<[], Expression>;

  /** `adapt` is a name unless a site or `{` follows. */
  protected beginsAdapt(): boolean {
    if (!this.next(t.Adapt)) return false;
    if (this.next(t.LeftBrace, 2)) return true;
    if (!this.nameAt(2)) return false;
    const infix = this.next(t.With, 2) || this.next(t.At, 2) || this.next(t.As, 2);
    // `adapt at[*] with ..` changes the modules of a list called `at`; `adapt at first` is a module called `adapt`.
    return !infix || this.next(t.LeftBracket, 3) || this.next(t.Dot, 3) || this.next(t.With, 3);
  }

  readonly adapt: ParserMethod<[], Expression> = this.rule("adapt", () => {
    const start = this.CONSUME(t.Adapt);
    const applications: Application[] = [];
    this.OR([
      {
        ALT: () => {
          this.CONSUME(t.LeftBrace);
          this.MANY(() => {
            applications.push(this.SUBRULE(this.application));
            this.endOfItem();
            this.OPTION(() => this.SUBRULE(this.itemEnd));
          });
          this.requirePath();
          this.CONSUME(t.RightBrace);
          this.ACTION(() => {
            if (applications.length === 0) this.fail("the sites to change, followed by `as` and a layout");
          });
        },
      },
      {
        ALT: () => {
          applications.push(this.SUBRULE2(this.application));
        },
      },
    ]);
    this.CONSUME(t.As);
    const layout = this.SUBRULE(this.binary);
    let ragged = false;
    this.OPTION2(() => {
      this.CONSUME(t.Ragged);
      ragged = true;
    });
    return this.ACTION(() => ({ kind: "adapt", applications, layout, ragged, span: this.spanFrom(start) }));
  });

  readonly application: ParserMethod<[], Application> = this.rule("application", () => {
    const sites = this.SUBRULE(this.sitePattern);
    this.CONSUME(t.With);
    const used = this.SUBRULE(this.binary);
    return this.ACTION(
      (): Application => ({
        sites,
        interface: used,
        span: { ...sites.span, end: used.span.end },
      }),
    );
  });

  readonly sitePattern: ParserMethod<[], SitePattern> = this.rule("sitePattern", () => {
    const steps: SiteStep[] = [];
    const start = this.CONSUME(t.Name);
    this.ACTION(() => steps.push({ kind: "name", name: this.toName(start), span: this.spanOf(start) }));
    this.MANY({
      GATE: () => steps[steps.length - 1]?.kind !== "alternatives",
      DEF: () => {
        steps.push(
          this.OR<SiteStep>([
            {
              ALT: () => {
                this.CONSUME(t.Dot);
                return this.SUBRULE(this.siteName);
              },
            },
            { ALT: () => this.SUBRULE(this.siteItem) },
          ]),
        );
      },
    });
    return this.ACTION((): SitePattern => ({ steps, span: this.spanFrom(start) }));
  });

  readonly siteName: ParserMethod<[], SiteStep> = this.rule("siteName", () =>
    this.OR<SiteStep>({
      DEF: [
        {
          ALT: () => {
            const name = this.CONSUME(t.Name);
            return this.ACTION(() => ({ kind: "name", name: this.toName(name), span: this.spanOf(name) }));
          },
        },
        { ALT: () => this.SUBRULE(this.siteAlternatives) },
      ],
      ERR_MSG: "a member's name, or `{` with several,",
    }),
  );

  readonly siteAlternatives: ParserMethod<[], SiteStep> = this.rule("siteAlternatives", () => {
    const start = this.CONSUME(t.LeftBrace);
    const patterns: SitePattern[] = [];
    this.MANY(() => {
      patterns.push(this.SUBRULE(this.sitePattern));
      this.endOfItem();
      this.OPTION(() => this.SUBRULE(this.itemEnd));
    });
    this.requirePath();
    this.CONSUME(t.RightBrace);
    return this.ACTION((): SiteStep => {
      if (patterns.length === 0) this.fail("the members that are changed");
      return { kind: "alternatives", patterns, span: this.spanFrom(start) };
    });
  });

  readonly siteItem: ParserMethod<[], SiteStep> = this.rule("siteItem", () => {
    const start = this.CONSUME(t.LeftBracket);
    const step = this.OR<Omit<Extract<SiteStep, { kind: "each" | "item" }>, "span">>({
      DEF: [
        {
          ALT: () => {
            this.CONSUME(t.Star);
            const by = this.OPTION(() => {
              this.CONSUME(t.By);
              return this.SUBRULE(this.expression);
            });
            return { kind: "each", ...(by === undefined ? {} : { by }) };
          },
        },
        {
          ALT: () => {
            const index = this.SUBRULE2(this.expression);
            return { kind: "item", index };
          },
        },
      ],
      ERR_MSG: "`*` or an index",
    });
    this.CONSUME(t.RightBracket);
    return this.ACTION(() => ({ ...step, span: this.spanFrom(start) }) as SiteStep);
  });

  /** Items in braces are separated by commas or ends of lines. */
  readonly itemEnd: ParserMethod<[], void> = this.rule("itemEnd", () => {
    this.OR([{ ALT: () => this.CONSUME(t.Comma) }, { ALT: () => this.CONSUME(t.Newline) }]);
  });

  /** What stands in braces and does not close them is a path. */
  private requirePath(): void {
    this.ACTION(() => {
      if (!this.next(t.RightBrace) && !this.next(EOF)) this.fail("a path of modules");
    });
  }

  protected endOfItem(): void {
    this.ACTION(() => {
      if (!this.next(t.Comma) && !this.next(t.Newline) && !this.next(t.RightBrace)) this.fail("`,` or `}`");
    });
  }
}
