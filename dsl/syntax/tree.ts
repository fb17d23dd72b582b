/**
 * The syntax tree of a `.weft` file. Plain data; every node has the span of its text. The parser fills it, `check` and
 * `src/build` read it, the formatter prints it.
 */
import type { Span } from "../diagnostics/diagnostic.js";

export interface Name {
  readonly text: string;
  readonly span: Span;
}

export interface File {
  readonly kind: "file";
  readonly path: string;
  readonly text: string;
  readonly imports: readonly Import[];
  readonly declarations: readonly Declaration[];
  readonly span: Span;
}

/** `import { Linear, RMSNorm as Norm } from "std/layers"` */
export interface Import {
  readonly kind: "import";
  readonly names: readonly { readonly name: Name; readonly alias?: Name }[];
  readonly from: string;
  readonly fromSpan: Span;
  readonly span: Span;
}

export type Declaration =
  | ModuleDeclaration
  | InterfaceDeclaration
  | LayoutDeclaration
  | ModelDeclaration
  | FunctionDeclaration;

interface DeclarationBase {
  readonly name: Name;
  /** The text of the `///` lines above, without the slashes. */
  readonly doc?: string;
  readonly span: Span;
}

export interface ModuleDeclaration extends DeclarationBase {
  readonly kind: "module";
  readonly parameters: readonly StaticParameter[];
  readonly members: readonly Member[];
}

/** `interface LoRA(rank: int) on Linear { slot A: [..] = ..  forward(x) { .. } }` */
export interface InterfaceDeclaration extends DeclarationBase {
  readonly kind: "interface";
  readonly parameters: readonly StaticParameter[];
  /** Names of the modules it may be applied to. */
  readonly on: readonly Name[];
  readonly members: readonly Member[];
}

/** `layout Flat(rows: int, columns: int) { rows = ..  columns = ..  tokens(slot: [...]) -> [t, rows, columns] { .. } }` */
export interface LayoutDeclaration extends DeclarationBase {
  readonly kind: "layout";
  readonly parameters: readonly StaticParameter[];
  readonly members: readonly Member[];
}

export interface ModelDeclaration extends DeclarationBase {
  readonly kind: "model";
  readonly parameters: readonly StaticParameter[];
  readonly members: readonly Member[];
}

/** A top-level `fn` (a pure helper) or a model's `fn` (an entry point, unless it takes a module or an operator). */
export interface FunctionDeclaration extends DeclarationBase {
  readonly kind: "function";
  readonly parameters: readonly Parameter[];
  readonly result?: Type;
  readonly body: Block;
}

/** A parameter fixed at compile time. */
export interface StaticParameter {
  readonly name: Name;
  /** `int`, `float`, `bool`, `string`, `list`, `initializer`, `grid`, `module`, `function`, `axis`, or a module's name. */
  readonly type: Type;
  readonly default?: Expression;
  readonly span: Span;
}

/** A parameter of a function or method. */
export interface Parameter {
  readonly name: Name;
  /** Absent in an interface's methods, which take the types of the method they replace. */
  readonly type?: Type;
  readonly default?: Expression;
  /** `shared`: has no instance axis. */
  readonly shared: boolean;
  /** `...rest`: takes all further arguments; the last parameter, without type or default. */
  readonly rest: boolean;
  readonly span: Span;
}

export type Member =
  | Field
  | Weight
  | Given
  | FunctionDeclaration
  | Conditional
  | Assertion
  | TrainDeclaration
  | EvaluateDeclaration
  | SampleDeclaration
  | CollectDeclaration;

/** `norm = RMSNorm(dim)`, `blocks = [Block(dim)] * depth`, `memory = adapt ..`, `rows = 4`: a submodule or a compile-time value. */
export interface Field {
  readonly kind: "field";
  readonly name: Name;
  readonly value: Expression;
  readonly doc?: string;
  readonly span: Span;
}

/**
 * `param weight: [out, in] = kaiming()`, `slot A: [rank, in] = zeros()`, `frozen projection: [r, d] = normal(1.0)`. `shared` before
 * it: one for the whole application of an interface instead of one per site.
 */
export interface Weight {
  readonly kind: "weight";
  readonly storage: "param" | "slot" | "frozen";
  readonly shared: boolean;
  readonly name: Name;
  readonly type: Type;
  readonly initial?: Expression;
  readonly doc?: string;
  readonly span: Span;
}

