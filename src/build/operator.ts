/** Operators at use: `memory(tokens)`, `module with operator`, slots cut out of tokens, `base with { weight: w }`. */
import type { Span } from "../../dsl/diagnostics/diagnostic.js";
import { buildMessages as messages } from "../../dsl/diagnostics/messages/build.js";
import type { ConfigEntry } from "../../dsl/syntax/tree.js";
import { elementCount, formatShape, type Shape, sameShape } from "../graph/shape.js";
import * as operations from "../primitives/operations.js";
import { constantOf } from "./arithmetic.js";
import { type Context, fail } from "./context.js";
import { evaluate } from "./evaluate.js";
import type { InitializerPart } from "./model.js";
import type { Scope } from "./scope.js";
import type { GivenArgument } from "./signature.js";
import { emit, operandLabels, tokensKey, traceOf } from "./trace.js";
import { dtypeOf, resolveType, shapeOfType } from "./types.js";
import {
  type Adaptation,
  describeValue,
  formatTensor,
  type IndexedValue,
  type InitializerValue,
  type Instance,
  type ModuleValue,
  moduleValue,
  type Override,
  overridesOf,
  type Replacement,
  type SlotDefinition,
  type TensorValue,
  type Value,
} from "./values.js";

/** `memory(tokens, t: t)` */
export function useOperator(
  context: Context,
  adaptation: Adaptation,
  given: readonly GivenArgument[],
  span: Span,
): Value {
  const callee = adaptation.path;
  const [first, ...rest] = given;
  if (!first || (first.name && first.name.text !== "tokens")) {
    return fail(context, messages.missingArgument, span, { callee, name: "tokens" });
  }
  const tokens = first.value;
  if (tokens.kind !== "tensor") {
    const expected = `tokens ${formatShape(tokenShape(adaptation))}`;
    return fail(context, messages.argumentKind, first.span, { name: "tokens", expected, found: describeValue(tokens) });
  }
  if (!sameShape(tokens.shape, tokenShape(adaptation))) {
    const declared = `${adaptation.path}.tokens`;
    const detail = `${declared} is ${formatShape(tokenShape(adaptation))}: layers, tokens, rows, columns`;
    const values = { callee, name: "tokens", declared, found: formatTensor(tokens), detail };
    return fail(context, messages.argumentShape, first.span, values, operandLabels([tokens]));
  }
  const givens = new Map<string, TensorValue>();
  const wanted = givenTypes(adaptation);
  for (const argument of rest) {
    const name = argument.name?.text;
    if (!name)
      return fail(context, messages.tooManyArguments, argument.span, { callee, count: 1, given: given.length });
    const type = wanted.get(name);
    if (!type)
      return fail(context, messages.unknownArgument, argument.span, {
        callee,
        name,
        known: ["tokens", ...wanted.keys()],
      });
    givens.set(name, givenTensor(context, callee, name, type, argument));
  }
  for (const name of wanted.keys())
    if (!givens.has(name)) fail(context, messages.missingArgument, span, { callee, name });
  return { kind: "operator", adaptation, tokens, givens, span };
}

export const tokenShape = ({ grid }: Adaptation): Shape => [grid.layers, grid.tokens, grid.rows, grid.columns];

function givenTypes(adaptation: Adaptation) {
  const types = new Map<string, { readonly type: import("../../dsl/syntax/tree.js").Type; readonly scope: Scope }>();
  for (const application of adaptation.applications) {
    for (const site of application.sites)
      for (const [name, type] of site.givens) types.set(name, { type, scope: site.scope });
  }
  return types;
}

function givenTensor(
  context: Context,
  callee: string,
  name: string,
  wanted: { readonly type: import("../../dsl/syntax/tree.js").Type; readonly scope: Scope },
  argument: GivenArgument,
): TensorValue {
  const type = resolveType(wanted.type, wanted.scope);
  const shape = type.kind === "tensor" ? shapeOfType(type.type, wanted.scope) : undefined;
  const { value, span } = argument;
  const dtype = type.kind === "tensor" ? dtypeOf(type.type) : "f32";
  const tensor = value.kind === "tensor" ? value : shape && constantOf(context, value, dtype, shape, span);
  if (!tensor || tensor.dtype !== dtype) {
    return fail(context, messages.argumentKind, span, { name, expected: "a tensor", found: describeValue(value) });
  }
  if (shape && !sameShape(shape, tensor.shape)) {
    const declared = formatShape(shape);
    const values = { callee, name, declared, found: formatTensor(tensor), detail: `it must be ${declared}` };
    return fail(context, messages.argumentShape, span, values, operandLabels([tensor]));
  }
  return tensor;
}

/** `memory.initial()`: tokens that make every slot start as it is declared. */
export function initialTokens(
  context: Context,
  adaptation: Adaptation,
  given: readonly GivenArgument[],
  _span: Span,
): InitializerValue {
  if (given.length > 0) {
    fail(context, messages.tooManyArguments, given[0]!.span, { callee: "initial", count: 0, given: given.length });
  }
  const { layers, rows, columns, kinds } = adaptation.grid;
  const parts = kinds
    .filter(({ initializer }) => initializer.kind !== "zeros")
    .map(
      ({ start, count, initializer }): InitializerPart => ({
        starts: [0, start, 0, 0],
        limits: [layers, start + count, rows, columns],
        initializer,
      }),
    );
  return { kind: "initializer", initializer: parts.length === 0 ? { kind: "zeros" } : { kind: "parts", parts } };
}

