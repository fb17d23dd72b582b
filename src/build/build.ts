/** A model made from a checked file: its modules, stored tensors, adaptations, entry points and training plan. */
import type { CheckedProgram } from "../../dsl/check/check.js";
import { WeftError } from "../../dsl/diagnostics/diagnostic.js";
import { buildMessages as messages } from "../../dsl/diagnostics/messages/build.js";
import { diagnose } from "../../dsl/diagnostics/registry.js";
import type { Declaration, ModelDeclaration, StaticParameter } from "../../dsl/syntax/tree.js";
import { isFloat } from "../graph/dtype.js";
import { type Context, fail, Reports } from "./context.js";
import { copyErrors, copySpecs } from "./copies.js";
import { isEntryPoint, traceEntryPoint } from "./entry-point.js";
import { evaluate } from "./evaluate.js";
import { fileScope } from "./files.js";
import { heldAdaptations, Members, place, storedWeights } from "./instantiate.js";
import { interfaceSetting, writtenInterface } from "./interface-setting.js";
import { checkStaticKind } from "./kinds.js";
import {
  type Adaptation,
  defaultBatch,
  type EntryPoint,
  type Model,
  type ParameterSpec,
  type Setting,
} from "./model.js";
import { byPath } from "./paths.js";
import { solverStep } from "./samplings.js";
import { Scope } from "./scope.js";
import { collections, evaluations, samplings, trainingStages } from "./training-plan.js";
import { type Instance, moduleValue, type Value } from "./values.js";

export interface BuildOptions {
  /** Name of the model; may be left out when the file has one. */
  readonly model?: string;
  /** Values of the model's parameters; those left out keep their defaults. */
  readonly settings?: Readonly<Record<string, Setting>>;
}

/** What a built model is beyond its data: the instances, for proofs and descriptions. */
export interface BuiltModel extends Model {
  readonly context: Context;
  readonly instance: Instance;
}

/**
 * Builds one model of a checked file. Entry points are traced when first asked for (`checkEntryPoints` traces them all). Throws WeftError with all
 * that is wrong with the structure.
 */
export function buildModel(program: CheckedProgram, options: BuildOptions = {}): BuiltModel {
  const declaration = chooseModel(program, options.model);
  const file = declaration.span.file;
  const context: Context = {
    program,
    fileScopes: new Map(),
    adaptations: [],
    copies: new Map(),
    frames: [],
    trace: undefined,
  };
  const reports = new Reports();
  const scope = new Scope(context, fileScope(context, file));
  const settings: Record<string, Setting> = {};
  const statics = reports.collect(() => bindSettings(context, declaration, options.settings ?? {}, scope, settings));
  reports.throwIfAny();

  const members = new Members(scope);
  const { fields, weights, methods } = members;
  const instance: Instance = {
    declaration,
    path: "",
    statics: statics!,
    fields,
    weights,
    methods,
    scope,
    span: declaration.name.span,
  };
  for (const member of declaration.members) {
    const known = new Set(fields.keys());
    const before = reports.diagnostics.length;
    reports.collect(() => members.add(member));
    for (const [name, value] of fields) if (!known.has(name)) place(value, name);
    for (const weight of weights.values()) weight.path = weight.name;
    if (member.kind === "field" && !fields.has(member.name.text)) scope.define(member.name.text, { kind: "failed" });
    // A member that is not a field may be what a later one reads; its own report is enough.
    if (member.kind === "weight" && reports.diagnostics.length > before) {
      scope.define(member.name.text, { kind: "failed" });
    }
  }
  for (const definition of weights.values()) scope.define(definition.name, { kind: "weight", definition });
  context.adaptations.push(...heldAdaptations(instance));
  const adaptations = context.adaptations.map(({ path, layout, grid, span }): Adaptation => {
    return { path, layout: layout.declaration.name.text, grid, span };
  });
  const stored = parameterSpecs(context, instance);
  const entryNames = [...methods.values()].flatMap((method) => {
    const holds = reports.collect(() => isEntryPoint(method, scope));
    return holds ? [method.name.text] : [];
  });
  const plan = { scope, functions: methods, parameters: stored, entryPoints: entryNames, stages: members.stages };
  const stages = trainingStages(plan, reports);
  const collected = collections(plan, members.collections, reports);
  const planned = evaluations(plan, members.evaluations, reports);
  const sampled = samplings(plan, members.samplings, reports);
  reports.throwIfAny();

  const traced = new Map<string, EntryPoint>();
  const keep = (entry: EntryPoint): EntryPoint => {
    traced.set(entry.instances === undefined ? entry.name : `${entry.name} ${entry.instances}`, entry);
    return entry;
  };
  const entryPoint = (name: string, instances = defaultBatch): EntryPoint => {
    const known = traced.get(name) ?? traced.get(`${name} ${instances}`);
    if (known) return known;
    const sampling = sampled.find((spec) => spec.name === name);
    if (sampling) return keep(solverStep(sampling, entryPoint, instances));
    const method = entryNames.includes(name) ? methods.get(name) : undefined;
    if (!method)
      throw new Error(`${declaration.name.text} has no entry point ${name}; it has ${entryNames.join(", ")}`);
    return keep(traceEntryPoint(context, moduleValue(instance), method, scope, instances));
  };
  const parameters = [...stored, ...copySpecs(context, entryNames, entryPoint)].sort((a, b) => byPath(a.path, b.path));
  const model = {
    name: declaration.name.text,
    file,
    settings,
    parameters,
    adaptations,
    entryPoints: entryNames,
    entryPoint,
    stages,
    collections: collected,
    evaluations: planned,
    samplings: sampled,
    context,
    instance,
  };
  for (const error of copyErrors(context, model)) reports.add(error);
  reports.throwIfAny();
  return model;
}

