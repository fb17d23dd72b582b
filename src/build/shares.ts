/**
 * What a module that is chosen row by row has of its own: stored tensors and slots. One module's text is run for all of them; where it reads such a
 * tensor it sees a stand-in for the module's share of a stack of all. Stored tensors keep their own paths, and stand at equal distances in
 * memory; slots are stacked as views of the tokens where they stand at equal distances there.
 */
import type { Span } from "../../dsl/diagnostics/diagnostic.js";
import { buildMessages as messages } from "../../dsl/diagnostics/messages/build.js";
import type { GraphBuilder } from "../graph/builder.js";
import type { ValueId } from "../graph/node.js";
import type { Shape } from "../graph/shape.js";
import * as operations from "../primitives/operations.js";
import { type Context, fail } from "./context.js";
import { forAllModules } from "./each-row.js";
import { placeKey, readSlot, tokenShape } from "./operator.js";
import { emit, tensorAt, tokensKey, traceOf } from "./trace.js";
import type {
  Instance,
  Overrides,
  Replacement,
  SlotDefinition,
  TensorValue,
  Value,
  WeightDefinition,
} from "./values.js";
import { weightTensor } from "./weights.js";

/** The innermost scope in which an instance stands for several, as a place in `trace.scopes`; -1 where it stands for itself. */
export const depthOf = (context: Context, instance: Instance): number =>
  context.trace?.scopes.findLastIndex((scope) => scope.instances.has(instance)) ?? -1;

/** The share of the module at hand in what `members` gives for each of the modules that `depth` lets stand for each other. */
export function share(
  context: Context,
  depth: number,
  key: unknown,
  span: Span,
  members: () => readonly TensorValue[],
  stacked: () => TensorValue | undefined = () => undefined,
): TensorValue {
  const trace = traceOf(context, span);
  const scope = trace.scopes[depth]!;
  let value = scope.known.get(key);
  if (value === undefined) {
    value = trace.outside(depth, () => {
      const whole = stacked();
      if (whole) return scope.share(whole.id);
      const all = members();
      // What all have in common is no share.
      if (all.every(({ id }) => id === all[0]!.id)) return all[0]!.id;
      return scope.share(stack(context, span, all).id);
    });
    scope.known.set(key, value);
  }
  return tensorAt(trace.builder, value, span);
}

const stack = (context: Context, span: Span, all: readonly TensorValue[]): TensorValue =>
  emit(context, span, all, (builder) =>
    operations.concat(
      builder,
      all.map(({ id, shape }) => operations.reshape(builder, id, [1, ...shape])),
      0,
    ),
  );

/** A random draw: where one row is traced, one of its own for every row. */
export function draw(
  context: Context,
  span: Span,
  shape: Shape,
  add: (builder: GraphBuilder, shape: Shape) => ValueId,
): TensorValue {
  const trace = traceOf(context, span);
  const depth = trace.scopes.length - 1;
  if (depth < 0) return emit(context, span, [], (builder) => add(builder, shape));
  const scope = trace.scopes[depth]!;
  const whole = trace.outside(depth, () => draw(context, span, [scope.rows, ...shape], add));
  return tensorAt(trace.builder, scope.row(whole.id), span);
}

/** A slot as the text of an interface sees it at `instance`, whose replacement number `position` brings it. */
export function slotAt(
  context: Context,
  instance: Instance,
  overrides: Overrides,
  position: number,
  slot: SlotDefinition,
): TensorValue {
  const replacement = overrides.get(instance)!.replacements[position]!;
  const depth = depthOf(context, instance);
  if (depth < 0) return readSlot(context, replacement, slot);
  const peers = peersOf(context, depth, instance, overrides, position, slot.span);
  const key = `${tokensKey(replacement.operator)} ${replacement.site.application.name} ${slot.name} ${instance.path}`;
  const members = () =>
    peers.map(({ site }) => slotAt(context, site.instance, overrides, position, site.slots.get(slot.name)!));
  return share(context, depth, key, slot.span, members, () => stackedSlots(context, peers, slot));
}

/** A stored tensor of an interface, likewise. */
export function siteWeight(
  context: Context,
  instance: Instance,
  overrides: Overrides,
  position: number,
  definition: WeightDefinition,
): Value {
  const depth = depthOf(context, instance);
  if (depth < 0) return { kind: "weight", definition, stage: overrides.stage };
  const { span } = definition.declaration;
  const peers = peersOf(context, depth, instance, overrides, position, span);
  const members = () => {
    const definitions = peers.map(({ site }) => site.weights.get(definition.name)!);
    return definitions.map((peer) => weightTensor(context, peer, span, overrides.stage));
  };
  return share(context, depth, `${definition.path} ${overrides.stage}`, span, members);
}

/** The same replacement at every module that `instance` stands for. */
function peersOf(
  context: Context,
  depth: number,
  instance: Instance,
  overrides: Overrides,
  position: number,
  span: Span,
): Replacement[] {
  const { application } = overrides.get(instance)!.replacements[position]!.site;
  return context.trace!.scopes[depth]!.instances.get(instance)!.map((peer) => {
    const replacement = overrides.get(peer)?.replacements[position];
    if (replacement?.site.application === application) return replacement;
    const reason = `${peer.path} and ${instance.path} are changed by different operators`;
    return fail(context, messages.unequalModules, span, { reason });
  });
}

/** Slots of several modules that stand at equal distances in the tokens of one operator, as one view: [modules, ...slot]. */
function stackedSlots(context: Context, peers: readonly Replacement[], slot: SlotDefinition): TensorValue | undefined {
  const [first] = peers as readonly [Replacement, ...Replacement[]];
  const { adaptation, tokens, slots } = first.operator;
  const sameTokens = peers.every(({ operator }) => tokensKey(operator) === tokensKey(first.operator));
  if (slots || !sameTokens || depthOf(context, first.site.instance) >= 0) return undefined;
  const trace = traceOf(context, slot.span);
  const places = peers.map(({ site }) => {
    const { application, layer, leaf, copy } = site;
    const place = adaptation.placeOf.get(placeKey(application.name, slot.name, layer, leaf))!;
    return { layer, copy, place, start: place.start + (adaptation.joined ? 0 : copy * place.cut.count) };
  });
  const [{ layer, copy, place, start }] = places as [(typeof places)[number]];
  const { count, detokenize } = place.cut;
  const [modules, [, , rows, columns]] = [peers.length, tokenShape(adaptation) as [number, number, number, number]];
  const inOneLayer = places.every((other, index) => other.place === place && other.copy === copy + index);
  const inLayers = places.every(
    (other, index) => other.layer === layer + index && other.start === start && other.place.cut === place.cut,
  );
  if (!inOneLayer && !(inLayers && !adaptation.joined)) return undefined;
  for (const { operator, site } of peers) trace.consume(operator, site, slot.name);
  return emit(context, slot.span, [tokens], (builder) => {
    const cut = (starts: Shape, limits: Shape) => operations.slice(builder, tokens.id, starts, limits);
    const layers = inOneLayer ? 1 : modules;
    const size = inOneLayer && !adaptation.joined ? modules * count : count;
    const own = cut([layer, start, 0, 0], [layer + layers, start + size, rows, columns]);
    if (adaptation.joined) {
      const all = detokenize(builder, operations.reshape(builder, own, [count, rows, columns]));
      return operations.sliceAxis(builder, all, 0, copy, copy + modules);
    }
    const apart = operations.reshape(builder, own, [modules, count, rows, columns]);
    return forAllModules(trace, apart, (tokensOfOne) => detokenize(builder, tokensOfOne));
  });
}
