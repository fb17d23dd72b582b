/**
 * What an expression of Weft can be while a model is built: numbers and structure known at compile time, and tensors, which are places
 * in the graph being traced.
 */
import type { Span } from "../../dsl/diagnostics/diagnostic.js";
import type {
  Declaration,
  FunctionDeclaration,
  InterfaceDeclaration,
  LayoutDeclaration,
  ModelDeclaration,
  ModuleDeclaration,
  Name,
  Type,
  Weight,
} from "../../dsl/syntax/tree.js";
import type { Dtype } from "../graph/dtype.js";
import type { ValueId } from "../graph/node.js";
import { formatShape, type Shape } from "../graph/shape.js";
import type { Cut } from "./layout-inverse.js";
import type { Initializer, OptimizerSpec, ScheduleSpec, SolverSpec, TokenGrid } from "./model.js";
import type { Scope } from "./scope.js";
import type { GivenArgument } from "./signature.js";

export type Value =
  | { readonly kind: "int"; readonly value: number }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "bool"; readonly value: boolean }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "none" }
  | ListValue
  | TupleValue
  | RecordValue
  | InitializerValue
  | TensorValue
  | TypeValue
  | DeclarationValue
  | BuiltinValue
  | MethodValue
  | ModuleValue
  | IndexedValue
  | WeightValue
  | InterfaceValue
  | LayoutValue
  | AdaptationValue
  | AdaptationMethodValue
  | OperatorValue
  | OptimizerValue
  | ScheduleValue
  | SolverValue
  | ArgumentsValue
  | FailedValue;

export interface ListValue {
  readonly kind: "list";
  readonly items: readonly Value[];
}

export interface TupleValue {
  readonly kind: "tuple";
  readonly items: readonly Value[];
}

/** A compile-time value with named members: a grid, a kind of token. */
export interface RecordValue {
  readonly kind: "record";
  readonly name: string;
  readonly members: ReadonlyMap<string, Value>;
}

/** An initializer as written; `kaiming` and its like are settled when a shape is known. */
export interface InitializerValue {
  readonly kind: "initializer";
  readonly initializer: Initializer | { readonly kind: "kaiming" } | { readonly kind: "xavier" };
}

export interface TensorValue {
  readonly kind: "tensor";
  readonly id: ValueId;
  readonly dtype: Dtype;
  readonly shape: Shape;
  /** The expression, parameter or weight that made it; messages point there. */
  readonly span: Span;
  /** `instruction.mask`, and `slot.anchor` inside a layout. */
  readonly members?: ReadonlyMap<string, Value>;
}

/** `memory.tokens` where a type is wanted. */
export interface TypeValue {
  readonly kind: "type";
  readonly shape: Shape;
  readonly adaptation: Adaptation;
}

/** A module, interface, layout or function by its name, not yet applied. */
export interface DeclarationValue {
  readonly kind: "declaration";
  readonly declaration: Declaration;
}

export interface BuiltinValue {
  readonly kind: "builtin";
  readonly name: string;
}

/** A method bound to its module, interface or model. */
export interface MethodValue {
  readonly kind: "method";
  readonly receiver: ModuleValue;
  readonly name: string;
}

/** What a parameter `...rest` took, to be handed on. */
export interface ArgumentsValue {
  readonly kind: "arguments";
  readonly given: readonly GivenArgument[];
}

// --------------------------------------------------------------------------------------------------------------- modules

/** A module made once. Its path is known when the field that holds it is complete. */
export interface Instance {
  readonly declaration: ModuleDeclaration | ModelDeclaration;
  path: string | undefined;
  readonly statics: ReadonlyMap<string, Value>;
  readonly fields: Map<string, Value>;
  readonly weights: Map<string, WeightDefinition>;
  readonly methods: ReadonlyMap<string, FunctionDeclaration>;
  /** Static parameters and fields, for shapes and defaults. */
  readonly scope: Scope;
  /** The call that made it. */
  readonly span: Span;
}

export interface WeightDefinition {
  readonly declaration: Weight;
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: Dtype;
  readonly initializer: Initializer;
  /** Declared under a false `if`: not stored, reads as zeros. */
  readonly absent: boolean;
  /** Full path; empty until the module has one. */
  path: string;
}

/** A module instance as seen through the operators applied to it. */
export interface ModuleValue {
  readonly kind: "module";
  readonly instance: Instance;
  readonly overrides: Overrides;
  /** How many of the instance's replacements count: `base` inside the i-th replacement sees the i before it. */
  readonly level: number;
}

/** `experts[index]`: equal modules of which every row chooses one. */
export interface IndexedValue {
  readonly kind: "indexed";
  readonly modules: readonly ModuleValue[];
  /** i32, one number for each row. */
  readonly index: TensorValue;
  /** A method of the modules; without, they are called themselves. */
  readonly method?: string;
  readonly span: Span;
}

