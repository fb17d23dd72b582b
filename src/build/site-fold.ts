/**
 * What an operator makes of the stored tensors of its sites, site by site: to write weights with an operator folded in, and to measure how much an
 * operator changes.
 */
import type { Span } from "../../dsl/diagnostics/diagnostic.js";
import type { GraphBuilder } from "../graph/builder.js";
import type { Graph } from "../graph/graph.js";
import type { ValueId } from "../graph/node.js";
import { copyInto } from "../graph/rewrite.js";
import { elementCount, type Shape, sameShape } from "../graph/shape.js";
import { provenEqual } from "../passes/equivalence.js";
import type { RowMap } from "../passes/row-map.js";
import { simplify } from "../passes/simplify.js";
import * as operations from "../primitives/operations.js";
import type { BuiltModel } from "./build.js";
import { moduleScope } from "./member.js";
import { refuse, requireForwardOnly, type SiteMaps, siteMaps } from "./merge.js";
import { tokenShape } from "./operator.js";
import { Trace, tensorAt } from "./trace.js";
import { dtypeOf, resolveType } from "./types.js";
import {
  type Adaptation,
  type AdaptedSite,
  type Instance,
  moduleValue,
  type OperatorValue,
  overridesOf,
  type Replacement,
  type TensorValue,
  type WeightDefinition,
} from "./values.js";
import { sizesFor } from "./zero-start.js";

/** One adapted module with all interfaces that an adaptation applies to it, in order. */
export interface SiteGroup {
  readonly instance: Instance;
  readonly path: string;
  readonly sites: readonly AdaptedSite[];
}

export interface SlotInput {
  /** Of the graph's input. */
  readonly name: string;
  readonly site: AdaptedSite;
  readonly slot: string;
}

export interface SiteFold {
  readonly group: SiteGroup;
  readonly inputs: readonly SlotInput[];
  /**
   * From slots and stored tensors to `weight` and `base.weight` (in the shape of the stored one, where there is one), and to `bias` and `base.bias`, [numbers of a row of
   * the result], where the module or the operator adds something. `change` is the difference of the two weights, without the rounding of what
   * cancels where algebra shows it.
   */
  readonly graph: Graph;
  /** The stored tensors that hold the module's own; absent where no weight alone says what it does. */
  readonly stored?: StoredPlaces;
  /** Why the stored tensors cannot hold what the operator makes of them. */
  readonly lacks?: string;
}

export interface StoredPlaces {
  readonly weight: string;
  /** Where the operator changes it. */
  readonly bias?: string;
  /** Whether the weight stands as [in, out, ..] rather than [out, in, ..]. */
  readonly transposed: boolean;
}

export function siteGroups(adaptation: Adaptation): SiteGroup[] {
  const groups = new Map<Instance, AdaptedSite[]>();
  for (const { sites } of adaptation.applications) {
    for (const site of sites) {
      const known = groups.get(site.instance);
      if (known) known.push(site);
      else groups.set(site.instance, [site]);
    }
  }
  return [...groups].map(([instance, sites]) => ({ instance, path: instance.path ?? "", sites }));
}

/** Throws WeftError when the group's interfaces fold into no weight. */
export function foldSite(model: BuiltModel, adaptation: Adaptation, group: SiteGroup): SiteFold {
  const { context } = model;
  const outer = context.trace;
  const trace = new Trace();
  context.trace = trace;
  try {
    const { span } = group.sites.at(-1)!.application;
    for (const site of group.sites) requireForwardOnly(context, site, span);
    const inputs: SlotInput[] = [];
    const chain = group.sites.map(
      (site): Replacement => ({ site, operator: operatorOf(trace, adaptation, site, inputs) }),
    );
    const [first, second] = probeShapes(model, group).map((type) => {
      const base = overridesOf([[group.instance, { replacements: [], weights: new Map() }]], undefined);
      const adapted = overridesOf([[group.instance, { replacements: chain, weights: new Map() }]], undefined);
      return siteMaps(context, group.instance, base, adapted, chain, type, { span }, span);
    });
    const { builder } = trace;
    if (!sameMaps(builder, first!.adapted, second!.adapted)) {
      refuse(context, group.sites.at(-1)!, span, "it depends on how many rows there are", span);
    }
    const places = addOutputs(builder, group.instance, first!);
    return { group, inputs, graph: simplify(builder.finish()), ...places };
  } finally {
    context.trace = outer;
  }
}

