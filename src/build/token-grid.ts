/** The token grid of an adaptation: which tokens of every layer carry which slot, and that all layers agree. */
import type { Span } from "../../dsl/diagnostics/diagnostic.js";
import { buildMessages as messages } from "../../dsl/diagnostics/messages/build.js";
import { elementCount, formatShape, type Shape } from "../graph/shape.js";
import { callDeclared } from "./call.js";
import { type Context, fail } from "./context.js";
import { sameInitializer } from "./initializers.js";
import { Members } from "./instantiate.js";
import { deriveInverse } from "./layout-inverse.js";
import { mostProven } from "./limits.js";
import type { SlotPlace, TokenGrid, TokenKind } from "./model.js";
import { placeKey } from "./operator.js";
import { Scope } from "./scope.js";
import { Trace, tensorAt } from "./trace.js";
import {
  type Adaptation,
  type AdaptedSite,
  type Application,
  bool,
  describeValue,
  int,
  type LayoutValue,
  list,
  type Place,
  type RecordValue,
  type SlotCut,
  type SlotDefinition,
  string,
  type Value,
} from "./values.js";

/** A layout with its parameters known. */
interface Cutter {
  readonly layout: LayoutValue;
  readonly rows: number;
  readonly columns: number;
  readonly joined: boolean;
  readonly scope: Scope;
  readonly members: Members;
  readonly cuts: Map<string, SlotCut>;
}

/** One slot of one leaf of one layer, before its tokens have a place. */
interface Piece {
  readonly application: Application;
  readonly slot: SlotDefinition;
  readonly layer: number;
  readonly leaf: number;
  readonly sites: readonly AdaptedSite[];
  readonly copies: number;
  readonly cut: SlotCut;
  readonly count: number;
}

export function buildGrid(
  context: Context,
  span: Span,
  layout: LayoutValue,
  statics: ReadonlyMap<string, Value>,
  applications: readonly Application[],
  layers: number,
  ragged: boolean,
): Adaptation {
  const cutter = cutterOf(context, layout, statics);
  const kinds: TokenKind[] = [];
  const places: Place[] = [];
  const slotPlaces: SlotPlace[] = [];
  const present = Array.from({ length: layers }, (): boolean[] => []);
  let start = 0;
  for (const application of applications) {
    for (const name of slotNames(application)) {
      const pieces = piecesOf(context, cutter, application, name);
      const counts = Array.from({ length: layers }, () => 0);
      for (const piece of pieces) counts[piece.layer]! += piece.count;
      const count = Math.max(...counts);
      if (!ragged) requireAgreement(context, span, application, name, counts, pieces);
      const ends = Array.from({ length: layers }, () => start);
      for (const piece of pieces) {
        const at = ends[piece.layer]!;
        ends[piece.layer] = at + piece.count;
        places.push({
          application,
          slot: name,
          layer: piece.layer,
          leaf: piece.leaf,
          shape: piece.slot.shape,
          copies: piece.copies,
          start: at,
          count: piece.count,
          cut: piece.cut,
        });
        slotPlaces.push({
          layer: piece.layer,
          site: piece.sites[0]!.instance.path ?? "",
          copies: modulesOfCopies(piece.sites),
          interface: application.name,
          slot: name,
          shape: piece.slot.shape,
          start: at,
          count: piece.count,
        });
      }
      for (const [layer, row] of present.entries()) {
        for (let token = start; token < start + count; token++) row.push(token < ends[layer]!);
      }
      kinds.push({ interface: application.name, slot: name, start, count, initializer: pieces[0]!.slot.initializer });
      start += count;
    }
  }
  const numbers = places.reduce((sum, place) => sum + elementCount(place.shape) * place.copies, 0);
  const { rows, columns } = cutter;
  const grid: TokenGrid = { layers, tokens: start, rows, columns, kinds, places: slotPlaces, numbers };
  return {
    path: "",
    span,
    applications,
    layout,
    joined: cutter.joined,
    grid,
    places,
    placeOf: new Map(
      places.map((place) => [placeKey(place.application.name, place.slot, place.layer, place.leaf), place]),
    ),
    weights: [...new Set(applications.flatMap(({ sites }) => sites.flatMap(({ weights }) => [...weights.values()])))],
    gridValue: gridRecord(grid, present),
  };
}

