/** The files of PEFT's adapters, and how modules are called in them. */
import type { Argv } from "yargs";
import { rename } from "../api/names.js";
import { CommandError } from "./exit-codes.js";

export const adapterConfigFile = "adapter_config.json";
export const adapterTensorsFile = "adapter_model.safetensors";

export interface NameFlags {
  root: string | undefined;
  rename: string[];
}

export function withNameFlags<T>(parser: Argv<T>, pairs: string): Argv<T & NameFlags> {
  return parser
    .option("root", {
      type: "string",
      requiresArg: true,
      describe: "Path of the module that is the base model: names in the adapter begin below it",
    })
    .option("rename", {
      type: "string",
      requiresArg: true,
      array: true,
      default: [] as string[],
      describe: `OLD=NEW: module ${pairs}; * stands for one part of a path`,
    }) as unknown as Argv<T & NameFlags>;
}

/** What an adapter calls the module at a path: without the root, and under its other name. */
export function moduleNames(
  { root }: Pick<NameFlags, "root">,
  pairs: readonly (readonly [string, string])[],
): (path: string) => string {
  return (path) => {
    if (root === undefined) return rename(path, pairs);
    if (!path.startsWith(`${root}.`))
      throw new CommandError(`the adapted module "${path}" is not below --root ${root}`);
    return rename(path.slice(root.length + 1), pairs);
  };
}

/** As PEFT writes it: sorted, and indented by two. */
export function jsonOf(config: Readonly<Record<string, unknown>>): Uint8Array {
  const sorted = Object.fromEntries(Object.entries(config).sort(([a], [b]) => (a < b ? -1 : 1)));
  return new TextEncoder().encode(JSON.stringify(sorted, undefined, 2));
}
