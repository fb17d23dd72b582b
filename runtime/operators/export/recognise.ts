/** Which form of PEFT an interface has: what it does to arbitrary numbers is compared with what the forms do to the same numbers. */
import { WeftError } from "../../../dsl/diagnostics/diagnostic.js";
import type { SiteFold, StoredPlaces } from "../../../src/build/site-fold.js";
import type { AdaptedSite } from "../../../src/build/values.js";
import { isFloat } from "../../../src/graph/dtype.js";
import { elementCount, type Shape } from "../../../src/graph/shape.js";
import { environmentOf } from "../../reference/environment.js";
import { evaluate } from "../../reference/interpreter.js";
import type { Numbers, OperatorSite } from "../site-changes.js";
import type { Base, PeftForm } from "./forms/form.js";
import { peftDiffers, peftForms } from "./forms.js";
import * as matrices from "./matrices.js";

/** What plays a role, and whether it stands transposed. */
export interface Player {
  readonly name: string;
  readonly transposed: boolean;
}

export interface Recognised {
  readonly form: PeftForm;
  readonly places: StoredPlaces;
  readonly slots: ReadonlyMap<string, Player>;
  readonly stored: ReadonlyMap<string, Player>;
  /** The interface's change is that of the form, times this. */
  readonly scale: number;
}

/** Largest difference, in parts of the largest change, at which two changes count as one. */
const tolerance = 1e-6;

/** The form of a site's interface, or why it has none: a sentence. Nothing of the model's weights is read. */
export function recognise(site: OperatorSite): Recognised | string {
  const { fold, group, path } = site;
  const [adapted, ...others] = group.sites;
  const { declaration } = adapted!.application.interface;
  const name = declaration.name.text;
  const known = declaration.span.file === "std/interfaces" ? peftDiffers[name] : undefined;
  if (others.length > 0) return `${path} has several interfaces, and a module of PEFT's has one adapter`;
  if (fold instanceof WeftError) return known ?? fold.diagnostics[0]!.message;
  if (!fold.stored) return `${path}: ${fold.lacks}`;
  if (fold.stored.transposed) return `${path} stores its weight as [in, out], and PEFT's linear maps have [out, in]`;
  const trial = trialOf(adapted!, fold);
  for (const form of peftForms) {
    for (const cast of castings(form, trial)) {
      const scale = scaleOf(form, cast, trial, adapted!);
      if (scale !== undefined) return { form, places: fold.stored, slots: cast.slots, stored: cast.stored, scale };
    }
  }
  return known ?? `no form of PEFT's does what ${name} does`;
}

/** An interface tried on arbitrary numbers. */
interface Trial {
  readonly slots: ReadonlyMap<string, Numbers>;
  readonly stored: ReadonlyMap<string, Numbers>;
  readonly base: Base;
  readonly weight: Float64Array;
  readonly bias: Float64Array;
}

function trialOf(site: AdaptedSite, { graph, inputs }: SiteFold): Trial {
  const slots = new Map(
    inputs.map(({ slot }, place) => {
      const { shape } = site.slots.get(slot)!;
      // Small, so that what is solved step by step converges.
      return [slot, { shape, data: arbitrary(elementCount(shape), place + 1, 0.05) }] as const;
    }),
  );
  const leaves = new Map<string, Numbers>();
  for (const node of graph.nodes) {
    if (node.primitive !== "parameter") continue;
    const { path, shape, dtype } = node.attributes;
    const numbers = arbitrary(elementCount(shape), 20 + leaves.size, 0.5);
    leaves.set(path, { shape, data: isFloat(dtype) ? numbers : numbers.map((_, place) => place) });
  }
  const stored = new Map(
    [...site.weights.values()].flatMap((definition) => {
      const found = leaves.get(definition.path);
      return found ? [[definition.name, found] as const] : [];
    }),
  );
  const results = evaluate(
    graph,
    environmentOf({
      inputs: new Map(inputs.map(({ name, slot }) => [name, slots.get(slot)!.data])),
      stored: new Map([...leaves].map(([path, { data }]) => [path, data])),
    }),
  );
  const { type, data } = results.get("base.weight")!;
  const rows = type.shape[0]!;
  const bias = results.get("base.bias")?.data ?? new Float64Array(rows);
  const base = { weight: { shape: type.shape, data }, bias };
  return { slots, stored, base, weight: results.get("weight")!.data, bias: results.get("bias")?.data ?? bias };
}

/** Numbers without pattern between -most and most. */
function arbitrary(count: number, seed: number, most: number): Float64Array {
  return Float64Array.from(
    { length: count },
    (_, place) => most * ((Math.sin(place * 12.9898 + seed * 4.1414) * 43758.5453) % 1),
  );
}