function slotNames(application: Application): string[] {
  return [...new Set(application.sites.flatMap(({ slots }) => [...slots.keys()]))];
}

/** The pieces of one slot: site by site as listed inside each layer, copies together. */
function piecesOf(context: Context, cutter: Cutter, application: Application, name: string): Piece[] {
  const groups = new Map<string, AdaptedSite[]>();
  for (const site of application.sites) {
    if (!site.slots.has(name)) continue;
    const key = `${site.layer} ${site.leaf}`;
    const known = groups.get(key);
    if (known) known.push(site);
    else groups.set(key, [site]);
  }
  return [...groups.values()].map((sites): Piece => {
    const [first] = sites;
    const slot = first!.slots.get(name)!;
    for (const site of sites) requireSameSlot(context, application, first!, site, name);
    // Sites that share one slot have the same copy number.
    const copies = new Set(sites.map(({ copy }) => copy)).size;
    const cut = cutSlot(context, cutter, slot, copies, first!);
    const count = cutter.joined ? cut.count : cut.count * copies;
    return { application, slot, layer: first!.layer, leaf: first!.leaf, sites, copies, cut, count };
  });
}

/** The paths of the modules that have the slot's first copy, its second, and so on. */
function modulesOfCopies(sites: readonly AdaptedSite[]): string[][] {
  const copies = new Map<number, string[]>();
  for (const { copy, instance } of sites) copies.set(copy, [...(copies.get(copy) ?? []), instance.path ?? ""]);
  return [...copies.values()];
}

function requireSameSlot(
  context: Context,
  application: Application,
  a: AdaptedSite,
  b: AdaptedSite,
  name: string,
): void {
  const [first, second] = [a.slots.get(name)!, b.slots.get(name)!];
  if (formatShape(first.shape) === formatShape(second.shape)) return;
  const values = {
    slot: `${application.name}.${name}`,
    first: `${formatShape(first.shape)} at ${a.instance.path}`,
    second: `${formatShape(second.shape)} at ${b.instance.path}`,
  };
  fail(context, messages.slotsDisagree, application.span, values);
}

function requireAgreement(
  context: Context,
  span: Span,
  application: Application,
  slot: string,
  counts: readonly number[],
  pieces: readonly Piece[],
): void {
  const other = counts.findIndex((count) => count !== counts[0]);
  if (other >= 0) {
    const describe = (layer: number) => {
      const own = pieces.filter((piece) => piece.layer === layer);
      const shapes = own.map((piece) => `${piece.sites[0]!.instance.path} ${formatShape(piece.slot.shape)}`);
      return shapes.length === 0 ? "no sites" : shapes.join(", ");
    };
    const values = {
      slot: `${application.name}.${slot}`,
      first: `layer 0 has ${counts[0]} tokens (${describe(0)})`,
      second: `layer ${other} has ${counts[other]} (${describe(other)})`,
    };
    fail(context, messages.layersDisagree, span, values, [{ span: application.span, text: "these sites" }]);
  }
  const [first, ...rest] = pieces;
  const different = rest.find((piece) => !sameInitializer(piece.slot.initializer, first!.slot.initializer));
  if (different) {
    const values = { slot: `${application.name}.${slot}`, site: different.sites[0]!.instance.path ?? "" };
    fail(context, messages.startsDisagree, different.slot.span, values);
  }
}

// ---------------------------------------------------------------------------------------------------------------- layout

function cutterOf(context: Context, layout: LayoutValue, statics: ReadonlyMap<string, Value>): Cutter {
  const scope = new Scope(context, layout.fileScope);
  for (const [name, value] of statics) scope.define(name, value);
  const members = new Members(scope);
  for (const member of layout.declaration.members) members.add(member);
  const missing = [...layout.axes].flatMap(([parameter, name]) =>
    statics.get(parameter)?.kind === "none" ? [name] : [],
  );
  const without = missing.length === 0 ? "" : `, where no interface has a parameter ${missing.join(" or ")}`;
  const used = { span: layout.span, text: `the layout is used here${without}` };
  const size = (name: "rows" | "columns"): number => {
    const value = members.fields.get(name) ?? statics.get(name);
    if (value?.kind === "int" && value.value > 0) return value.value;
    const found = value ? describeValue(value) : "nothing";
    const values = { name, expected: "a size of at least 1", found };
    return fail(context, messages.layoutField, layout.declaration.name.span, values, [used]);
  };
  const copies = members.fields.get("copies") ?? string("separate");
  if (copies.kind !== "string" || (copies.value !== "joined" && copies.value !== "separate")) {
    const values = { name: "copies", expected: '"joined" or "separate"', found: describeValue(copies) };
    return fail(context, messages.layoutField, layout.declaration.name.span, values, [used]);
  }
  const rows = size("rows");
  const columns = size("columns");
  scope.define("rows", int(rows));
  scope.define("columns", int(columns));
  return { layout, rows, columns, joined: copies.value === "joined", scope, members, cuts: new Map() };
}