/** `given t: []`: a value passed where the operator is used. */
export interface Given {
  readonly kind: "given";
  readonly name: Name;
  readonly type: Type;
  readonly span: Span;
}

/** `if bias { param bias: [n] = zeros() } else { .. }` among members. */
export interface Conditional {
  readonly kind: "conditional";
  readonly condition: Expression;
  readonly then: readonly Member[];
  readonly otherwise: readonly Member[];
  readonly span: Span;
}

/** `assert dim % heads == 0, "heads must divide dim"`; a member and a statement. */
export interface Assertion {
  readonly kind: "assert";
  readonly condition: Expression;
  readonly message?: Expression;
  readonly span: Span;
}

export interface ConfigEntry {
  readonly key: Name;
  readonly value: Expression;
  readonly span: Span;
}

/** `train edit on loss { update: [generator], .. }` */
export interface TrainDeclaration extends DeclarationBase {
  readonly kind: "train";
  readonly on: Name;
  readonly entries: readonly ConfigEntry[];
}

/** `evaluate quality on loss { after: edit, data: held_out }` */
export interface EvaluateDeclaration extends DeclarationBase {
  readonly kind: "evaluate";
  readonly on: Name;
  readonly entries: readonly ConfigEntry[];
}

/** `sample edit { once: operators, step: velocity, solver: euler(steps: 50) }` */
export interface SampleDeclaration extends DeclarationBase {
  readonly kind: "sample";
  readonly entries: readonly ConfigEntry[];
}

/** `collect average into shared { mean: operators, data: train, after: edit }` */
export interface CollectDeclaration extends DeclarationBase {
  readonly kind: "collect";
  readonly into: Expression;
  readonly entries: readonly ConfigEntry[];
}

// ---------------------------------------------------------------------------------------------------------------- types

export type Type = TensorType | NamedType | TupleType;

/** `[n, dim]`, `int[..24]`, `bool[..., n, m]`, `[]`. */
export interface TensorType {
  readonly kind: "tensor";
  readonly dtype: "float" | "int" | "bool";
  readonly axes: readonly Axis[];
  readonly span: Span;
}

export type Axis =
  /** `...`: any leading axes; only first. */
  | { readonly kind: "leading"; readonly span: Span }
  /** `..24`: a column of at most 24, with a mask beside it. */
  | { readonly kind: "upTo"; readonly size: Expression; readonly span: Span }
  /** `n`, `2 * dim`, `r: rank` (labelled). */
  | { readonly kind: "size"; readonly label?: Name; readonly size: Expression; readonly span: Span }
  /** `...grid.shape`: a compile-time list of sizes. */
  | { readonly kind: "spread"; readonly sizes: Expression; readonly span: Span };

/** `int`, `grid`, `Denoiser`, `memory.tokens`. */
export interface NamedType {
  readonly kind: "named";
  readonly path: readonly Name[];
  readonly span: Span;
}

export interface TupleType {
  readonly kind: "tuple";
  readonly items: readonly Type[];
  readonly span: Span;
}

// ------------------------------------------------------------------------------------------------------------ statements

export interface Block {
  readonly kind: "block";
  readonly statements: readonly Statement[];
  /** The block's value: its last expression, when it ends with one. */
  readonly value?: Expression;
  readonly span: Span;
}

export type Statement = Let | Assign | Assertion | For | ExpressionStatement;

/** `let y = f(x)`, `let (a, b) = split(y, 2)`. Shadows from the next line on. */
export interface Let {
  readonly kind: "let";
  readonly names: readonly Name[];
  /** Whether the names stand in parentheses: the value is a tuple. */
  readonly tuple: boolean;
  readonly value: Expression;
  readonly span: Span;
}

/** `x = block(x)`: rebinds a name bound by `let` or a parameter in an enclosing block of the same function; how a `for` carries values. */
export interface Assign {
  readonly kind: "assign";
  readonly names: readonly Name[];
  readonly tuple: boolean;
  readonly value: Expression;
  readonly span: Span;
}

/** `for block in blocks { .. }`, `for (a, b) in zip(xs, ys) { .. }`: unrolled. */
export interface For {
  readonly kind: "for";
  readonly names: readonly Name[];
  readonly tuple: boolean;
  readonly iterable: Expression;
  readonly body: Block;
  readonly span: Span;
}

