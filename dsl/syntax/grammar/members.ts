import type { ParserMethod, TokenType } from "chevrotain";
import * as t from "../tokens.js";
import type {
  CollectDeclaration,
  Conditional,
  EvaluateDeclaration,
  Expression,
  Field,
  FunctionDeclaration,
  Given,
  Member,
  Name,
  Parameter,
  SampleDeclaration,
  StaticParameter,
  TrainDeclaration,
  Type,
  Weight,
} from "../tree.js";
import { StatementGrammar } from "./statements.js";

const storages: readonly TokenType[] = [t.Param, t.Slot, t.Frozen];

/** What stands in a module, an interface, a layout or a model. */
export abstract class MemberGrammar extends StatementGrammar {
  readonly members: ParserMethod<[], readonly Member[]> = this.rule("members", () => {
    const members: Member[] = [];
    this.CONSUME(t.LeftBrace);
    this.MANY(() => {
      const member = this.SUBRULE(this.member);
      this.ACTION(() => {
        if (member !== undefined) members.push(member);
      });
      this.SUBRULE(this.itemEnd);
    });
    this.CONSUME(t.RightBrace);
    return members;
  });

  readonly member: ParserMethod<[], Member | undefined> = this.lineRule("member", "entry", () => {
    const named = (word: TokenType) => this.next(word) && this.nameAt(2);
    const doc = this.ACTION(() => this.docAbove());
    const member = this.OR<Member>({
      DEF: [
        { ALT: () => this.SUBRULE(this.conditional) },
        { ALT: () => this.SUBRULE(this.assertion) },
        { GATE: () => this.beginsWeight(), ALT: () => this.SUBRULE(this.weight) },
        { GATE: () => named(t.Given), ALT: () => this.SUBRULE(this.given) },
        { GATE: () => named(t.Train) || named(t.Evaluate), ALT: () => this.SUBRULE(this.stage) },
        { GATE: () => named(t.Sample), ALT: () => this.SUBRULE(this.sample) },
        { GATE: () => named(t.Collect), ALT: () => this.SUBRULE(this.collect) },
        {
          GATE: () => named(t.Fn) || (this.nameAt(1) && this.next(t.LeftParenthesis, 2)),
          ALT: () => this.SUBRULE(this.method),
        },
        { GATE: () => this.next(t.Assign, 2), ALT: () => this.SUBRULE(this.field) },
        { ALT: () => this.SUBRULE(this.strayMember) },
      ],
      ERR_MSG: "a member",
      IGNORE_AMBIGUITIES: true,
    });
    return this.ACTION(() => withDoc(member, doc));
  });

  private beginsWeight(): boolean {
    const at = this.next(t.Shared) && storages.includes(this.LA(2).tokenType) && this.nameAt(3) ? 2 : 1;
    return storages.includes(this.LA(at).tokenType) && this.nameAt(at + 1);
  }

  readonly strayMember: ParserMethod<[], never> = this.rule("strayMember", () => {
    this.ACTION(() => {
      if (!this.nameAt(1)) this.fail("a member");
    });
    this.CONSUME(t.Anything);
    this.ACTION(() => this.fail("`=`"));
    return undefined as never;
  });

  readonly conditional: ParserMethod<[], Conditional> = this.rule("conditional", () => {
    const branches: Omit<Conditional, "kind" | "otherwise" | "span">[] = [];
    const starts = [this.CONSUME(t.If)];
    const condition = this.SUBRULE(this.expression);
    const readBranch = (condition: Expression, then: readonly Member[]) => branches.push({ condition, then });
    readBranch(condition, this.SUBRULE(this.members));
    let otherwise: readonly Member[] | undefined;
    this.MANY({
      GATE: () => otherwise === undefined,
      DEF: () => {
        this.CONSUME(t.Else);
        this.OR({
          DEF: [
            {
              ALT: () => {
                starts.push(this.CONSUME2(t.If));
                const inner = this.SUBRULE2(this.expression);
                readBranch(inner, this.SUBRULE2(this.members));
              },
            },
            {
              ALT: () => {
                otherwise = this.SUBRULE3(this.members);
              },
            },
          ],
          ERR_MSG: "`if` or `{`",
        });
      },
    });
    return this.ACTION((): Conditional => {
      let rest = otherwise ?? [];
      for (let place = branches.length - 1; place > 0; place -= 1) {
        rest = [{ kind: "conditional", ...branches[place]!, otherwise: rest, span: this.spanFrom(starts[place]!) }];
      }
      return { kind: "conditional", ...branches[0]!, otherwise: rest, span: this.spanFrom(starts[0]!) };
    });
  });