/** How the layout cuts one slot shape, traced once. */
function cutSlot(context: Context, cutter: Cutter, slot: SlotDefinition, copies: number, site: AdaptedSite): SlotCut {
  const shape: Shape = cutter.joined ? [copies, ...slot.shape] : slot.shape;
  const anchor = anchorOf(cutter, slot);
  const key = `${shape.join(",")} ${anchor}`;
  const known = cutter.cuts.get(key);
  if (known) return known;
  const { layout, scope } = cutter;
  const name = layout.declaration.name.text;
  const refuse = (reason: string): never =>
    fail(
      context,
      messages.layoutFails,
      layout.span,
      { layout: name, slot: `${site.application.name}.${slot.name}`, shape: formatShape(shape), reason },
      [{ span: slot.span, text: `the slot, at ${site.instance.path}` }],
    );
  const method = cutter.members.methods.get("tokens");
  if (!method) return refuse("it has no tokens(slot)");
  const outer = context.trace;
  const trace = new Trace();
  context.trace = trace;
  try {
    const { builder } = trace;
    const input = builder.add("input", [], { name: "slot", dtype: "f32", shape, perInstance: false });
    const value = { ...tensorAt(builder, input, slot.span), members: new Map([["anchor", int(anchor)]]) };
    const result = callDeclared(context, `${name}.tokens`, method, scope, [{ value, span: slot.span }], layout.span);
    if (result.kind !== "tensor" || result.shape.length !== 3) return refuse(`tokens gives ${describeValue(result)}`);
    if (result.shape[1] !== cutter.rows || result.shape[2] !== cutter.columns) {
      return refuse(`tokens gives ${formatShape(result.shape)}, not [t, ${cutter.rows}, ${cutter.columns}]`);
    }
    const numbers = Math.max(elementCount(shape), elementCount(result.shape));
    if (numbers > mostProven) return refuse(`it comes to ${numbers} numbers, and at most ${mostProven} can be proven`);
    const derived = deriveInverse(builder, input, result.id);
    if (typeof derived === "string") return refuse(derived);
    const cut: SlotCut = { count: result.shape[0]!, ...derived };
    cutter.cuts.set(key, cut);
    return cut;
  } finally {
    context.trace = outer;
  }
}

/** The axis that the layout keeps whole, counted in what `tokens` is given; -1 when the slot has none. */
function anchorOf(cutter: Cutter, slot: SlotDefinition): number {
  for (const name of cutter.layout.axes.values()) {
    const axis = slot.anchors.get(name);
    if (axis !== undefined) return cutter.joined ? axis + 1 : axis;
  }
  return -1;
}

function gridRecord(grid: TokenGrid, present: readonly (readonly boolean[])[]): RecordValue {
  const { layers, tokens, rows, columns } = grid;
  const kinds = grid.kinds.map(
    ({ interface: owner, slot, start, count, initializer }): Value => ({
      kind: "record",
      name: "kind of token",
      members: new Map<string, Value>([
        ["name", string(`${owner}.${slot}`)],
        ["interface", string(owner)],
        ["slot", string(slot)],
        ["start", int(start)],
        ["count", int(count)],
        ["initial", { kind: "initializer", initializer }],
      ]),
    }),
  );
  const members = new Map<string, Value>([
    ["layers", int(layers)],
    ["tokens", int(tokens)],
    ["rows", int(rows)],
    ["columns", int(columns)],
    ["shape", list([layers, tokens, rows, columns].map(int))],
    ["kinds", list(kinds)],
    ["ragged", bool(present.some((row) => row.includes(false)))],
    ["present", list(present.map((row) => list(row.map((value): Value => ({ kind: "bool", value })))))],
  ]);
  return { kind: "record", name: "grid", members };
}
