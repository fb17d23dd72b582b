/**
 * Operators as adapters of PEFT (https://github.com/huggingface/peft): a folder with `adapter_config.json` and `adapter_model.safetensors`, whose tensors are
 * called `base_model.model.MODULE.KEY`.
 */
import { elementCount, formatShape, type Shape, sameShape } from "../../../src/graph/shape.js";
import type { Tensor } from "../../tensors/tensor.js";
import type { Numbers, OperatorSite, StoredValue } from "../site-changes.js";
import { type OperatorSpace, requireTokens } from "../space.js";
import type { Base, PeftForm, Setting } from "./forms.js";
import { alphaOf, oriented, type Recognised, recognise } from "./recognise.js";
import { requireNone, SlotWriter } from "./slots.js";

/** The two files of an adapter. */
export interface PeftAdapter {
  readonly config: Readonly<Record<string, unknown>>;
  readonly tensors: ReadonlyMap<string, Tensor>;
}

export interface PeftNames {
  /** What the base model calls the module at a path. */
  readonly module: (path: string) => string;
  /** `base_model_name_or_path` of the configuration. */
  readonly baseModel?: string;
}

const prefix = "base_model.model.";

/**
 * One operator as an adapter. `stored` is asked for weights where the form needs them. Throws an Error that says of every site that has no form of PEFT's
 * why, and for settings that PEFT has only once but sites need differently.
 */
export function peftAdapter(
  space: OperatorSpace,
  tokens: Float32Array,
  stored: StoredValue,
  names: PeftNames,
): PeftAdapter {
  requireTokens(space, tokens);
  const tensors = new Map<string, Tensor>();
  const problems: string[] = [];
  const modules = recogniseAll(space.sites()).map(({ site, found }) => {
    const name = names.module(site.path);
    const encoded = encode(site, found, tokens, stored);
    for (const [key, numbers] of Object.entries(encoded)) {
      const tensor: Tensor = { dtype: "f32", shape: numbers.shape, data: Float32Array.from(numbers.data) };
      const full = found.form.whole[key] ?? `${prefix}${name}.${key}`;
      const known = tensors.get(full);
      const joined = known ? joinedTensor(known, tensor) : tensor;
      if (joined) tensors.set(full, joined);
      else problems.push(`${site.path}: PEFT has one ${key} for all modules, and this one has another`);
    }
    const settings = { ...found.form.settings((key) => encoded[key]!), ...scaleSettings(site, found, encoded) };
    return { name, form: found.form, settings };
  });
  const config = configOf(modules, problems);
  requireNone(`${space.adaptation.path} cannot be written as one adapter of PEFT's`, problems);
  return {
    config: { base_model_name_or_path: names.baseModel ?? null, ...config },
    tensors,
  };
}

interface RecognisedSite {
  readonly site: OperatorSite;
  readonly found: Recognised;
}

/** The form of every site. Throws an Error with the reasons, each said once. */
function recogniseAll(sites: readonly OperatorSite[]): RecognisedSite[] {
  const known = new Map<string, Recognised | string>();
  const reasons = new Set<string>();
  const found = sites.flatMap((site): RecognisedSite[] => {
    const key = likeness(site);
    const result = known.get(key) ?? recognise(site);
    known.set(key, result);
    if (typeof result === "string") {
      reasons.add(result);
      return [];
    }
    // Sites alike differ in the paths of what they store.
    const places = "stored" in site.fold ? site.fold.stored : undefined;
    return places ? [{ site, found: { ...result, places } }] : [];
  });
  requireNone("PEFT has no form for this operator", [...reasons]);
  return found;
}

/** Equal for sites of which one says what all are. */
function likeness({ group, interfaces }: OperatorSite): string {
  const { instance, sites } = group;
  const weights = [...instance.weights.values()].map(({ name, shape, absent }) => [name, shape, absent]);
  const slots = sites.map(({ slots }) => [...slots.values()].map(({ name, shape }) => [name, shape]));
  const sizes = [...instance.statics].flatMap(([name, value]) => ("value" in value ? [[name, value.value]] : []));
  return JSON.stringify([interfaces, instance.declaration.name.text, sizes, weights, slots]);
}

function encode(
  site: OperatorSite,
  { form, places, slots, stored: fixed, scale }: Recognised,
  tokens: Float32Array,
  stored: StoredValue,
): Record<string, Numbers> {
  const roles = (role: string): Numbers => {
    const player = slots.get(role);
    if (player) {
      const { slot, read } = site.slots.find((address) => address.slot.name === player.name)!;
      return oriented({ shape: slot.shape, data: Float64Array.from(read(tokens)) }, player.transposed);
    }
    const { name, transposed } = fixed.get(role)!;
    return oriented(storedNumbers(site, name, stored), transposed);
  };
  const encoded = form.encode(roles, form.needsWeight ? baseOf(places, stored) : noBase);
  if (form.scale.kind !== "tensor" || scale === 1) return encoded;
  const { key } = form.scale;
  return { ...encoded, [key]: scaled(encoded[key]!, scale) };
}

const noBase: Base = { weight: { shape: [0, 0], data: new Float64Array() }, bias: new Float64Array() };

/** What a form is told of the module: no form's tensors depend on the bias. */
function baseOf({ weight }: Recognised["places"], stored: StoredValue): Base {
  const { shape, data } = stored(weight);
  return { weight: { shape, data: Float64Array.from(data) }, bias: new Float64Array(shape[0]!) };
}

function storedNumbers(site: OperatorSite, name: string, stored: StoredValue): Numbers {
  const definition = site.group.sites[0]!.weights.get(name)!;
  const { shape, data } = stored(definition.path);
  return { shape, data: Float64Array.from(data) };
}

