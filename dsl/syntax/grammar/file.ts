import type { ParserMethod } from "chevrotain";
import * as t from "../tokens.js";
import type {
  Declaration,
  Expression,
  FunctionDeclaration,
  Import,
  InterfaceDeclaration,
  Member,
  Name,
  StaticParameter,
} from "../tree.js";
import { stringValue } from "./literals.js";
import { MemberGrammar } from "./members.js";

export interface FileParts {
  readonly imports: readonly Import[];
  readonly declarations: readonly Declaration[];
}

/** The whole grammar. One instance serves all files. */
export class FileGrammar extends MemberGrammar {
  constructor(validate = false) {
    super(validate);
    this.performSelfAnalysis();
  }

  readonly file: ParserMethod<[], FileParts> = this.RULE("file", () => {
    const imports: Import[] = [];
    const declarations: Declaration[] = [];
    this.MANY(() => {
      const line = this.SUBRULE(this.declarationLine);
      this.ACTION(() => {
        if (line?.kind === "import") imports.push(line);
        else if (line !== undefined) declarations.push(line);
      });
      this.CONSUME(t.Newline);
    });
    return { imports, declarations };
  });

  /** A text that is one expression. */
  readonly lone: ParserMethod<[], Expression | undefined> = this.RULE("lone", () => {
    const expression = this.SUBRULE(this.loneLine);
    this.CONSUME(t.Newline);
    return expression;
  });

  readonly loneLine: ParserMethod<[], Expression | undefined> = this.lineRule("loneLine", "line", () =>
    this.SUBRULE(this.expression),
  );

  readonly declarationLine: ParserMethod<[], Import | Declaration | undefined> = this.lineRule(
    "declarationLine",
    "line",
    () => {
      const doc = this.ACTION(() => this.docAbove());
      const line = this.OR<Import | Declaration>({
        DEF: [
          { ALT: () => this.SUBRULE(this.importLine) },
          { ALT: () => this.SUBRULE(this.interfaceDeclaration) },
          { ALT: () => this.SUBRULE(this.holder) },
          { ALT: () => this.SUBRULE(this.topFunction) },
          { ALT: () => this.SUBRULE(this.strayDeclaration) },
        ],
        ERR_MSG: "a declaration",
        IGNORE_AMBIGUITIES: true,
      });
      return this.ACTION(() => (line.kind === "import" ? line : { ...line, ...doc }));
    },
  );

  readonly strayDeclaration: ParserMethod<[], never> = this.rule("strayDeclaration", () => {
    this.ACTION(() => this.fail("`import`, `module`, `interface`, `layout`, `model` or `fn`"));
    this.CONSUME(t.Anything);
    return undefined as never;
  });

  readonly importLine: ParserMethod<[], Import> = this.rule("importLine", () => {
    const start = this.CONSUME(t.Import);
    const names: Import["names"][number][] = [];
    this.CONSUME(t.LeftBrace);
    this.MANY(() => {
      names.push(this.SUBRULE(this.importedName));
      this.endOfItem();
      this.OPTION(() => this.SUBRULE(this.itemEnd));
    });
    this.CONSUME(t.RightBrace);
    this.CONSUME(t.From);
    const from = this.CONSUME(t.StringLiteral);
    return this.ACTION(
      (): Import => ({
        kind: "import",
        names,
        from: stringValue(from, this.path, (diagnostic) => this.report(diagnostic)),
        fromSpan: this.spanOf(from),
        span: this.spanFrom(start),
      }),
    );
  });

  readonly importedName: ParserMethod<[], Import["names"][number]> = this.rule("importedName", () => {
    const name = this.CONSUME(t.Name);
    const alias = this.OPTION(() => {
      this.CONSUME(t.As);
      return this.CONSUME2(t.Name);
    });
    return this.ACTION(() => ({
      name: this.toName(name),
      ...(alias === undefined ? {} : { alias: this.toName(alias) }),
    }));
  });

  /** A module, a layout or a model. */
  readonly holder: ParserMethod<[], Declaration> = this.rule("holder", () => {
    const start = this.OR([
      { ALT: () => this.CONSUME(t.Module) },
      { ALT: () => this.CONSUME(t.Layout) },
      { ALT: () => this.CONSUME(t.Model) },
    ]);
    const name = this.CONSUME(t.Name);
    const parameters: readonly StaticParameter[] = this.SUBRULE(this.staticParameters);
    const members: readonly Member[] = this.SUBRULE(this.members);
    return this.ACTION(() => ({
      kind: start.image as "module" | "layout" | "model",
      name: this.toName(name),
      parameters,
      members,
      span: this.spanFrom(start),
    }));
  });

  readonly interfaceDeclaration: ParserMethod<[], InterfaceDeclaration> = this.rule("interfaceDeclaration", () => {
    const start = this.CONSUME(t.Interface);
    const name = this.CONSUME(t.Name);
    const parameters = this.SUBRULE(this.staticParameters);
    this.CONSUME(t.On);
    const on: readonly Name[] = this.names();
    const members = this.SUBRULE(this.members);
    return this.ACTION(
      (): InterfaceDeclaration => ({
        kind: "interface",
        name: this.toName(name),
        parameters,
        on,
        members,
        span: this.spanFrom(start),
      }),
    );
  });

  readonly topFunction: ParserMethod<[], FunctionDeclaration> = this.rule("topFunction", () => {
    const start = this.CONSUME(t.Fn);
    const name = this.CONSUME(t.Name);
    const parameters = this.SUBRULE(this.parameters);
    const result = this.OPTION(() => {
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
}
