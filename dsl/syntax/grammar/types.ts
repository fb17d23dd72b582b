import type { ParserMethod } from "chevrotain";
import { syntaxMessages } from "../../diagnostics/messages/syntax.js";
import { diagnose } from "../../diagnostics/registry.js";
import * as t from "../tokens.js";
import type { Axis, Expression, NamedType, TensorType, TupleType, Type } from "../tree.js";
import { GrammarBase } from "./base.js";

const dtypes = new Set(["int", "bool", "float"]);

/** `[n, dim]`, `int[..24]`, `memory.tokens`, `([n], [m])`. */
export abstract class TypeGrammar extends GrammarBase {
  abstract readonly expression: ParserMethod<[], Expression>;

  readonly type: ParserMethod<[], Type> = this.rule("type", () =>
    this.OR<Type>({
      DEF: [
        { ALT: () => this.SUBRULE(this.tensorType) },
        { ALT: () => this.SUBRULE(this.tupleType) },
        {
          GATE: () => dtypes.has(this.LA(1).image) && this.next(t.LeftBracket, 2),
          ALT: () => this.SUBRULE(this.dtypeTensorType),
        },
        { ALT: () => this.SUBRULE(this.namedType) },
      ],
      ERR_MSG: "a shape",
      IGNORE_AMBIGUITIES: true,
    }),
  );

  /** `int[n]`, `bool[..., n]`; `float[n]` is `[n]`. */
  readonly dtypeTensorType: ParserMethod<[], TensorType> = this.rule("dtypeTensorType", () => {
    const dtype = this.CONSUME(t.Name);
    const tensor = this.SUBRULE(this.tensorType);
    return this.ACTION(
      (): TensorType => ({ ...tensor, dtype: dtype.image as TensorType["dtype"], span: this.spanFrom(dtype) }),
    );
  });

  readonly tensorType: ParserMethod<[], TensorType> = this.rule("tensorType", () => {
    const start = this.CONSUME(t.LeftBracket);
    const axes: Axis[] = [];
    this.MANY_SEP({
      SEP: t.Comma,
      DEF: () => {
        axes.push(this.SUBRULE(this.axis));
      },
    });
    this.CONSUME(t.RightBracket);
    return this.ACTION((): TensorType => {
      for (const axis of axes.slice(1)) {
        if (axis.kind === "leading") this.report(diagnose(syntaxMessages.leadingAxes, axis.span, {}));
      }
      return { kind: "tensor", dtype: "float", axes, span: this.spanFrom(start) };
    });
  });

  readonly axis: ParserMethod<[], Axis> = this.rule("axis", () =>
    this.OR<Axis>({
      DEF: [
        { ALT: () => this.SUBRULE(this.leadingAxis) },
        { ALT: () => this.SUBRULE(this.upToAxis) },
        { GATE: () => this.next(t.Colon, 2), ALT: () => this.SUBRULE(this.labelledAxis) },
        {
          ALT: () => {
            const size = this.SUBRULE(this.expression);
            return this.ACTION((): Axis => ({ kind: "size", size, span: size.span }));
          },
        },
      ],
      ERR_MSG: "a size",
      IGNORE_AMBIGUITIES: true,
    }),
  );

  readonly leadingAxis: ParserMethod<[], Axis> = this.rule("leadingAxis", () => {
    const start = this.CONSUME(t.Ellipsis);
    const sizes = this.OPTION({
      GATE: () => !this.next(t.Comma) && !this.next(t.RightBracket),
      DEF: () => this.SUBRULE(this.expression),
    });
    return this.ACTION(
      (): Axis =>
        sizes === undefined
          ? { kind: "leading", span: this.spanFrom(start) }
          : { kind: "spread", sizes, span: this.spanFrom(start) },
    );
  });

  readonly upToAxis: ParserMethod<[], Axis> = this.rule("upToAxis", () => {
    const start = this.CONSUME(t.DotDot);
    const size = this.SUBRULE(this.expression);
    return this.ACTION((): Axis => ({ kind: "upTo", size, span: this.spanFrom(start) }));
  });

  readonly labelledAxis: ParserMethod<[], Axis> = this.rule("labelledAxis", () => {
    const label = this.CONSUME(t.Name);
    this.CONSUME(t.Colon);
    const size = this.SUBRULE(this.expression);
    return this.ACTION((): Axis => ({ kind: "size", label: this.toName(label), size, span: this.spanFrom(label) }));
  });

  readonly tupleType: ParserMethod<[], TupleType> = this.rule("tupleType", () => {
    const start = this.CONSUME(t.LeftParenthesis);
    const items: Type[] = [];
    this.AT_LEAST_ONE_SEP({
      SEP: t.Comma,
      DEF: () => {
        items.push(this.SUBRULE(this.type));
      },
    });
    this.CONSUME(t.RightParenthesis);
    return this.ACTION((): TupleType => {
      const span = this.spanFrom(start);
      if (items.length === 1) this.report(diagnose(syntaxMessages.lonelyTuple, span, {}));
      return { kind: "tuple", items, span };
    });
  });

  readonly namedType: ParserMethod<[], NamedType> = this.rule("namedType", () => {
    const start = this.CONSUME(t.Name);
    const path = [this.ACTION(() => this.toName(start))];
    this.MANY(() => {
      this.CONSUME(t.Dot);
      const step = this.CONSUME2(t.Name);
      this.ACTION(() => path.push(this.toName(step)));
    });
    return this.ACTION((): NamedType => ({ kind: "named", path, span: this.spanFrom(start) }));
  });
}