/** What is applied to a module, by the instance that it changes. */
export interface Overrides extends ReadonlyMap<Instance, Override> {
  /** The stage whose results all stored tensors are read from: `module at stage`. */
  readonly stage: Name | undefined;
}

export interface Override {
  /** In order of application. */
  readonly replacements: readonly Replacement[];
  /** From `base with { weight: w }`. */
  readonly weights: ReadonlyMap<string, TensorValue>;
}

/** One interface at one site, with the operator that carries its slots. */
export interface Replacement {
  readonly site: AdaptedSite;
  readonly operator: OperatorValue;
}

/** A stored tensor by name: a tensor where a graph is traced, a path in `update`. */
export interface WeightValue {
  readonly kind: "weight";
  readonly definition: WeightDefinition;
  /** As this stage left it. */
  readonly stage?: Name | undefined;
}

// ------------------------------------------------------------------------------------------------------------- operators

/** An interface with its parameters: `Interface(rank: 8)`. */
export interface InterfaceValue {
  readonly kind: "interface";
  readonly declaration: InterfaceDeclaration;
  readonly statics: ReadonlyMap<string, Value>;
  readonly scope: Scope;
  readonly span: Span;
}

/** `RankAnchored(segment: 32)`; arguments of kind `axis` wait for the interfaces. */
export interface LayoutValue {
  readonly kind: "layout";
  readonly declaration: LayoutDeclaration;
  readonly statics: ReadonlyMap<string, Value>;
  /** Names of interface parameters, by the layout parameter of kind `axis`. */
  readonly axes: ReadonlyMap<string, string>;
  readonly fileScope: Scope;
  readonly span: Span;
}

export interface SlotDefinition {
  readonly name: string;
  /** Of one copy. */
  readonly shape: Shape;
  readonly initializer: Initializer;
  /** Axis of `shape` that each layout anchor names, by the interface parameter's name. */
  readonly anchors: ReadonlyMap<string, number>;
  readonly span: Span;
}

/** An interface at one module instance. */
export interface AdaptedSite {
  readonly application: Application;
  readonly instance: Instance;
  readonly layer: number;
  /** Position of the instance's slots among the copies of its place. */
  readonly copy: number;
  /** Index of the pattern's leaf inside a layer. */
  readonly leaf: number;
  readonly slots: ReadonlyMap<string, SlotDefinition>;
  readonly weights: ReadonlyMap<string, WeightDefinition>;
  readonly givens: ReadonlyMap<string, Type>;
  readonly methods: ReadonlyMap<string, FunctionDeclaration>;
  readonly fields: ReadonlyMap<string, Value>;
  readonly scope: Scope;
}

/** One `SITES with INTERFACE` of an `adapt`. */
export interface Application {
  readonly interface: InterfaceValue;
  /** Distinguishes two applications of one interface in paths. */
  readonly name: string;
  readonly sites: AdaptedSite[];
  readonly span: Span;
}

/** Slots of one leaf of one layer, all copies: a run of tokens. */
export interface Place {
  readonly application: Application;
  readonly slot: string;
  readonly layer: number;
  readonly leaf: number;
  readonly shape: Shape;
  readonly copies: number;
  readonly start: number;
  readonly count: number;
  readonly cut: SlotCut;
}

/** A layout for one slot shape: how many tokens it makes, and both ways. */
export interface SlotCut extends Cut {
  readonly count: number;
}

export interface Adaptation {
  path: string;
  readonly span: Span;
  readonly applications: readonly Application[];
  readonly layout: LayoutValue;
  readonly joined: boolean;
  readonly grid: TokenGrid;
  readonly places: readonly Place[];
  /** By `placeKey`. */
  readonly placeOf: ReadonlyMap<string, Place>;
  readonly weights: readonly WeightDefinition[];
  readonly gridValue: RecordValue;
}

export interface AdaptationValue {
  readonly kind: "adaptation";
  readonly adaptation: Adaptation;
}

/** `memory.initial` */
export interface AdaptationMethodValue {
  readonly kind: "adaptation_method";
  readonly adaptation: Adaptation;
  readonly name: "initial";
}

/** `memory(tokens, t: t)` */
export interface OperatorValue {
  readonly kind: "operator";
  readonly adaptation: Adaptation;
  readonly tokens: TensorValue;
  readonly givens: ReadonlyMap<string, TensorValue>;
  /** Slots by name in place of tokens, where an interface is looked at on its own. */
  readonly slots?: ReadonlyMap<string, TensorValue>;
  /** Whether its sites multiply by changed weights instead of running the interface at every call. */
  readonly merged?: boolean;
  readonly span: Span;
}

// -------------------------------------------------------------------------------------------------------------- training

export interface OptimizerValue {
  readonly kind: "optimizer";
  readonly optimizer: OptimizerSpec;
}