/** An expression that is not the block's value, e.g. an `if` without value in the middle of a block. */
export interface ExpressionStatement {
  readonly kind: "expression";
  readonly expression: Expression;
  readonly span: Span;
}

// ----------------------------------------------------------------------------------------------------------- expressions

export type Expression =
  | { readonly kind: "int"; readonly value: number; readonly span: Span }
  | { readonly kind: "float"; readonly value: number; readonly span: Span }
  | { readonly kind: "string"; readonly value: string; readonly span: Span }
  | { readonly kind: "bool"; readonly value: boolean; readonly span: Span }
  | { readonly kind: "name"; readonly name: string; readonly span: Span }
  | { readonly kind: "member"; readonly object: Expression; readonly member: Name; readonly span: Span }
  | { readonly kind: "call"; readonly callee: Expression; readonly arguments: readonly Argument[]; readonly span: Span }
  | { readonly kind: "index"; readonly object: Expression; readonly items: readonly IndexItem[]; readonly span: Span }
  | { readonly kind: "unary"; readonly operator: UnaryOperator; readonly operand: Expression; readonly span: Span }
  | {
      readonly kind: "binary";
      readonly operator: BinaryOperator;
      readonly left: Expression;
      readonly right: Expression;
      readonly operatorSpan: Span;
      readonly span: Span;
    }
  | { readonly kind: "list"; readonly items: readonly Expression[]; readonly span: Span }
  | { readonly kind: "tuple"; readonly items: readonly Expression[]; readonly span: Span }
  | {
      /** `[Linear(d, k.count) for k in kinds if k.count > 0]` */
      readonly kind: "comprehension";
      readonly value: Expression;
      readonly names: readonly Name[];
      readonly tuple: boolean;
      readonly iterable: Expression;
      readonly condition?: Expression;
      readonly span: Span;
    }
  | {
      readonly kind: "if";
      readonly condition: Expression;
      readonly then: Block;
      readonly otherwise?: Block;
      readonly span: Span;
    }
  | { readonly kind: "with"; readonly module: Expression; readonly operator: Expression; readonly span: Span }
  | {
      /** `base with { weight: w }` */
      readonly kind: "replace";
      readonly module: Expression;
      readonly entries: readonly ConfigEntry[];
      readonly span: Span;
    }
  | { readonly kind: "at"; readonly module: Expression; readonly stage: Name; readonly span: Span }
  | {
      readonly kind: "adapt";
      readonly applications: readonly {
        readonly sites: SitePattern;
        readonly interface: Expression;
        readonly span: Span;
      }[];
      /** The layout after `as`. */
      readonly layout: Expression;
      readonly ragged: boolean;
      readonly span: Span;
    };

export type UnaryOperator = "-" | "not";
export type BinaryOperator =
  | "+"
  | "-"
  | "*"
  | "/"
  | "//"
  | "%"
  | "@"
  | "**"
  | "=="
  | "!="
  | "<"
  | "<="
  | ">"
  | ">="
  | "and"
  | "or";

export interface Argument {
  readonly name?: Name;
  readonly value: Expression;
  /** `...rest`: all arguments that a parameter of that name took; the last argument. */
  readonly rest: boolean;
  readonly span: Span;
}

export type IndexItem =
  | { readonly kind: "at"; readonly value: Expression; readonly span: Span }
  | {
      readonly kind: "slice";
      readonly start?: Expression;
      readonly stop?: Expression;
      readonly step?: Expression;
      readonly span: Span;
    }
  /** `...` */
  | { readonly kind: "ellipsis"; readonly span: Span }
  /** `none`: a new axis of size 1. */
  | { readonly kind: "new_axis"; readonly span: Span };

/** `backbone.blocks[*].{attn.{q, k}, mlp.up}`: steps applied from left to right. */
export interface SitePattern {
  readonly steps: readonly SiteStep[];
  readonly span: Span;
}

export type SiteStep =
  | { readonly kind: "name"; readonly name: Name; readonly span: Span }
  /** `[*]`, `[* by 6]` */
  | { readonly kind: "each"; readonly by?: Expression; readonly span: Span }
  /** `[3]` */
  | { readonly kind: "item"; readonly index: Expression; readonly span: Span }
  /** `{a, b.c}`; always last. */
  | { readonly kind: "alternatives"; readonly patterns: readonly SitePattern[]; readonly span: Span };