/** Who plays which role. */
interface Casting {
  readonly slots: ReadonlyMap<string, Player>;
  readonly stored: ReadonlyMap<string, Player>;
}

/** Every way in which an interface's slots and stored tensors can play a form's roles, by their shapes. */
function castings(form: PeftForm, trial: Trial): Casting[] {
  if (form.slots.length !== trial.slots.size || form.stored.length !== trial.stored.size) return [];
  const found: Casting[] = [];
  for (const slots of assignments(form.slots, trial.slots)) {
    for (const stored of assignments(form.stored, trial.stored)) {
      const shapeOf = (role: string): Shape => {
        const player = slots.get(role);
        const { shape } = player ? trial.slots.get(player.name)! : trial.stored.get(stored.get(role)!.name)!;
        return (player ?? stored.get(role)!).transposed ? [...shape].reverse() : shape;
      };
      if (form.fits(shapeOf, trial.base.weight.shape)) found.push({ slots, stored });
    }
  }
  return found;
}

/** All ways to give roles to tensors, each as it stands or, where it is a matrix, transposed. */
function assignments(roles: readonly string[], tensors: ReadonlyMap<string, Numbers>): Map<string, Player>[] {
  const [role, ...rest] = roles;
  if (role === undefined) return [new Map()];
  return [...tensors].flatMap(([name, { shape }]) => {
    const others = new Map([...tensors].filter(([other]) => other !== name));
    const turns = shape.length === 2 ? [false, true] : [false];
    return turns.flatMap((transposed) =>
      assignments(rest, others).map((found) => new Map([[role, { name, transposed }], ...found])),
    );
  });
}

/** The tensor in the orientation of its role, or back. */
export function oriented({ shape, data }: Numbers, transposed: boolean): Numbers {
  if (!transposed) return { shape, data };
  const turned = matrices.transpose({ rows: shape[0]!, columns: shape[1]!, data });
  return { shape: [turned.rows, turned.columns], data: turned.data };
}

/** By how much the form's change must be multiplied to be the interface's; undefined where no factor makes them equal. */
function scaleOf(form: PeftForm, cast: Casting, trial: Trial, site: AdaptedSite): number | undefined {
  const roles = (role: string): Numbers => {
    const player = cast.slots.get(role);
    if (player) return oriented(trial.slots.get(player.name)!, player.transposed);
    const { name, transposed } = cast.stored.get(role)!;
    return oriented(trial.stored.get(name)!, transposed);
  };
  const tensors = form.encode(roles, trial.base);
  const own = differences(trial.base, trial.weight, trial.bias);
  const changed = (scale: number): Float64Array => {
    const { weight, bias } = form.change((key) => tensors[key]!, trial.base, scale);
    return differences(trial.base, weight.data, bias);
  };
  const largest = own.reduce((most, number) => Math.max(most, Math.abs(number)), 0);
  const fits = (scale: number): boolean => {
    const given = changed(scale);
    return largest > 0 && own.every((number, place) => Math.abs(number - given[place]!) <= tolerance * largest);
  };
  if (form.scale.kind === "none") return fits(1) ? 1 : undefined;
  const once = changed(1);
  const squared = dot(once, once);
  const candidates = [...(squared > 0 ? [dot(own, once) / squared] : []), ...knownScales(form, tensors, site)];
  const found = candidates.find(fits);
  return found === undefined ? undefined : settled(found, knownScales(form, tensors, site));
}

function differences(base: Base, weight: Float64Array, bias: Float64Array): Float64Array {
  const all = new Float64Array(weight.length + bias.length);
  all.set(weight.map((number, place) => number - base.weight.data[place]!));
  all.set(
    bias.map((number, place) => number - base.bias[place]!),
    weight.length,
  );
  return all;
}

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, number, place) => sum + number * b[place]!, 0);

/** Factors that an interface's parameters suggest. */
function knownScales(form: PeftForm, tensors: Readonly<Record<string, Numbers>>, site: AdaptedSite): number[] {
  const alpha = alphaOf(site);
  const rank = form.settings((key) => tensors[key]!).r;
  if (alpha === undefined || typeof rank !== "number") return [1];
  return [alpha / rank, alpha / Math.sqrt(rank), 1];
}

/** The interface's parameter of that name. */
export function alphaOf(site: AdaptedSite): number | undefined {
  const alpha = site.application.interface.statics.get("alpha");
  return alpha?.kind === "float" || alpha?.kind === "int" ? alpha.value : undefined;
}

/** The suggested number where one is as near as rounding lets it be, else one without the digits that rounding left. */
function settled(scale: number, suggested: readonly number[]): number {
  const near = suggested.find((number) => Math.abs(number - scale) <= 1e-9 * Math.abs(number));
  return near ?? Number(scale.toPrecision(9));
}