  readonly weight: ParserMethod<[], Weight> = this.rule("weight", () => {
    const start = this.ACTION(() => this.LA(1));
    let shared = false;
    this.OPTION({
      GATE: () => this.next(t.Shared) && !this.next(t.Colon, 3),
      DEF: () => {
        this.CONSUME(t.Shared);
        shared = true;
      },
    });
    const storage = this.OR([
      { ALT: () => this.CONSUME(t.Param) },
      { ALT: () => this.CONSUME(t.Slot) },
      { ALT: () => this.CONSUME(t.Frozen) },
    ]);
    const name = this.CONSUME(t.Name);
    this.CONSUME(t.Colon);
    const type = this.SUBRULE(this.type);
    const initial = this.OPTION2(() => {
      this.CONSUME(t.Assign);
      return this.SUBRULE(this.expression);
    });
    return this.ACTION(
      (): Weight => ({
        kind: "weight",
        storage: storage.image as Weight["storage"],
        shared,
        name: this.toName(name),
        type,
        ...(initial === undefined ? {} : { initial }),
        span: this.spanFrom(start),
      }),
    );
  });

  readonly given: ParserMethod<[], Given> = this.rule("given", () => {
    const start = this.CONSUME(t.Given);
    const name = this.CONSUME(t.Name);
    this.CONSUME(t.Colon);
    const type = this.SUBRULE(this.type);
    return this.ACTION((): Given => ({ kind: "given", name: this.toName(name), type, span: this.spanFrom(start) }));
  });

  readonly field: ParserMethod<[], Field> = this.rule("field", () => {
    const name = this.CONSUME(t.Name);
    this.CONSUME(t.Assign);
    const value = this.SUBRULE(this.expression);
    return this.ACTION((): Field => ({ kind: "field", name: this.toName(name), value, span: this.spanFrom(name) }));
  });

  readonly method: ParserMethod<[], FunctionDeclaration> = this.rule("method", () => {
    const start = this.ACTION(() => this.LA(1));
    this.OPTION({ GATE: () => !this.next(t.LeftParenthesis, 2), DEF: () => this.CONSUME(t.Fn) });
    const name = this.CONSUME(t.Name);
    const parameters = this.SUBRULE(this.parameters);
    const result = this.OPTION2(() => {
      this.CONSUME(t.Arrow);
      return this.SUBRULE(this.type);
    });
    const body = this.SUBRULE(this.block);
    return this.ACTION(
      (): FunctionDeclaration => ({
        kind: "function",
        name: this.toName(name),
        parameters,
        ...(result === undefined ? {} : { result }),
        body,
        span: this.spanFrom(start),
      }),
    );
  });

  readonly parameters: ParserMethod<[], readonly Parameter[]> = this.rule("parameters", () => {
    const parameters: Parameter[] = [];
    this.CONSUME(t.LeftParenthesis);
    this.MANY(() => {
      parameters.push(this.SUBRULE(this.parameter));
      this.ACTION(() => this.behindArgument(parameters.at(-1)!.rest));
      this.OPTION(() => this.CONSUME(t.Comma));
    });
    this.CONSUME(t.RightParenthesis);
    return parameters;
  });

  readonly parameter: ParserMethod<[], Parameter> = this.rule("parameter", () =>
    this.OR<Parameter>({
      DEF: [{ ALT: () => this.SUBRULE(this.restParameter) }, { ALT: () => this.SUBRULE(this.plainParameter) }],
      ERR_MSG: "a name",
    }),
  );

  readonly restParameter: ParserMethod<[], Parameter> = this.rule("restParameter", () => {
    const start = this.CONSUME(t.Ellipsis);
    const name = this.CONSUME(t.Name);
    return this.ACTION(
      (): Parameter => ({ name: this.toName(name), shared: false, rest: true, span: this.spanFrom(start) }),
    );
  });

