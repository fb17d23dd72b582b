/**
 * What an operator makes of the stored tensors of its sites, site by site: to write weights with an operator folded in, and to measure how much an
 * operator changes.
 */
import { type Span, WeftError } from "../../dsl/diagnostics/diagnostic.js";
import type { GraphBuilder } from "../graph/builder.js";
import type { Graph } from "../graph/graph.js";
import type { ValueId } from "../graph/node.js";
import { copyInto, rewrite } from "../graph/rewrite.js";
import { elementCount, type Shape, sameShape } from "../graph/shape.js";
import type { RowMap } from "../passes/row-map.js";
import { simplify } from "../passes/simplify.js";
import * as operations from "../primitives/operations.js";
import type { BuiltModel } from "./build.js";
import { moduleScope } from "./member.js";
import { refuse, requireForwardOnly, type SiteMaps, siteMaps } from "./merge.js";
import { tokenShape } from "./operator.js";
import { alikeGroups, pathsOfPeer, type SiteGroup } from "./site-groups.js";
import { equal, inForm, parameter, storedFloats, storedWeight } from "./stored-form.js";
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
} from "./values.js";
import { sizesFor } from "./zero-start.js";

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

/** The folds of all groups; for groups that have none the WeftError that says why. Groups alike are looked at once. */
export function foldSites(
  model: BuiltModel,
  adaptation: Adaptation,
  groups: readonly SiteGroup[],
): ReadonlyMap<SiteGroup, SiteFold | WeftError> {
  const folds = new Map<SiteGroup, SiteFold | WeftError>();
  for (const [first, ...others] of alikeGroups(groups)) {
    const fold = foldOrReason(model, adaptation, first);
    folds.set(first, fold);
    for (const other of others) {
      folds.set(other, fold instanceof WeftError ? reasonAt(fold, first, other) : foldAt(fold, other));
    }
  }
  return folds;
}

function foldOrReason(model: BuiltModel, adaptation: Adaptation, group: SiteGroup): SiteFold | WeftError {
  try {
    return foldSite(model, adaptation, group);
  } catch (error) {
    if (error instanceof WeftError) return error;
    throw error;
  }
}

function reasonAt({ diagnostics }: WeftError, first: SiteGroup, other: SiteGroup): WeftError {
  return new WeftError(
    diagnostics.map((diagnostic) => ({
      ...diagnostic,
      message: diagnostic.message.replace(`\`${first.path}\``, `\`${other.path}\``),
    })),
  );
}

/** A fold of one group for another that is alike. */
function foldAt(fold: SiteFold, group: SiteGroup): SiteFold {
  const paths = pathsOfPeer(fold.group, group);
  const graph = rewrite(fold.graph, (node, _, builder) => {
    if (node.primitive !== "parameter") return undefined;
    const { path } = node.attributes;
    return builder.addAll("parameter", [], { ...node.attributes, path: paths.get(path) ?? path });
  });
  const inputs = fold.inputs.map(({ name, site, slot }) => {
    return { name, site: group.sites[fold.group.sites.indexOf(site)]!, slot };
  });
  if (!fold.stored) return { ...fold, group, graph, inputs };
  const { weight, bias, transposed } = fold.stored;
  const stored: StoredPlaces = {
    weight: paths.get(weight)!,
    ...(bias === undefined ? {} : { bias: paths.get(bias)! }),
    transposed,
  };
  return { ...fold, group, graph, inputs, stored };
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
  const bias = storedFloats(instance).find(({ path, shape }) => {
    return sameShape(shape, [rows]) && equal(builder, constants[0], parameter(builder, path, shape));
  });
  const places: StoredPlaces = { weight: path, transposed, ...(bias && !same ? { bias: bias.path } : {}) };
  return same || bias ? { stored: places } : { stored: places, lacks: `a bias is added, and none is stored` };
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