const scaled = ({ shape, data }: Numbers, factor: number): Numbers => ({
  shape,
  data: data.map((number) => factor * number),
});

/** The larger of two matrices, if the other is its first rows and columns. */
function joinedTensor(a: Tensor, b: Tensor): Tensor | undefined {
  const [large, small] = elementCount(a.shape) >= elementCount(b.shape) ? [a, b] : [b, a];
  const corner = cornerOf(large, small.shape);
  return corner?.every((number, place) => Object.is(number, small.data[place])) ? large : undefined;
}

/** The first rows and columns of a tensor; undefined where it is too small. */
function cornerOf({ shape, data }: Tensor, corner: Shape): Float32Array | undefined {
  if (sameShape(shape, corner)) return Float32Array.from(data);
  const [rows, columns] = corner;
  if (shape.length !== 2 || corner.length !== 2 || shape[0]! < rows! || shape[1]! < columns!) return undefined;
  return Float32Array.from(
    { length: rows! * columns! },
    (_, place) => data[Math.floor(place / columns!) * shape[1]! + (place % columns!)]!,
  );
}

/** How a form's settings tell the factor on its change. */
function scaleSettings(
  site: OperatorSite,
  { form, scale }: Recognised,
  encoded: Readonly<Record<string, Numbers>>,
): Record<string, Setting> {
  if (form.scale.kind !== "setting") return {};
  const { name } = form.scale;
  const rank = Number(form.settings((key) => encoded[key]!).r);
  const alpha = alphaOf(site.group.sites[0]!);
  const plain = { [name]: alpha !== undefined && alpha / rank === scale ? alpha : tidy(scale * rank) };
  if (form.type !== "LORA") return plain;
  const byRoot = alpha !== undefined && alpha / rank !== scale && alpha / Math.sqrt(rank) === scale;
  return byRoot ? { [name]: alpha, use_rslora: true } : { ...plain, use_rslora: false };
}

const tidy = (number: number): number => Number(number.toPrecision(9));

// --------------------------------------------------------------------------------------------------------------- settings

interface AdaptedModule {
  readonly name: string;
  readonly form: PeftForm;
  readonly settings: Readonly<Record<string, Setting>>;
}

function configOf(modules: readonly AdaptedModule[], problems: string[]): Record<string, unknown> {
  const [first] = modules;
  const { form } = first!;
  const types = [...new Set(modules.map((module) => module.form.type))];
  if (types.length > 1) {
    problems.push(`an adapter has one type, and these are ${types.join(", ")}`);
    return {};
  }
  const config: Record<string, unknown> = {
    auto_mapping: null,
    inference_mode: true,
    modules_to_save: null,
    peft_type: form.type,
    revision: null,
    target_modules: modules.map(({ name }) => name),
    task_type: null,
    ...form.constants,
    ...form.neutral,
  };
  for (const pattern of Object.values(form.patterns)) config[pattern] = {};
  for (const key of Object.keys(first!.settings)) {
    const list = form.lists[key];
    if (list !== undefined) {
      config[list] = modules.filter(({ settings }) => settings[key] === true).map(({ name }) => name);
      continue;
    }
    const value = first!.settings[key]!;
    config[key] = value;
    const others = modules.filter(({ settings }) => settings[key] !== value);
    if (others.length === 0) continue;
    const pattern = form.patterns[key];
    if (pattern === undefined) {
      problems.push(
        `PEFT has one ${key} for all modules: ${first!.name} has ${value}, ${others[0]!.name} ${others[0]!.settings[key]}`,
      );
      continue;
    }
    config[pattern] = Object.fromEntries(others.map(({ name, settings }) => [name, settings[key]]));
  }
  return config;
}

/** A setting of one module: what its pattern says, or else the adapter's. */
function settingOf(config: PeftAdapter["config"], form: PeftForm, key: string, module: string): unknown {
  const pattern = form.patterns[key];
  const listed = pattern === undefined ? undefined : config[pattern];
  if (typeof listed === "object" && listed !== null) {
    for (const [written, value] of Object.entries(listed)) {
      if (new RegExp(`^(.*\\.)?(${written})$`).test(module)) return value;
    }
  }
  return config[key];
}

// ----------------------------------------------------------------------------------------------------------------- import

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

/** Settings under which an adapter does something else than the form says. */
function settingProblems(site: OperatorSite, form: PeftForm, config: PeftAdapter["config"], module: string): string[] {
  const problems = Object.entries(form.constants).flatMap(([key, value]) =>
    config[key] === undefined || config[key] === value
      ? []
      : [`${key} is ${JSON.stringify(config[key])}, and only ${JSON.stringify(value)} is read`],
  );
  const unread = form.unread.filter(
    (key) => config[key] !== undefined && config[key] !== null && config[key] !== false,
  );
  problems.push(...unread.map((key) => `${key} is set, which is not read`));
  for (const [key, list] of Object.entries(form.lists)) {
    const listed = config[list];
    const names = Array.isArray(listed) ? listed.map(String) : [];
    const isListed = names.some((name) => module === name || module.endsWith(`.${name}`));
    const wanted = form.settings(() => ({ shape: [], data: new Float64Array() }))[key] === true;
    if (isListed !== wanted) problems.push(`${module} is ${isListed ? "" : "not "}among ${list}, unlike ${site.path}`);
  }
  return [...new Set(problems)];
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
    const name = whole ?? `${prefix}${module}.${key}`;
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
  const role = form.absorbs!;
  return theirs === scale ? roles : { ...roles, [role]: scaled(roles[role]!, theirs / scale) };
}