function chooseModel(program: CheckedProgram, name: string | undefined): ModelDeclaration {
  const { entry } = program;
  const isModel = (declaration: Declaration): declaration is ModelDeclaration => declaration.kind === "model";
  const models = entry.declarations.filter(isModel);
  const start = { file: entry.path, start: 0, end: 0 };
  const known = models.map((model) => model.name.text);
  const chosen = name === undefined ? models : models.filter((model) => model.name.text === name);
  if (chosen.length === 0) throw new WeftError([diagnose(messages.noModel, start, { name, known })]);
  if (chosen.length > 1) throw new WeftError([diagnose(messages.severalModels, chosen[1]!.name.span, { known })]);
  return chosen[0]!;
}

/** The model's parameters from settings and defaults. */
function bindSettings(
  context: Context,
  declaration: ModelDeclaration,
  given: Readonly<Record<string, Setting>>,
  scope: Scope,
  settings: Record<string, Setting>,
): ReadonlyMap<string, Value> {
  const statics = new Map<string, Value>();
  const known = declaration.parameters.map(({ name }) => name.text);
  for (const name of Object.keys(given)) {
    if (!known.includes(name)) fail(context, messages.unknownSetting, declaration.name.span, { name, known });
  }
  for (const parameter of declaration.parameters) {
    const name = parameter.name.text;
    const value = settingValue(context, parameter, given[name], scope);
    statics.set(name, value);
    scope.define(name, value);
    if (value.kind === "int" || value.kind === "float" || value.kind === "bool" || value.kind === "string") {
      settings[name] = value.value;
    } else if (value.kind === "interface") settings[name] = writtenInterface(value);
  }
  return statics;
}

function settingValue(context: Context, parameter: StaticParameter, given: Setting | undefined, scope: Scope): Value {
  const name = parameter.name.text;
  if (given === undefined) {
    if (!parameter.default) return fail(context, messages.unsetSetting, parameter.span, { name });
    const value = evaluate(parameter.default, scope);
    return checkStaticKind(context, parameter.type, scope, value, name, parameter.default.span);
  }
  const kind = parameter.type.kind === "named" ? parameter.type.path[0]!.text : "";
  switch (typeof given) {
    case "number":
      if (kind === "int" && Number.isSafeInteger(given)) return { kind: "int", value: given };
      if (kind === "float" && Number.isFinite(given)) return { kind: "float", value: given };
      break;
    case "boolean":
      if (kind === "bool") return { kind: "bool", value: given };
      break;
    case "string":
      if (kind === "string") return { kind: "string", value: given };
      if (kind === "interface") return interfaceSetting(context, name, given, parameter.span);
      break;
  }
  return fail(context, messages.badSetting, parameter.span, { name, kind, given: `${given}` });
}

/** Every stored tensor of the model's modules and interfaces. */
function parameterSpecs(context: Context, instance: Instance): ParameterSpec[] {
  const ofInterfaces = context.adaptations.flatMap(({ weights }) => weights);
  return [...storedWeights(instance), ...ofInterfaces].map(
    ({ path, dtype, shape, initializer, declaration }): ParameterSpec => {
      // Ints and truth values have no gradient, so nothing can train them.
      const storage = declaration.storage === "frozen" || !isFloat(dtype) ? "frozen" : "param";
      return { path, dtype, shape, initializer, storage, span: declaration.span };
    },
  );
}
