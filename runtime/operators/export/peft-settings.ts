/** The settings of an adapter: one for all modules, those that patterns give to single ones, and lists of modules. */
import type { Numbers, OperatorSite } from "../site-changes.js";
import type { PeftAdapter } from "./adapter.js";
import type { PeftForm, Setting } from "./forms/form.js";
import { alphaOf, type Recognised } from "./recognise.js";

export interface AdaptedModule {
  readonly name: string;
  readonly form: PeftForm;
  readonly settings: Readonly<Record<string, Setting>>;
}

export function configOf(modules: readonly AdaptedModule[], problems: string[]): Record<string, unknown> {
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

/** How a form's settings tell the factor on its change. */
export function scaleSettings(
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

/** A setting of one module: what its pattern says, or else the adapter's. */
export function settingOf(config: PeftAdapter["config"], form: PeftForm, key: string, module: string): unknown {
  const pattern = form.patterns[key];
  const listed = pattern === undefined ? undefined : config[pattern];
  if (typeof listed === "object" && listed !== null) {
    for (const [written, value] of Object.entries(listed)) {
      if (matches(`(.*\\.)?(${written})`, module)) return value;
    }
  }
  return config[key];
}

/** Whether a regular expression of Python's matches all of a name; one that is none here matches nothing. */
function matches(expression: string, name: string): boolean {
  try {
    return new RegExp(`^(?:${expression})$`).test(name);
  } catch {
    return false;
  }
}

/** Settings under which an adapter does something else than the form says. */
export function settingProblems(
  site: OperatorSite,
  form: PeftForm,
  config: PeftAdapter["config"],
  module: string,
): string[] {
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
    const isNamed = names.some((name) => module === name || module.endsWith(`.${name}`));
    const isListed = isNamed || (typeof listed === "string" && matches(listed, module));
    const wanted = form.settings(() => ({ shape: [], data: new Float64Array() }))[key] === true;
    if (isListed !== wanted) problems.push(`${module} is ${isListed ? "" : "not "}among ${list}, unlike ${site.path}`);
  }
  return [...new Set(problems)];
}
