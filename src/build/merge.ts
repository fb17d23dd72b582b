/**
 * Operators folded into weights: `net with merge(memory(tokens))`. An adapted site's `forward` is run on a tensor that stands for its input; where
 * that proves to be one affine map of every row, the map is computed instead, once for all calls, and the site multiplies by it.
 */
import type { Label, Span } from "../../dsl/diagnostics/diagnostic.js";
import { buildMessages as messages } from "../../dsl/diagnostics/messages/build.js";
import type { GraphBuilder } from "../graph/builder.js";
import type { Dtype } from "../graph/dtype.js";
import type { ValueId } from "../graph/node.js";
import type { Shape } from "../graph/shape.js";
import { applyRowMap, deriveRowMap, firstVarying, type NoRowMap, type RowMap } from "../passes/row-map.js";
import { callMethod } from "./call.js";
import { type Context, fail } from "./context.js";
import { sourceText } from "./files.js";
import type { GivenArgument } from "./signature.js";
import { emit, tensorAt, traceOf } from "./trace.js";
import {
  type AdaptedSite,
  type Instance,
  type ModuleValue,
  moduleValue,
  type OperatorValue,
  type Overrides,
  overridesOf,
  type Replacement,
  type TensorValue,
  type Value,
} from "./values.js";

/** `merge(memory(tokens))`: the operator, to be folded into the weights of its sites. */
export function mergedOperator(context: Context, operator: OperatorValue, span: Span): OperatorValue {
  for (const { sites } of operator.adaptation.applications) {
    for (const site of sites) requireForwardOnly(context, site, span);
  }
  return { ...operator, merged: true, span };
}

/** Refuses an interface that replaces other methods of a module than `forward`: no weight says what they do. */
export function requireForwardOnly(context: Context, site: AdaptedSite, span: Span): void {
  const other = [...site.methods.values()].find(
    ({ name }) => name.text !== "forward" && site.instance.methods.has(name.text),
  );
  if (!other) return;
  const reason = `it replaces the method \`${other.name.text}\`, and only \`forward\` can become a weight`;
  refuse(context, site, other.name.span, reason, span);
}

/** Runs `forward` of a module whose replacement at `position` is merged; all replacements before it are folded in too. */
export function mergedForward(
  context: Context,
  receiver: ModuleValue,
  position: number,
  given: readonly GivenArgument[],
  span: Span,
): Value {
  const { instance, overrides } = receiver;
  const { replacements, weights } = overrides.get(instance)!;
  const { site, operator } = replacements[position]!;
  const [x] = given;
  if (given.length !== 1 || x!.value.kind !== "tensor") {
    return refuse(context, site, span, "it is called with more than one tensor", operator.span);
  }
  if (x!.value.shape.length === 0) return refuse(context, site, span, "its input has no axis", operator.span);
  const input = x!.value;
  const chain = replacements
    .slice(0, position + 1)
    .map(({ site, operator }): Replacement => ({ site, operator: { ...operator, merged: false } }));
  const base = overridesOf(new Map(overrides).set(instance, { replacements: [], weights }), overrides.stage);
  const adapted = overridesOf(new Map(overrides).set(instance, { replacements: chain, weights }), overrides.stage);
  const found = siteMaps(context, instance, base, adapted, chain, input, x!, operator.span);
  return emit(context, span, [input], (b) => applyRowMap(b, found.adapted, found.probe, input.id, found.shape));
}

/** What a site's module does and what it does when adapted, as maps of the rows of `probe`. */
export interface SiteMaps {
  readonly probe: ValueId;
  readonly base: RowMap;
  readonly adapted: RowMap;
  /** Of the result. */
  readonly shape: Shape;
}

/**
 * Traces a module's forward with and without its replacements on a tensor of a given type, and derives the two maps. A message where there is none,
 * where it is not settled by slots and stored tensors alone, or where it looks at other rows than the module itself.
 */
