/** Modules made from their declarations: parameters bound, fields evaluated, stored tensors declared, paths given. */
import { type Span, WeftError } from "../../dsl/diagnostics/diagnostic.js";
import { buildMessages as messages } from "../../dsl/diagnostics/messages/build.js";
import type {
  Argument,
  CollectDeclaration,
  EvaluateDeclaration,
  FunctionDeclaration,
  InterfaceDeclaration,
  LayoutDeclaration,
  Member,
  ModuleDeclaration,
  SampleDeclaration,
  StaticParameter,
  TrainDeclaration,
  Type,
  Weight,
} from "../../dsl/syntax/tree.js";
import { elementCount, formatShape, type Shape } from "../graph/shape.js";
import { type Context, fail, within } from "./context.js";
import { evaluate, evaluateCondition } from "./evaluate.js";
import { fileScope, sourceText } from "./files.js";
import { resolveInitializer } from "./initializers.js";
import { checkStaticKind } from "./kinds.js";
import { mostNumbers } from "./limits.js";
import { Scope } from "./scope.js";
import { runAssertion } from "./statements.js";
import { dtypeOf, resolveType, shapeOfType } from "./types.js";
import {
  type Adaptation,
  type Instance,
  type InterfaceValue,
  type LayoutValue,
  type ModuleValue,
  moduleValue,
  type Value,
  type WeightDefinition,
} from "./values.js";

/** Makes one instance of a module. Its path is given by `place` when the field that holds it is complete. */
export function instantiate(
  declaration: ModuleDeclaration,
  given: readonly Argument[],
  caller: Scope,
  span: Span,
): ModuleValue {
  const { context } = caller;
  const name = declaration.name.text;
  const scope = new Scope(context, fileScope(context, declaration.span.file));
  const statics = bindStatics(context, name, declaration.parameters, given, caller, scope, span);
  const refuse = () => fail(context, messages.tooDeep, span, { name });
  return within(context, { path: "", what: `making ${name}`, span, how: "" }, refuse, () => {
    const members = new Members(scope);
    for (const member of declaration.members) members.add(member);
    const { fields, weights, methods } = members;
    return moduleValue({ declaration, path: undefined, statics, fields, weights, methods, scope, span });
  });
}

/** `Interface(rank: 8)`: parameters are bound now, members when a site is known. */
export function applyInterface(
  declaration: InterfaceDeclaration,
  given: readonly Argument[],
  caller: Scope,
  span: Span,
): InterfaceValue {
  const { context } = caller;
  const scope = new Scope(context, fileScope(context, declaration.span.file));
  const statics = bindStatics(context, declaration.name.text, declaration.parameters, given, caller, scope, span);
  return { kind: "interface", declaration, statics, scope, span };
}

/** `RankAnchored(segment: 32)`: arguments of kind `axis` are names of interface parameters and wait for the interfaces. */
export function applyLayout(
  declaration: LayoutDeclaration,
  given: readonly Argument[],
  caller: Scope,
  span: Span,
): LayoutValue {
  const { context } = caller;
  const outer = fileScope(context, declaration.span.file);
  const scope = new Scope(context, outer);
  const statics = new Map(
    bindStatics(context, declaration.name.text, declaration.parameters, given, caller, scope, span),
  );
  const axes = new Map<string, string>();
  for (const parameter of declaration.parameters) {
    const value = statics.get(parameter.name.text)!;
    if (!isAxis(parameter) || value.kind !== "string") continue;
    axes.set(parameter.name.text, value.value);
    statics.delete(parameter.name.text);
  }
  return { kind: "layout", declaration, statics, axes, fileScope: outer, span };
}

const isAxis = ({ type }: StaticParameter): boolean =>
  type.kind === "named" && type.path.length === 1 && type.path[0]!.text === "axis";