/** `module with operator`: the module with its sites replaced. */
export function applyOperator(
  context: Context,
  module: Value,
  operator: Value,
  moduleSpan: Span,
  operatorSpan: Span,
): ModuleValue | IndexedValue {
  if (module.kind === "indexed") {
    const changed = (one: Value) => applyOperator(context, one, operator, moduleSpan, operatorSpan) as ModuleValue;
    return { ...module, modules: module.modules.map(changed) };
  }
  if (module.kind !== "module") {
    return fail(context, messages.wrongKind, moduleSpan, { expected: "a module", found: describeValue(module) });
  }
  if (operator.kind !== "operator") {
    const found = describeValue(operator);
    return fail(context, messages.wrongKind, operatorSpan, { expected: "an operator such as memory(tokens)", found });
  }
  context.trace?.applied.set(tokensKey(operator), operator);
  const overrides = new Map<Instance, Override>(module.overrides);
  const within = `${module.instance.path}.`;
  let inside = 0;
  for (const application of operator.adaptation.applications) {
    for (const site of application.sites) {
      const known = overrides.get(site.instance);
      const replacements = [...(known?.replacements ?? []), { site, operator }];
      overrides.set(site.instance, { replacements, weights: known?.weights ?? new Map() });
      if (`${site.instance.path}.`.startsWith(within) || module.instance.path === "") inside++;
    }
  }
  if (inside === 0) {
    const site = operator.adaptation.applications[0]?.sites[0]?.instance.path ?? "";
    const values = { module: module.instance.path ?? "", operator: operator.adaptation.path, site };
    return fail(context, messages.operatorMissesModule, operatorSpan, values);
  }
  return moduleValue(module.instance, overridesOf(overrides, module.overrides.stage));
}

/** One slot at one site: the layer's tokens are cut once, then the slot's own, then the layout is undone. */
export function readSlot(context: Context, replacement: Replacement, slot: SlotDefinition): TensorValue {
  const { site, operator } = replacement;
  const { adaptation, tokens } = operator;
  const known = operator.slots?.get(slot.name);
  if (known) return known;
  const trace = traceOf(context, slot.span);
  trace.consume(operator, site, slot.name);
  const place = adaptation.placeOf.get(placeKey(site.application.name, slot.name, site.layer, site.leaf))!;
  const { grid, joined } = adaptation;
  const each = place.cut.count;
  const copy = joined ? 0 : site.copy;
  const key = `${tokensKey(operator)} ${site.application.name} ${slot.name} ${site.layer} ${site.leaf} ${copy}`;
  const cut = emit(context, slot.span, [tokens], (builder) => {
    const earlier = trace.slots.get(key);
    if (earlier !== undefined) return earlier;
    const layer = operations.sliceAxis(builder, tokens.id, 0, site.layer, site.layer + 1);
    const ofLayer = operations.reshape(builder, layer, tokenShape(adaptation).slice(1));
    const start = place.start + copy * each;
    const own = operations.slice(builder, ofLayer, [start, 0, 0], [start + each, grid.rows, grid.columns]);
    const value = place.cut.detokenize(builder, own);
    trace.slots.set(key, value);
    return value;
  });
  if (!joined) return { ...cut, span: slot.span };
  const single = emit(context, slot.span, [cut], (builder) => {
    const one = operations.sliceAxis(builder, cut.id, 0, site.copy, site.copy + 1);
    return operations.reshape(builder, one, slot.shape);
  });
  return { ...single, span: slot.span };
}

export const placeKey = (application: string, slot: string, layer: number, leaf: number): string =>
  `${application} ${slot} ${layer} ${leaf}`;

/** `base with { weight: w }`: the module with stored tensors replaced by computed ones. */
export function replaceWeights(module: Value, entries: readonly ConfigEntry[], scope: Scope, span: Span): ModuleValue {
  const { context } = scope;
  if (module.kind !== "module")
    return fail(context, messages.wrongKind, span, { expected: "a module", found: describeValue(module) });
  const { instance } = module;
  const known = module.overrides.get(instance);
  const weights = new Map(known?.weights);
  for (const { key, value: expression } of entries) {
    const definition = instance.weights.get(key.text);
    if (!definition || definition.absent) {
      const stored = [...instance.weights.values()].filter(({ absent }) => !absent).map(({ name }) => name);
      const values = { name: key.text, module: instance.declaration.name.text, known: stored };
      return fail(context, messages.notAWeight, key.span, values);
    }
    const value = evaluate(expression, scope);
    if (value.kind !== "tensor") {
      const values = {
        name: key.text,
        expected: `a tensor ${formatShape(definition.shape)}`,
        found: describeValue(value),
      };
      return fail(context, messages.argumentKind, expression.span, values);
    }
    if (!sameShape(value.shape, definition.shape)) {
      const declared = formatShape(definition.shape);
      const detail = `${key.text} has ${elementCount(definition.shape)} numbers in ${declared}`;
      const values = {
        callee: instance.declaration.name.text,
        name: key.text,
        declared,
        found: formatTensor(value),
        detail,
      };
      return fail(context, messages.argumentShape, expression.span, values, operandLabels([value]));
    }
    weights.set(key.text, value);
  }
  const overrides = new Map(module.overrides).set(instance, { replacements: known?.replacements ?? [], weights });
  return moduleValue(instance, overridesOf(overrides, module.overrides.stage), module.level);
}