export function siteMaps(
  context: Context,
  instance: Instance,
  base: Overrides,
  adapted: Overrides,
  chain: readonly Replacement[],
  type: { readonly dtype: Dtype; readonly shape: Shape },
  argument: Omit<GivenArgument, "value">,
  span: Span,
): SiteMaps {
  const { site } = chain.at(-1)!;
  const { builder } = traceOf(context, span);
  const name = `${instance.path} merged`;
  const probe = builder.add("input", [], { name, dtype: type.dtype, shape: type.shape, perInstance: true });
  const run = (overrides: Overrides): TensorValue => {
    const given = { ...argument, value: tensorAt(builder, probe, argument.span) };
    const result = callMethod(context, moduleValue(instance, overrides), "forward", [given], span);
    return result.kind === "tensor" ? result : refuse(context, site, span, "it gives more than one tensor", span);
  };
  const plain = run(base);
  const changed = run(adapted);
  const baseMap = baseMapOf(builder, probe, plain);
  if ("node" in baseMap) return refuseNode(context, site, baseMap, span);
  const map = deriveRowMap(builder, probe, baseMap.columns, changed.id);
  if ("node" in map) return refuseNode(context, site, map, span);
  requireSettled(context, chain, builder, map, span);
  const further = [...map.terms.keys()].some((view) => !baseMap.terms.has(view));
  if (further) refuse(context, site, span, `it looks at other rows than ${instance.declaration.name.text} does`, span);
  return { probe, base: baseMap, adapted: map, shape: changed.shape };
}

/** The axis along which a module mixes numbers is the one for which its own forward is a map of rows: mostly the last. */
function baseMapOf(builder: GraphBuilder, probe: ValueId, result: TensorValue): RowMap | NoRowMap {
  const last = builder.shape(probe).length - 1;
  const first = deriveRowMap(builder, probe, last, result.id);
  if (!("node" in first)) return first;
  for (let axis = last - 1; axis >= 0; axis--) {
    const map = deriveRowMap(builder, probe, axis, result.id);
    if (!("node" in map)) return map;
  }
  return first;
}

function requireSettled(
  context: Context,
  chain: readonly Replacement[],
  builder: GraphBuilder,
  { terms, constant }: RowMap,
  span: Span,
): void {
  const { site } = chain.at(-1)!;
  const own = [...terms.values(), ...(constant === undefined ? [] : [constant])];
  const slots = new Set(
    chain.flatMap(({ operator }) => [operator.tokens, ...(operator.slots?.values() ?? [])].map(({ id }) => id)),
  );
  // What one module has of a stack is as settled as the stack.
  const shares = (context.trace?.scopes ?? []).flatMap(({ ofModule }) => [...ofModule]);
  const wholes = shares.flatMap(([share, whole]) => (depends(builder, own, share, slots) ? [whole] : []));
  for (const [share] of shares) slots.add(share);
  const values = [...own, ...wholes];
  for (const { operator } of chain) {
    for (const [name, given] of operator.givens) {
      if (!firstVarying(builder, [given.id], slots) || !depends(builder, values, given.id, slots)) continue;
      refuse(context, site, operator.span, `it depends on the given value \`${name}\`, which is no constant`, span);
    }
  }
  const varying = firstVarying(builder, values, slots);
  if (!varying) return;
  const what =
    varying.primitive === "instance_index" ? "the instance's place in the batch" : "what is neither slot nor stored";
  const name = varying.primitive === "random" || varying.primitive === "scalar" ? "random numbers" : what;
  refuse(context, site, varying.origin?.span ?? span, `it depends on ${name}`, span);
}

/** Whether one of `values` is computed from `source` other than through `known`. */
function depends(
  builder: GraphBuilder,
  values: readonly ValueId[],
  source: ValueId,
  known: ReadonlySet<ValueId>,
): boolean {
  const seen = new Set(known);
  const stack = [...values];
  for (let value = stack.pop(); value !== undefined; value = stack.pop()) {
    if (value === source) return true;
    if (seen.has(value)) continue;
    seen.add(value);
    stack.push(...builder.producers[value]!.inputs);
  }
  return false;
}

/** Longest text of an expression that a message repeats. */
const longestText = 60;

function refuseNode(context: Context, site: AdaptedSite, { node, reason }: NoRowMap, span: Span): never {
  const place = node.origin?.span;
  const text = place && sourceText(context, place);
  const named =
    text !== undefined && text.length <= longestText && !text.includes("\n") ? `\`${text}\`` : node.primitive;
  return refuse(context, site, place ?? span, reason ?? `${named} is not linear`, span);
}

export function refuse(context: Context, site: AdaptedSite, span: Span, reason: string, merged: Span): never {
  const values = { interface: site.application.name, site: site.instance.path ?? "", reason };
  const elsewhere = span.file !== merged.file || span.start !== merged.start || span.end !== merged.end;
  const labels: Label[] = elsewhere ? [{ span: merged, text: "merged here" }] : [];
  return fail(context, messages.notMergeable, span, values, labels);
}