  readonly plainParameter: ParserMethod<[], Parameter> = this.rule("plainParameter", () => {
    const start = this.ACTION(() => this.LA(1));
    let shared = false;
    this.OPTION({
      GATE: () => this.next(t.Shared) && this.nameAt(2),
      DEF: () => {
        this.CONSUME(t.Shared);
        shared = true;
      },
    });
    const name = this.CONSUME(t.Name);
    const type = this.OPTION2(() => {
      this.CONSUME(t.Colon);
      return this.SUBRULE(this.type);
    });
    const initial = this.OPTION3(() => {
      this.CONSUME(t.Assign);
      return this.SUBRULE(this.expression);
    });
    return this.ACTION(
      (): Parameter => ({
        name: this.toName(name),
        ...(type === undefined ? {} : { type }),
        ...(initial === undefined ? {} : { default: initial }),
        shared,
        rest: false,
        span: this.spanFrom(start),
      }),
    );
  });

  /** Compile-time parameters; the parentheses may be left out where there are none. */
  readonly staticParameters: ParserMethod<[], readonly StaticParameter[]> = this.rule("staticParameters", () => {
    const parameters: StaticParameter[] = [];
    this.OPTION(() => {
      this.CONSUME(t.LeftParenthesis);
      this.MANY(() => {
        parameters.push(this.SUBRULE(this.staticParameter));
        this.ACTION(() => {
          if (!this.next(t.Comma) && !this.next(t.RightParenthesis)) this.fail("`,` or `)`");
        });
        this.OPTION2(() => this.CONSUME(t.Comma));
      });
      this.CONSUME(t.RightParenthesis);
    });
    return parameters;
  });

  readonly staticParameter: ParserMethod<[], StaticParameter> = this.rule("staticParameter", () => {
    const name = this.CONSUME(t.Name);
    this.CONSUME(t.Colon);
    const type: Type = this.SUBRULE(this.namedType);
    const initial: Expression | undefined = this.OPTION(() => {
      this.CONSUME(t.Assign);
      return this.SUBRULE(this.expression);
    });
    return this.ACTION(
      (): StaticParameter => ({
        name: this.toName(name),
        type,
        ...(initial === undefined ? {} : { default: initial }),
        span: this.spanFrom(name),
      }),
    );
  });

  readonly stage: ParserMethod<[], TrainDeclaration | EvaluateDeclaration> = this.rule("stage", () => {
    const start = this.OR([{ ALT: () => this.CONSUME(t.Train) }, { ALT: () => this.CONSUME(t.Evaluate) }]);
    const name = this.CONSUME(t.Name);
    this.CONSUME(t.On);
    const on = this.CONSUME2(t.Name);
    const entries = this.SUBRULE(this.config);
    return this.ACTION(() => ({
      kind: start.image as "train" | "evaluate",
      name: this.toName(name),
      on: this.toName(on),
      entries,
      span: this.spanFrom(start),
    }));
  });

  readonly sample: ParserMethod<[], SampleDeclaration> = this.rule("sample", () => {
    const start = this.CONSUME(t.Sample);
    const name = this.CONSUME(t.Name);
    const entries = this.SUBRULE(this.config);
    return this.ACTION(
      (): SampleDeclaration => ({ kind: "sample", name: this.toName(name), entries, span: this.spanFrom(start) }),
    );
  });

  readonly collect: ParserMethod<[], CollectDeclaration> = this.rule("collect", () => {
    const start = this.CONSUME(t.Collect);
    const name = this.CONSUME(t.Name);
    this.CONSUME(t.Into);
    const into = this.SUBRULE(this.expression);
    const entries = this.SUBRULE(this.config);
    return this.ACTION(
      (): CollectDeclaration => ({
        kind: "collect",
        name: this.toName(name),
        into,
        entries,
        span: this.spanFrom(start),
      }),
    );
  });

  protected names(): Name[] {
    const names: Name[] = [];
    this.AT_LEAST_ONE_SEP({
      SEP: t.Comma,
      DEF: () => {
        const name = this.CONSUME9(t.Name);
        this.ACTION(() => names.push(this.toName(name)));
      },
      ERR_MSG: "a module's name",
    });
    return names;
  }
}

function withDoc(member: Member, doc: { doc?: string }): Member {
  return member.kind === "given" || member.kind === "conditional" || member.kind === "assert"
    ? member
    : { ...member, ...doc };
}