/** Matches arguments to compile-time parameters, in order; defaults may use earlier ones. Defines them in `scope`. */
function bindStatics(
  context: Context,
  callee: string,
  parameters: readonly StaticParameter[],
  given: readonly Argument[],
  caller: Scope,
  scope: Scope,
  span: Span,
): ReadonlyMap<string, Value> {
  const matched = new Map<StaticParameter, Argument>();
  given.forEach((argument, place) => {
    const parameter = argument.name
      ? parameters.find(({ name }) => name.text === argument.name!.text)
      : parameters[place];
    if (parameter && !matched.has(parameter)) {
      matched.set(parameter, argument);
    } else if (argument.name) {
      const known = parameters.map(({ name }) => name.text);
      fail(context, messages.unknownArgument, argument.name.span, { callee, name: argument.name.text, known });
    } else {
      fail(context, messages.tooManyArguments, argument.span, {
        callee,
        count: parameters.length,
        given: given.length,
      });
    }
  });
  const statics = new Map<string, Value>();
  for (const parameter of parameters) {
    const name = parameter.name.text;
    const argument = matched.get(parameter);
    const expression = argument?.value ?? parameter.default;
    if (!expression) {
      return fail(context, messages.missingArgument, span, { callee, name }, [
        { span: parameter.span, text: `${name} is declared here` },
      ]);
    }
    const settle = () =>
      checkStaticKind(
        context,
        parameter.type,
        scope,
        evaluate(expression, argument ? caller : scope),
        name,
        expression.span,
      );
    // What a default does wrong was asked for where the default is used.
    const frame = { path: "", what: `making ${callee}`, span, how: "" };
    const refuse = () => fail(context, messages.tooDeep, span, { name: callee });
    const value: Value = isAxis(parameter)
      ? axisName(context, expression, name)
      : argument
        ? settle()
        : within(context, frame, refuse, settle);
    statics.set(name, value);
    scope.define(name, value);
  }
  return statics;
}

function axisName(context: Context, expression: Argument["value"], name: string): Value {
  if (expression.kind === "name") return { kind: "string", value: expression.name };
  const expected = "the name of an interface's parameter";
  return fail(context, messages.argumentKind, expression.span, {
    name,
    expected,
    found: sourceText(context, expression.span),
  });
}

/** What the members of a module, an interface or a model come to; conditional members count where their condition holds. */
export class Members {
  readonly fields = new Map<string, Value>();
  readonly weights = new Map<string, WeightDefinition>();
  readonly methods = new Map<string, FunctionDeclaration>();
  readonly givens = new Map<string, Type>();
  readonly stages: TrainDeclaration[] = [];
  readonly evaluations: EvaluateDeclaration[] = [];
  readonly collections: CollectDeclaration[] = [];
  readonly samplings: SampleDeclaration[] = [];

  constructor(readonly scope: Scope) {}

  add(member: Member): void {
    const { scope } = this;
    switch (member.kind) {
      case "field": {
        const value = evaluate(member.value, scope);
        this.fields.set(member.name.text, value);
        scope.define(member.name.text, value);
        return;
      }
      case "weight":
        this.weights.set(member.name.text, defineWeight(member, scope, false));
        return;
      case "function":
        this.methods.set(member.name.text, member);
        return;
      case "conditional": {
        const holds = evaluateCondition(member.condition, scope);
        for (const inner of holds ? member.then : member.otherwise) this.add(inner);
        this.#addAbsent(holds ? member.otherwise : member.then);
        return;
      }
      case "assert":
        runAssertion(member, scope);
        return;
      case "given":
        this.givens.set(member.name.text, member.type);
        return;
      case "train":
        this.stages.push(member);
        return;
      case "evaluate":
        this.evaluations.push(member);
        return;
      case "collect":
        this.collections.push(member);
        return;
      case "sample":
        this.samplings.push(member);
        return;
    }
  }

  /** Stored tensors under a condition that does not hold, inner conditions or not: they read as zeros. */
  #addAbsent(members: readonly Member[]): void {
    for (const member of members) {
      if (member.kind === "conditional") {
        this.#addAbsent(member.then);
        this.#addAbsent(member.otherwise);
      } else if (member.kind === "weight" && !this.weights.has(member.name.text)) {
        const definition = ifKnown(() => defineWeight(member, this.scope, true));
        if (definition) this.weights.set(definition.name, definition);
      }
    }
  }
}

/** What `define` gives; undefined when it fails: a shape may make sense only where its condition holds. */
function ifKnown<T>(define: () => T): T | undefined {
  try {
    return define();
  } catch (error) {
    if (error instanceof WeftError) return undefined;
    throw error;
  }
}

