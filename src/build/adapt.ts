/** `adapt SITES with INTERFACE as LAYOUT`: which modules are adapted, their slots, and the tokens that fill them. */
import { anyModule } from "../../dsl/check/interfaces.js";
import { buildMessages as messages } from "../../dsl/diagnostics/messages/build.js";
import type { Expression, SitePattern, TensorType } from "../../dsl/syntax/tree.js";
import { formatShape, sameShape } from "../graph/shape.js";
import { type Context, fail, within } from "./context.js";
import { evaluate } from "./evaluate.js";
import { fileScope } from "./files.js";
import { sameInitializer } from "./initializers.js";
import { Members } from "./instantiate.js";
import { Scope } from "./scope.js";
import { type FoundSite, findSites } from "./sites.js";
import { buildGrid } from "./token-grid.js";
import {
  type AdaptationValue,
  type AdaptedSite,
  type Application,
  describeValue,
  type Instance,
  type InterfaceValue,
  type LayoutValue,
  moduleValue,
  none,
  type SlotDefinition,
  type Value,
  type WeightDefinition,
} from "./values.js";

type AdaptExpression = Expression & { readonly kind: "adapt" };

export function adapt(expression: AdaptExpression, scope: Scope): AdaptationValue {
  const { context } = scope;
  const layout = evaluate(expression.layout, scope);
  if (layout.kind !== "layout") {
    return fail(context, messages.wrongKind, expression.layout.span, {
      expected: "a layout",
      found: describeValue(layout),
    });
  }
  const found = expression.applications.map(({ sites }) => {
    const own = findSites(sites, scope);
    return own.length === 0 ? fail(context, messages.noSites, sites.span, {}) : own;
  });
  const lists = layerLists(context, found.flat());
  const leaves = new Map<string, number>();
  const applications: Application[] = [];
  for (const [place, written] of expression.applications.entries()) {
    const value = evaluate(written.interface, scope);
    if (value.kind !== "interface") {
      return fail(context, messages.wrongKind, written.interface.span, {
        expected: "an interface",
        found: describeValue(value),
      });
    }
    const name = applicationName(value, applications);
    const application: Application = { interface: value, name, sites: [], span: written.span };
    addSites(context, application, found[place]!, lists, leaves, written.sites);
    applications.push(application);
  }
  const layers = [...lists.values()].reduce((sum, list) => sum + list.layers, 0);
  const statics = layoutStatics(context, layout, applications);
  const adaptation = buildGrid(context, expression.span, layout, statics, applications, layers, expression.ragged);
  if (adaptation.grid.tokens === 0) fail(context, messages.noSlots, expression.span, {});
  return { kind: "adaptation", adaptation };
}

/** The layers that a list has in the grid. */
interface LayerList {
  readonly start: number;
  readonly layers: number;
}

/** Lists one after the other, each with as many layers as its coarsest grouping has groups; finer ones must lie inside those. */
function layerLists(context: Context, sites: readonly FoundSite[]): Map<string, LayerList> {
  const coarsest = new Map<string, FoundSite>();
  for (const site of sites) {
    const known = coarsest.get(site.list);
    if (!known || site.layers < known.layers) coarsest.set(site.list, site);
  }
  for (const site of sites) {
    const other = coarsest.get(site.list)!;
    if (site.layers % other.layers === 0) continue;
    const values = { list: site.list, first: other.layers, second: site.layers };
    const label = { span: other.span, text: `${other.layers} groups here` };
    fail(context, messages.groupsDisagree, site.span, values, [label]);
  }
  const lists = new Map<string, LayerList>();
  let start = 0;
  for (const [list, { layers }] of coarsest) {
    lists.set(list, { start, layers });
    start += layers;
  }
  return lists;
}

function applicationName(value: InterfaceValue, earlier: readonly Application[]): string {
  const name = value.declaration.name.text;
  const same = earlier.filter((application) => application.interface.declaration.name.text === name).length;
  return same === 0 ? name : `${name}_${same + 1}`;
}

function addSites(
  context: Context,
  application: Application,
  found: readonly FoundSite[],
  lists: ReadonlyMap<string, LayerList>,
  leaves: Map<string, number>,
  pattern: SitePattern,
): void {
  const seen = new Set<Instance>();
  const copies = new Map<string, number>();
  const shared = new Map<string, WeightDefinition>();
  for (const site of found) {
    const path = site.instance.path ?? "";
    if (seen.has(site.instance)) fail(context, messages.adaptedTwice, site.span, { path });
    seen.add(site.instance);
    const leafKey = `${site.list} ${site.leaf}`;
    if (!leaves.has(leafKey)) leaves.set(leafKey, leaves.size);
    const leaf = leaves.get(leafKey)!;
    const { start, layers } = lists.get(site.list)!;
    // Groups finer than the layers are copies inside them.
    const inside = site.layers / layers;
    const layer = start + Math.floor(site.layer / inside);
    const place = `${leaf} ${layer}`;
    const copyKey = `${place} ${site.layer % inside} ${site.copies.join(" ")}`;
    if (!copies.has(copyKey)) {
      const next = copies.get(place) ?? 0;
      copies.set(place, next + 1);
      copies.set(copyKey, next);
    }
    const copy = copies.get(copyKey)!;
    const frame = { path, what: `adapting ${path}`, span: pattern.span, how: "" };
    const refuse = () => fail(context, messages.noSites, pattern.span, {});
    application.sites.push(
      within(context, frame, refuse, () => makeSite(context, application, site, layer, copy, leaf, shared)),
    );
  }
}