/** The operator of one site, its slots being inputs. */
function operatorOf(trace: Trace, adaptation: Adaptation, site: AdaptedSite, inputs: SlotInput[]): OperatorValue {
  const { builder } = trace;
  const input = (name: string, shape: Shape, span: Span): TensorValue => {
    return tensorAt(builder, builder.add("input", [], { name, dtype: "f32", shape, perInstance: false }), span);
  };
  const slots = new Map<string, TensorValue>();
  for (const slot of site.slots.values()) {
    const name = `${site.application.name}.${slot.name}`;
    inputs.push({ name, site, slot: slot.name });
    slots.set(slot.name, input(name, slot.shape, slot.span));
  }
  const givens = new Map<string, TensorValue>();
  for (const [name, type] of site.givens) {
    const resolved = resolveType(type, site.scope);
    const shape = resolved.kind === "tensor" ? sizesFor(resolved.type, site.scope, new Map()) : [];
    givens.set(name, input(`given ${name}`, shape, type.span));
  }
  const { span } = site.application;
  const tokens = tensorAt(builder, operations.constant(builder, 0, tokenShape(adaptation)), span);
  return { kind: "operator", adaptation, tokens, givens, slots, span };
}

/**
 * Two types of the argument of `forward`, with different numbers of rows: what holds for both holds for any. Sizes that a call settles are large enough
 * for windows of pictures; nothing of these sizes is ever computed.
 */
function probeShapes(model: BuiltModel, { instance, sites }: SiteGroup) {
  const [own] = instance.methods.get("forward")?.parameters ?? [];
  const declared = sites.map((site) => ({ type: site.methods.get("forward")?.parameters[0]?.type, scope: site.scope }));
  const written = declared.findLast(({ type }) => type !== undefined);
  const scope = written?.scope ?? moduleScope(model.context, moduleValue(instance));
  const resolved = resolveType(written?.type ?? own?.type, scope);
  return [
    { lead: [3], least: 97 },
    { lead: [2, 5], least: 131 },
  ].map(({ lead, least }) => {
    if (resolved.kind !== "tensor") return { dtype: "f32" as const, shape: [...lead, 1] };
    const shape = sizesFor(resolved.type, scope, new Map(), least);
    const leading = resolved.type.axes[0]?.kind === "leading";
    return { dtype: dtypeOf(resolved.type), shape: leading ? [...lead, ...shape] : shape };
  });
}

function sameMaps(builder: GraphBuilder, first: RowMap, second: RowMap): boolean {
  const [some, others] = [matrices(builder, first), matrices(builder, second)];
  const constants = [first, second].map((map) => vectorOf(builder, map));
  return (
    some.length === others.length &&
    some.every((matrix, place) => equal(builder, matrix, others[place]!)) &&
    equal(builder, constants[0]!, constants[1]!)
  );
}

function equal(builder: GraphBuilder, a: ValueId, b: ValueId): boolean {
  return sameShape(builder.shape(a), builder.shape(b)) && provenEqual(builder.finish(), a, b);
}

/** The linear parts as [columns, numbers of a row of the result], by view. */
const matrices = (builder: GraphBuilder, { terms }: RowMap): ValueId[] =>
  [...terms.values()].map((linear) => {
    const [columns, ...rest] = builder.shape(linear);
    return operations.reshape(builder, linear, [columns!, elementCount(rest)]);
  });

const vectorOf = (builder: GraphBuilder, { constant, terms }: RowMap): ValueId => {
  const count = elementCount(builder.shape([...terms.values()][0]!).slice(1));
  return constant === undefined
    ? operations.constant(builder, 0, [count])
    : operations.reshape(builder, constant, [count]);
};

function addOutputs(
  builder: GraphBuilder,
  instance: Instance,
  { base, adapted }: SiteMaps,
): Pick<SiteFold, "stored" | "lacks"> {
  const views = [...base.terms.keys()];
  const plain = matrices(builder, base);
  const [columns, rows] = builder.shape(plain[0]!) as [number, number];
  const changed = views.map((view) => {
    const linear = adapted.terms.get(view);
    return linear === undefined
      ? operations.constant(builder, 0, [columns, rows])
      : operations.reshape(builder, linear, [columns, rows]);
  });
  const weight = storedWeight(builder, instance, plain);
  const form = weight ?? {
    shape: [rows, columns, views.length],
    transposed: false,
    order: views.map((_, place) => place),
  };
  builder.output("weight", inForm(builder, changed, form));
  builder.output("base.weight", inForm(builder, plain, form));
  builder.output("change", inForm(builder, differences(builder, changed, plain), form));

  const constants = [base, adapted].map((map) => vectorOf(builder, map)) as [ValueId, ValueId];
  const zero = operations.constant(builder, 0, [rows]);
  const same = equal(builder, constants[0], constants[1]);
  if (!same || !equal(builder, constants[0], zero)) {
    builder.output("bias", constants[1]);
    builder.output("base.bias", constants[0]);
  }
  const name = instance.declaration.name.text;
  if (!weight) return { lacks: `${name} stores no weight that alone says what it does` };
  const { path, transposed } = weight;
  const bias = stored(instance).find(({ path, shape }) => {
    return sameShape(shape, [rows]) && equal(builder, constants[0], parameter(builder, path, shape));
  });
  const places: StoredPlaces = { weight: path, transposed, ...(bias && !same ? { bias: bias.path } : {}) };
  return same || bias
    ? { stored: places }
    : { stored: places, lacks: `a bias is added, and \`${instance.path}\` stores none` };
}