/** A stored tensor: all sizes must be known. */
export function defineWeight(declaration: Weight, scope: Scope, absent: boolean): WeightDefinition {
  const { context } = scope;
  const type = resolveType(declaration.type, scope);
  const shape: Shape | undefined = type.kind === "tensor" ? shapeOfType(type.type, scope) : undefined;
  if (type.kind !== "tensor" || !shape || shape.some((size) => !Number.isInteger(size) || size < 0)) {
    const written = sourceText(context, declaration.type.span);
    return fail(context, messages.badWeightShape, declaration.type.span, {
      name: declaration.name.text,
      type: written,
      ...(shape && formatShape(shape) !== written ? { sizes: formatShape(shape) } : {}),
    });
  }
  if (elementCount(shape) > mostNumbers) {
    const what = `\`${declaration.name.text}\` of`;
    return fail(context, messages.tooLarge, declaration.type.span, { what, shape: formatShape(shape) });
  }
  const initial = declaration.initial;
  const initializer =
    initial && !absent
      ? resolveInitializer(context, evaluate(initial, scope), shape, dtypeOf(type.type), initial.span)
      : ({ kind: "zeros" } as const);
  const name = declaration.name.text;
  return { declaration, name, shape, dtype: dtypeOf(type.type), initializer, absent, path: "" };
}

/** Gives paths to all instances in a value that have none yet: those made by the field at `path`. */
export function place(value: Value, path: string): void {
  if (value.kind === "list" || value.kind === "tuple") {
    value.items.forEach((item, index) => {
      place(item, `${path}.${index}`);
    });
  } else if (value.kind === "module" && value.instance.path === undefined) {
    placeInstance(value.instance, path);
  } else if (value.kind === "adaptation" && value.adaptation.path === "") placeAdaptation(value.adaptation, path);
}

export function placeInstance(instance: Instance, path: string): void {
  instance.path = path;
  const under = (name: string) => (path === "" ? name : `${path}.${name}`);
  for (const definition of instance.weights.values()) definition.path = under(definition.name);
  for (const [name, field] of instance.fields) place(field, under(name));
  for (const [name, value] of instance.statics) place(value, under(name));
}

/** All stored tensors of an instance and of the modules below it, each once. */
export function storedWeights(instance: Instance): WeightDefinition[] {
  const found: WeightDefinition[] = [];
  const seen = new Set<Instance>();
  const visit = (value: Value): void => {
    if (value.kind === "list" || value.kind === "tuple") value.items.forEach(visit);
    if (value.kind !== "module" || seen.has(value.instance)) return;
    seen.add(value.instance);
    for (const definition of value.instance.weights.values()) if (!definition.absent) found.push(definition);
    for (const field of value.instance.fields.values()) visit(field);
    for (const parameter of value.instance.statics.values()) visit(parameter);
  };
  visit(moduleValue(instance));
  return found;
}

/** All adaptations that an instance and the modules below it hold, each once. */
export function heldAdaptations(instance: Instance): Adaptation[] {
  const found = new Set<Adaptation>();
  const seen = new Set<Instance>();
  const visit = (value: Value): void => {
    if (value.kind === "list" || value.kind === "tuple") value.items.forEach(visit);
    if (value.kind === "adaptation") found.add(value.adaptation);
    if (value.kind !== "module" || seen.has(value.instance)) return;
    seen.add(value.instance);
    for (const field of value.instance.fields.values()) visit(field);
    for (const parameter of value.instance.statics.values()) visit(parameter);
  };
  visit(moduleValue(instance));
  return [...found];
}

/** Stored tensors of interfaces lie below the adaptation: `memory.INTERFACE.NAME`, or `memory.INTERFACE.SITE.NAME` where each site has its own. */
function placeAdaptation(adaptation: Adaptation, path: string): void {
  adaptation.path = path;
  for (const { name, sites } of adaptation.applications) {
    for (const { instance, weights } of sites) {
      for (const definition of weights.values()) {
        const site = definition.declaration.shared ? "" : `.${instance.path}`;
        definition.path = `${path}.${name}${site}.${definition.name}`;
      }
    }
  }
}