/** Evaluates an interface's members for one module. */
function makeSite(
  context: Context,
  application: Application,
  site: FoundSite,
  layer: number,
  copy: number,
  leaf: number,
  shared: Map<string, WeightDefinition>,
): AdaptedSite {
  const { declaration, scope: statics } = application.interface;
  const { instance } = site;
  const outer = fileScope(context, declaration.span.file);
  const allowed = declaration.on.map(({ text }) => outer.lookup(text));
  const fits =
    declaration.on.some(({ text }) => text === anyModule && !outer.lookup(text)) ||
    allowed.some((value) => value?.kind === "declaration" && value.declaration === instance.declaration);
  if (!fits) {
    const values = {
      interface: declaration.name.text,
      on: declaration.on.map(({ text }) => text),
      path: instance.path ?? "",
      module: instance.declaration.name.text,
    };
    fail(context, messages.interfaceNotOn, site.span, values, [
      { span: declaration.name.span, text: "the interface is declared here" },
    ]);
  }
  const scope = new Scope(context, statics);
  scope.define("base", moduleValue(instance));
  const members = new Members(scope);
  for (const member of declaration.members) members.add(member);
  const slots = new Map<string, SlotDefinition>();
  const weights = new Map<string, WeightDefinition>();
  for (const [name, definition] of members.weights) {
    if (definition.absent) continue;
    if (definition.declaration.storage === "slot") slots.set(name, slotOf(context, definition, application.interface));
    else if (!definition.declaration.shared) weights.set(name, definition);
    else weights.set(name, sharedWeight(context, shared, definition));
  }
  const { givens, methods, fields } = members;
  return { application, instance, layer, copy, leaf, slots, weights, givens, methods, fields, scope };
}

function sharedWeight(
  context: Context,
  shared: Map<string, WeightDefinition>,
  definition: WeightDefinition,
): WeightDefinition {
  const known = shared.get(definition.name);
  if (!known) {
    shared.set(definition.name, definition);
    return definition;
  }
  if (!sameShape(known.shape, definition.shape)) {
    const shapes = { name: definition.name, first: formatShape(known.shape), second: formatShape(definition.shape) };
    fail(context, messages.sharedDisagrees, definition.declaration.span, shapes);
  }
  if (!sameInitializer(known.initializer, definition.initializer)) {
    fail(context, messages.sharedStartsDisagree, definition.declaration.span, { name: definition.name });
  }
  return known;
}

function slotOf(context: Context, definition: WeightDefinition, value: InterfaceValue): SlotDefinition {
  const { name, shape, initializer, declaration } = definition;
  const { kind } = initializer;
  if (kind !== "zeros" && kind !== "constant" && kind !== "normal") {
    fail(context, messages.slotStart, declaration.initial?.span ?? declaration.span, { name });
  }
  const anchors = new Map<string, number>();
  const type = declaration.type;
  if (type.kind === "tensor") {
    for (const parameter of value.statics.keys()) {
      const axis = anchoredAxis(type, parameter);
      if (axis >= 0) anchors.set(parameter, axis);
    }
    type.axes.forEach((axis, place) => {
      if (axis.kind === "size" && axis.label && !anchors.has(axis.label.text)) anchors.set(axis.label.text, place);
    });
  }
  return { name, shape, initializer, anchors, span: declaration.span };
}

/** The first axis labelled by a parameter's name or sized exactly by it. */
const anchoredAxis = (type: TensorType, parameter: string): number => {
  const labelled = type.axes.findIndex((axis) => axis.kind === "size" && axis.label?.text === parameter);
  if (labelled >= 0) return labelled;
  return type.axes.findIndex(
    (axis) => axis.kind === "size" && axis.size.kind === "name" && axis.size.name === parameter,
  );
};

const isDefault = ({ declaration }: LayoutValue, parameter: string, name: string): boolean =>
  declaration.parameters.some(
    (own) => own.name.text === parameter && own.default?.kind === "name" && own.default.name === name,
  );

/** Whether some interface of the program, applied or not, has a parameter of that name. */
const isParameter = (context: Context, name: string): boolean =>
  [...context.program.files.values()].some(({ declarations }) =>
    declarations.some(
      (declaration) =>
        declaration.kind === "interface" && declaration.parameters.some((parameter) => parameter.name.text === name),
    ),
  );

/**
 * A layout's parameters, those of kind `axis` being the value that the interfaces give the parameter they name, or `none` where none of
 * them has it. A name that the layout does not suggest and that no interface anywhere has is a slip.
 */
function layoutStatics(
  context: Context,
  layout: LayoutValue,
  applications: readonly Application[],
): ReadonlyMap<string, Value> {
  const statics = new Map(layout.statics);
  for (const [parameter, name] of layout.axes) {
    const found = applications.flatMap((application) => {
      const value = application.interface.statics.get(name);
      return value ? [{ value, application }] : [];
    });
    const [first] = found;
    if (!first) {
      if (!isDefault(layout, parameter, name) && !isParameter(context, name)) {
        const known = [...new Set(applications.flatMap((application) => [...application.interface.statics.keys()]))];
        fail(context, messages.unknownAnchor, layout.span, { layout: layout.declaration.name.text, name, known });
      }
      statics.set(parameter, none);
      continue;
    }
    for (const { value, application } of found) {
      if (value.kind === "int" && first.value.kind === "int" && value.value === first.value.value) continue;
      const here = describeValue(first.value);
      const values = { name, first: here, second: describeValue(value) };
      return fail(context, messages.anchorsDisagree, application.span, values, [
        { span: first.application.span, text: `${here} here` },
      ]);
    }
    statics.set(parameter, first.value);
  }
  return statics;
}