export interface ScheduleValue {
  readonly kind: "schedule";
  readonly schedule: ScheduleSpec;
}

export interface SolverValue {
  readonly kind: "solver";
  readonly solver: SolverSpec;
}

/** Stands for a field whose message is already reported; using it reports nothing more. */
export interface FailedValue {
  readonly kind: "failed";
}

// ---------------------------------------------------------------------------------------------------------- constructors

export const int = (value: number): Value => ({ kind: "int", value });
export const float = (value: number): Value => ({ kind: "float", value });
export const bool = (value: boolean): Value => ({ kind: "bool", value });
export const string = (value: string): Value => ({ kind: "string", value });
export const none: Value = { kind: "none" };
export const list = (items: readonly Value[]): ListValue => ({ kind: "list", items });
export const tuple = (items: readonly Value[]): TupleValue => ({ kind: "tuple", items });

export function overridesOf(entries: Iterable<readonly [Instance, Override]>, stage: Name | undefined): Overrides {
  return Object.assign(new Map(entries), { stage });
}

const noOverrides = overridesOf([], undefined);

export function moduleValue(
  instance: Instance,
  overrides: Overrides = noOverrides,
  level = Number.POSITIVE_INFINITY,
): ModuleValue {
  return { kind: "module", instance, overrides, level };
}

/** The value as seen through operators: modules inside it, also in lists, carry `overrides`. */
export function seenThrough(value: Value, overrides: Overrides): Value {
  if (overrides.size === 0 && overrides.stage === undefined) return value;
  switch (value.kind) {
    case "module":
      return value.overrides === overrides ? value : moduleValue(value.instance, overrides);
    case "list":
      return value.items.some(holdsModule) ? list(value.items.map((item) => seenThrough(item, overrides))) : value;
    case "tuple":
      return value.items.some(holdsModule) ? tuple(value.items.map((item) => seenThrough(item, overrides))) : value;
    default:
      return value;
  }
}

/** Whether the value is or contains a module instance. */
export function holdsModule(value: Value): boolean {
  if (value.kind === "module") return true;
  return (value.kind === "list" || value.kind === "tuple") && value.items.some(holdsModule);
}

/** How a message names a dtype: as it is written in Weft. */
export function dtypeName(dtype: Dtype): string {
  if (dtype === "bool") return "bool";
  return dtype === "i32" || dtype === "u32" ? "int" : "float";
}

/** A tensor's type as it is written in Weft: `[4, 12]`, `int[24]`. */
export function formatTensor(tensor: { readonly dtype: Dtype; readonly shape: Shape }): string {
  const name = dtypeName(tensor.dtype);
  return `${name === "float" ? "" : name}${formatShape(tensor.shape)}`;
}

/** A short name of what a value is, for messages: `a list of 3`, `the number 4`. */
export function describeValue(value: Value): string {
  switch (value.kind) {
    case "int":
      return `the number ${value.value}`;
    case "float":
      return `the number ${Number.isInteger(value.value) && Math.abs(value.value) < 1e15 ? value.value.toFixed(1) : value.value}`;
    case "bool":
      return `the truth value ${value.value}`;
    case "string":
      return `the string "${value.value}"`;
    case "none":
      return "none";
    case "list": {
      const numbers = value.items.flatMap((item) => (item.kind === "int" ? [item.value] : []));
      const short = numbers.length === value.items.length && numbers.length > 0 && numbers.length <= 8;
      return short ? `the list [${numbers.join(", ")}]` : `a list of ${value.items.length}`;
    }
    case "tuple":
      return `a tuple of ${value.items.length}`;
    case "record":
      return `a ${value.name}`;
    case "initializer":
      return "an initializer";
    case "tensor":
      return `a tensor ${formatTensor(value)}`;
    case "type":
      return "a type";
    case "declaration":
      return `the ${value.declaration.kind} ${value.declaration.name.text}`;
    case "builtin":
      return `the built-in ${value.name}`;
    case "method":
      return `the method ${value.name}`;
    case "module":
      return `the module ${value.instance.declaration.name.text}`;
    case "indexed":
      return `one of ${value.modules.length} modules for each row`;
    case "weight":
      return `the stored tensor ${value.definition.path || value.definition.name}`;
    case "interface":
      return `the interface ${value.declaration.name.text}`;
    case "layout":
      return `the layout ${value.declaration.name.text}`;
    case "adaptation":
      return "an adaptation";
    case "adaptation_method":
      return `the method ${value.name} of an adaptation`;
    case "operator":
      return "an operator";
    case "optimizer":
      return "an optimizer";
    case "schedule":
      return "a schedule";
    case "solver":
      return "a solver";
    case "arguments":
      return "further arguments";
    case "failed":
      return "a value that could not be made";
  }
}
