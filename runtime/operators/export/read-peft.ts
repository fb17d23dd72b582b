import { elementCount, formatShape, sameShape } from "../../../src/graph/shape.js";
import type { Tensor } from "../../tensors/tensor.js";
import type { Numbers, OperatorSite, StoredValue } from "../site-changes.js";
import type { OperatorSpace } from "../space.js";
import {
  baseOf,
  cornerOf,
  noBase,
  type PeftAdapter,
  type PeftNames,
  recogniseAll,
  scaled,
  tensorName,
} from "./adapter.js";
import type { Base } from "./forms/form.js";
import { settingOf, settingProblems } from "./peft-settings.js";
import { oriented, type Recognised } from "./recognise.js";
import { requireNone, SlotWriter } from "./slots.js";

export interface ImportedOperator {
  readonly tokens: Float32Array;
  /** Stored tensors of interfaces that the adapter brings along, by path. */
  readonly stored: ReadonlyMap<string, Tensor>;
}

/**
 * The operator that an adapter holds, with padding of zeros. `stored` is asked for weights where the form needs them. Throws an Error that lists all
 * that does not fit the model.
 */
export function operatorOfPeft(
  space: OperatorSpace,
  adapter: PeftAdapter,
  stored: StoredValue,
  names: Pick<PeftNames, "module">,
): ImportedOperator {
  const { adaptation } = space;
  const { config, tensors } = adapter;
  const problems: string[] = [];
  const read = new Set<string>();
  const writer = new SlotWriter(space);
  const brought = new Map<string, Tensor>();
  const sites = recogniseAll(space.sites());
  const [first] = sites;
  if (config.peft_type !== first!.found.form.type) {
    const { interfaces } = first!.site;
    throw new Error(
      `the adapter is ${String(config.peft_type)}, but ${adaptation.path} adapts with ${interfaces[0]}, which is ${first!.found.form.type}`,
    );
  }
  for (const { site, found } of sites) {
    const module = names.module(site.path);
    const before = problems.length;
    const wrong = settingProblems(site, found.form, config, module);
    problems.push(...wrong);
    const { expected, given } = moduleTensors(site, found, tensors, module, read, problems);
    if (problems.length > before) continue;
    const values = decode(site, found, given, expected, config, module, stored);
    if (typeof values === "string") {
      problems.push(values);
      continue;
    }
    for (const [role, { name, transposed }] of found.slots) {
      const address = site.slots.find(({ slot }) => slot.name === name)!;
      problems.push(...writer.write(address, oriented(values[role]!, transposed).data));
    }
    for (const [role, player] of found.stored) {
      const { path } = site.group.sites[0]!.weights.get(player.name)!;
      const { shape, data } = oriented(given[found.form.brings[role]!]!, player.transposed);
      brought.set(path, { dtype: "f32", shape, data: Float32Array.from(data) });
    }
  }
  const unread = [...tensors.keys()].filter((name) => !read.has(name));
  problems.push(...unread.map((name) => `${name} belongs to no adapted module`));
  requireNone(`the adapter does not fit ${adaptation.path}`, problems);
  return { tokens: writer.tokens, stored: brought };
}

interface ModuleTensors {
  /** Tensors as the model's operator would be written. */
  readonly expected: Readonly<Record<string, Numbers>>;
  readonly given: Readonly<Record<string, Numbers>>;
}

/** A module's tensors, of the shapes that the model's operator has. */
function moduleTensors(
  site: OperatorSite,
  { form, places, slots, stored }: Recognised,
  tensors: ReadonlyMap<string, Tensor>,
  module: string,
  read: Set<string>,
  problems: string[],
): ModuleTensors {
  const zeros = (role: string): Numbers => {
    const player = slots.get(role) ?? stored.get(role)!;
    const own = site.group.sites[0]!;
    const { shape } = slots.has(role) ? own.slots.get(player.name)! : own.weights.get(player.name)!;
    return oriented({ shape, data: new Float64Array(elementCount(shape)) }, player.transposed);
  };
  const { shape } = [...site.group.instance.weights.values()].find(({ path }) => path === places.weight)!;
  const weight = { shape, data: new Float64Array(elementCount(shape)) };
  const blank: Base = { weight, bias: new Float64Array(shape[0]!) };
  const expected = form.encode(zeros, blank);
  const given: Record<string, Numbers> = {};
  for (const [key, { shape }] of Object.entries(expected)) {
    const whole = form.whole[key];
    const name = tensorName(form, module, key);
    const tensor = tensors.get(name);
    read.add(name);
    const fits = tensor && (whole !== undefined || sameShape(tensor.shape, shape));
    const data = fits ? cornerOf(tensor, shape) : undefined;
    if (!tensor) problems.push(`${name} is missing`);
    else if (!data) {
      problems.push(`${name} is ${formatShape(tensor.shape)}, and the model's operator has ${formatShape(shape)}`);
    } else given[key] = { shape, data: Float64Array.from(data) };
  }
  return { expected, given };
}

/** The roles' numbers, times what the adapter's factor is above the interface's; or what is wrong. */
function decode(
  site: OperatorSite,
  { form, places, scale }: Recognised,
  given: Readonly<Record<string, Numbers>>,
  expected: Readonly<Record<string, Numbers>>,
  config: PeftAdapter["config"],
  module: string,
  stored: StoredValue,
): Record<string, Numbers> | string {
  for (const [key, value] of Object.entries(form.settings((key) => expected[key]!))) {
    if (key in form.lists) continue;
    const found = settingOf(config, form, key, module);
    if (found !== undefined && found !== value)
      return `${module} has ${key} ${String(found)}, and ${site.path} has ${value}`;
  }
  const tensors = { ...given };
  if (form.scale.kind === "tensor" && scale !== 1) {
    const { key } = form.scale;
    tensors[key] = scaled(tensors[key]!, 1 / scale);
  }
  const base = form.needsWeight ? baseOf(places, stored) : noBase;
  const roles = form.decode((key) => tensors[key]!, base);
  if (form.scale.kind !== "setting") return roles;
  const alpha = settingOf(config, form, form.scale.name, module);
  const rank = Number(form.settings((key) => expected[key]!).r);
  if (typeof alpha !== "number") return `the adapter has no ${form.scale.name}`;
  const theirs = alpha / (config.use_rslora === true ? Math.sqrt(rank) : rank);
  const factor = theirs / scale;
  const role = form.absorbs!;
  // Settings are written with nine digits.
  return Math.abs(factor - 1) < 1e-8 ? roles : { ...roles, [role]: scaled(roles[role]!, factor) };
}
