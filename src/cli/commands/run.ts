import type { CommandModule } from "yargs";
import { readSafetensors, writeSafetensors } from "../../../runtime/tensors/safetensors.js";
import type { Tensor } from "../../../runtime/tensors/tensor.js";
import { rename } from "../../api/names.js";
import { parametersOf, runEntry } from "../../api/run.js";
import { CommandError } from "../exit-codes.js";
import { nodeHost } from "../host.js";
import {
  compileNamed,
  type DeviceFlags,
  largestSeed,
  type ModelFlags,
  openNamed,
  requireEntryPoint,
  wholeNumber,
  withDeviceFlags,
  withModelFlags,
} from "../model-flags.js";
import { parsePairs } from "../settings.js";

interface Options extends ModelFlags, DeviceFlags {
  fn: string;
  params: string | undefined;
  inputs: string | undefined;
  out: string;
  grad: string[];
  cotangent: string | undefined;
  rename: string[];
  map: string | undefined;
  seed: number;
}

/** Names of the inputs' file that start so are no arguments, but what gradients are taken of. */
const cotangentPrefix = "cotangent.";

export const runCommand: CommandModule<object, Options> = {
  command: "run <file> <fn>",
  describe: "Run an entry point on given tensors",
  builder: (parser) =>
    withDeviceFlags(
      withModelFlags(parser)
        .positional("fn", { type: "string", demandOption: true, describe: "Name of an entry point" })
        .option("params", {
          type: "string",
          requiresArg: true,
          describe: "Safetensors file with the stored tensors by path; others of the model may be in it",
        })
        .option("inputs", {
          type: "string",
          requiresArg: true,
          describe: "Safetensors file with the arguments by name, with or without a leading batch axis",
        })
        .option("out", {
          type: "string",
          requiresArg: true,
          demandOption: true,
          describe: "Safetensors file for outputs and gradients",
        })
        .option("grad", {
          type: "string",
          requiresArg: true,
          array: true,
          default: [] as string[],
          describe: 'Paths or argument names whose gradients are wanted (comma-separated; "*": all stored tensors)',
        })
        .option("cotangent", {
          type: "string",
          requiresArg: true,
          describe:
            "Safetensors file with the cotangent of each output by its name; or they stand beside the inputs as cotangent.NAME",
        })
        .option("rename", {
          type: "string",
          requiresArg: true,
          array: true,
          default: [] as string[],
          describe: "OLD=NEW: tensor OLD of the parameter file is NEW of the model; * stands for one part of a path",
        })
        .option("map", { type: "string", requiresArg: true, describe: "JSON file {OLD: NEW, ..} of such renames" })
        .option("seed", {
          type: "number",
          default: 0,
          requiresArg: true,
          describe: "Seed of random draws",
          coerce: wholeNumber("seed", 0, largestSeed),
        }),
    ) as never,
  async handler(options) {
    const host = nodeHost();
    const read = async (path: string | undefined): Promise<Map<string, Tensor>> => {
      if (path === undefined) return new Map();
      const file = readSafetensors(await host.readBytes(path), path);
      return new Map([...file.entries.keys()].map((name) => [name, file.tensor(name)]));
    };
    const compiled = await compileNamed(options);
    const { model } = compiled;
    requireEntryPoint(model, options.fn);
    const pairs = [
      ...parsePairs("--rename", options.rename),
      ...(options.map === undefined ? [] : parseMap(options.map, await host.readText(options.map))),
    ];
    const parameters = renamed(await read(options.params), pairs);
    const given = await read(options.inputs);
    const besides = [...given].filter(([name]) => name.startsWith(cotangentPrefix));
    const inputs = new Map([...given].filter(([name]) => !name.startsWith(cotangentPrefix)));
    const cotangents = options.cotangent === undefined ? new Map(besides) : await read(options.cotangent);
    const open = await openNamed(options);
    let outputs: Map<string, Tensor>;
    try {
      outputs = await runEntry(compiled, open, {
        entry: options.fn,
        parameters,
        inputs,
        gradients: options.grad.flatMap((names) => names.split(",")).filter((name) => name !== ""),
        cotangents,
        seed: options.seed,
      });
    } finally {
      await open.device.close();
    }
    await host.writeBytes(options.out, writeSafetensors(outputs, {}, { file: options.out }));
    const count = parametersOf(model.entryPoint(options.fn)).size;
    process.stdout.write(`${options.out}: ${outputs.size} tensors from ${options.fn} (${count} stored tensors read)\n`);
  },
};

/** Tensors under their new names. Throws CommandError when two would have the same. */
function renamed(tensors: ReadonlyMap<string, Tensor>, pairs: readonly [string, string][]): Map<string, Tensor> {
  const origins = new Map<string, string>();
  const result = new Map<string, Tensor>();
  for (const [name, tensor] of tensors) {
    const path = rename(name, pairs);
    const other = origins.get(path);
    if (other !== undefined)
      throw new CommandError(`"${other}" and "${name}" of the parameter file would both be ${path}`);
    origins.set(path, name);
    result.set(path, tensor);
  }
  return result;
}

function parseMap(path: string, text: string): [string, string][] {
  try {
    const map: unknown = JSON.parse(text);
    if (
      typeof map === "object" &&
      map !== null &&
      !Array.isArray(map) &&
      Object.values(map).every((value) => typeof value === "string")
    )
      return Object.entries(map as Record<string, string>);
  } catch {
    // Falls through to the message below: broken JSON and JSON of another shape are the same to the user.
  }
  throw new CommandError(`${path} must hold a JSON object of strings: {"name in the file": "path in the model", ..}`);
}