/** Each of `after` less its `before`: what is left of a sum where that is one of its parts, so that what cancels leaves no rounding behind. */
function differences(builder: GraphBuilder, after: readonly ValueId[], before: readonly ValueId[]): ValueId[] {
  const outputs = [...after, ...before].map((value, place) => ({ name: `${place}`, value }));
  const simplified = simplify({ ...builder.finish(), outputs, updates: [] });
  const copied = copyInto(builder, simplified);
  const [changed, plain] = [0, after.length].map((first) =>
    after.map((_, place) => copied[simplified.outputs[first + place]!.value]!),
  );
  return changed!.map(
    (sum, place) => withoutPart(builder, sum, plain![place]!) ?? operations.subtract(builder, sum, plain![place]!),
  );
}

/** A sum without one of its parts; undefined where it is none of them. */
function withoutPart(builder: GraphBuilder, sum: ValueId, part: ValueId): ValueId | undefined {
  const { primitive, inputs } = builder.producers[sum]!;
  const [left, right] = inputs;
  if (sum === part) return operations.zerosLike(builder, sum);
  if (primitive !== "add" && primitive !== "subtract") return undefined;
  const combine = primitive === "add" ? operations.add : operations.subtract;
  const rest = withoutPart(builder, left!, part);
  if (rest !== undefined) return combine(builder, rest, right!);
  if (primitive === "subtract") return undefined;
  const other = withoutPart(builder, right!, part);
  return other === undefined ? undefined : operations.add(builder, left!, other);
}

/** How matrices [columns, rows] by view lie in one stored tensor. */
interface StoredForm {
  /** [rows, columns, ...places of a window], or [columns, rows, ..] when transposed. */
  readonly shape: Shape;
  readonly transposed: boolean;
  /** The view at each place of the window. */
  readonly order: readonly number[];
}

/** The stored tensor that holds the linear part of a module's forward: a proof, since both are one node once simplified. */
function storedWeight(
  builder: GraphBuilder,
  instance: Instance,
  plain: readonly ValueId[],
): (StoredForm & { readonly path: string }) | undefined {
  const [columns, rows] = builder.shape(plain[0]!) as [number, number];
  for (const { path, shape } of stored(instance)) {
    const window = shape.slice(2);
    if (shape.length < 2 || elementCount(window) !== plain.length) continue;
    for (const transposed of [false, true]) {
      const sizes = transposed ? [columns, rows] : [rows, columns];
      if (!sameShape(shape.slice(0, 2), sizes)) continue;
      const value = parameter(builder, path, shape);
      const left = [...plain.keys()];
      const order = plain.map((_, place) => {
        const at = placeOf(place, window);
        const part = operations.slice(builder, value, [0, 0, ...at], [...sizes, ...at.map((start) => start + 1)]);
        const matrix = operations.reshape(builder, part, sizes);
        const oriented = transposed ? matrix : operations.transpose(builder, matrix, [1, 0]);
        const found = left.findIndex((view) => equal(builder, oriented, plain[view]!));
        return found < 0 ? -1 : left.splice(found, 1)[0]!;
      });
      if (!order.includes(-1)) return { path, shape, transposed, order };
    }
  }
  return undefined;
}

function inForm(
  builder: GraphBuilder,
  matrices: readonly ValueId[],
  { shape, transposed, order }: StoredForm,
): ValueId {
  const parts = order.map((view) => {
    const matrix = transposed ? matrices[view]! : operations.transpose(builder, matrices[view]!, [1, 0]);
    return operations.reshape(builder, matrix, [...builder.shape(matrix), 1]);
  });
  return operations.reshape(builder, operations.concat(builder, parts, 2), shape);
}

const stored = (instance: Instance): WeightDefinition[] =>
  [...instance.weights.values()].filter(({ absent, dtype }) => !absent && dtype === "f32");

const parameter = (builder: GraphBuilder, path: string, shape: Shape): ValueId =>
  builder.add("parameter", [], { path, dtype: "f32", shape });

/** The indices of one place of a window, counted row by row. */
function placeOf(place: number, window: Shape): number[] {
  let rest = place;
  return window
    .map((_, axis) => window.length - 1 - axis)
    .map((axis) => {
      const index = rest % window[axis]!;
      rest = Math.floor(rest / window[axis]!);
      return index;
    })
    .reverse();
}
