/** What the commands about a model have in common: which model, its settings, and the device. */
import type { Argv } from "yargs";
import { modelMessages } from "../../dsl/diagnostics/messages/build/model.js";
import { type DeviceKind, deviceKinds, type OpenDevice, openDevice } from "../api/devices.js";
import { type Compiled, compile, SourcesError } from "../api/load.js";
import type { Model } from "../build/model.js";
import { CommandError, exitCodes } from "./exit-codes.js";
import { parseSettings } from "./settings.js";

export interface ModelFlags {
  file: string;
  model: string | undefined;
  set: string[];
}

export function withModelFlags<T>(parser: Argv<T>): Argv<T & ModelFlags> {
  return parser
    .positional("file", { type: "string", demandOption: true, describe: "The .weft file" })
    .option("model", { type: "string", requiresArg: true, describe: "Which model, when the file has several" })
    .option("set", {
      type: "string",
      array: true,
      requiresArg: true,
      default: [] as string[],
      describe: "NAME=VALUE of a model parameter",
    }) as unknown as Argv<T & ModelFlags>;
}

/** Reads, checks and builds the model that the flags name. */
export async function compileNamed({ file, model, set }: ModelFlags): Promise<Compiled> {
  const options = { ...(model === undefined ? {} : { model }), settings: parseSettings(set) };
  try {
    return await compile(file, options);
  } catch (error) {
    if (!(error instanceof SourcesError)) throw error;
    // The compiler knows no flags; the user of a command does.
    const help = "Choose one with --model NAME.";
    const severalModels = modelMessages.severalModels.code;
    throw new SourcesError(
      error.diagnostics.map((diagnostic) => (diagnostic.code === severalModels ? { ...diagnostic, help } : diagnostic)),
      error.sources,
    );
  }
}

/** Throws CommandError when a model has no such entry point. */
export function requireEntryPoint(model: Model, name: string): void {
  if (model.entryPoints.includes(name)) return;
  throw new CommandError(
    `model ${model.name} has no entry point "${name}"; it has ${model.entryPoints.join(", ") || "none"}`,
    exitCodes.usage,
  );
}

export interface DeviceFlags {
  device: DeviceKind | undefined;
  threads: number | undefined;
}

export function withDeviceFlags<T>(parser: Argv<T>): Argv<T & DeviceFlags> {
  return parser
    .option("device", {
      choices: deviceKinds,
      requiresArg: true,
      describe: "Where it runs (default: a GPU if there is one, else the CPU)",
    })
    .option("threads", {
      type: "number",
      requiresArg: true,
      describe: "Threads of the CPU device, which it then is unless --device says otherwise",
      coerce: wholeNumber("threads", 1),
    }) as Argv<T & DeviceFlags>;
}

export function openNamed({ device, threads }: DeviceFlags): Promise<OpenDevice> {
  return openDevice(device, threads === undefined ? {} : { threads });
}

/** For options that count: refuses what is no whole number from `least` to `most`. */
export function wholeNumber(flag: string, least: number, most = Number.MAX_SAFE_INTEGER) {
  return (value: number | undefined): number | undefined => {
    if (value === undefined || (Number.isSafeInteger(value) && value >= least && value <= most)) return value;
    const range = most === Number.MAX_SAFE_INTEGER ? `from ${least}` : `from ${least} to ${most}`;
    throw new CommandError(`--${flag} expects a whole number ${range}`, exitCodes.usage);
  };
}

/** Largest seed: random draws are keyed by 32 bits. */
export const largestSeed = 0xffffffff;
