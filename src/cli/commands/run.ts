import type { CommandModule } from "yargs";
import { readSafetensors, writeSafetensors } from "../../../runtime/tensors/safetensors.js";
import type { Tensor } from "../../../runtime/tensors/tensor.js";
import { type DeviceKind, deviceKinds, openDevice } from "../../api/devices.js";
import { compile } from "../../api/load.js";
import { rename } from "../../api/names.js";
import { parametersOf, runEntry } from "../../api/run.js";
import { CommandError, exitCodes } from "../exit-codes.js";
import { nodeHost } from "../host.js";
import { parsePairs, parseSettings } from "../settings.js";

interface Options {
  file: string;
  fn: string;
  model: string | undefined;
  set: string[];
  params: string | undefined;
  inputs: string | undefined;
  out: string;
  grad: string[];
  cotangent: string | undefined;
  rename: string[];
  map: string | undefined;
  seed: number;
  device: DeviceKind | undefined;
  threads: number | undefined;
}

export const runCommand: CommandModule<object, Options> = {
  command: "run <file> <fn>",
  describe: "Run an entry point on given tensors",
  builder: (parser) =>
    parser
      .positional("file", { type: "string", demandOption: true, describe: "The .weft file" })
      .positional("fn", { type: "string", demandOption: true, describe: "Name of an entry point" })
      .option("model", { type: "string", describe: "Which model, when the file has several" })
      .option("set", {
        type: "string",
        array: true,
        default: [] as string[],
        describe: "NAME=VALUE of a model parameter",
      })
      .option("params", {
        type: "string",
        describe: "Safetensors file with the stored tensors by path; others of the model may be in it",
      })
      .option("inputs", {
        type: "string",
        describe: "Safetensors file with the arguments by name, with or without a leading batch axis",
      })
      .option("out", { type: "string", demandOption: true, describe: "Safetensors file for outputs and gradients" })
      .option("grad", {
        type: "string",
        array: true,
        default: [] as string[],
        describe: 'Paths or argument names whose gradients are wanted (comma-separated; "*": all stored tensors)',
      })
      .option("cotangent", {
        type: "string",
        describe: "Safetensors file with the cotangent of each output by its name",
      })
      .option("rename", {
        type: "string",
        array: true,
        default: [] as string[],
        describe: "OLD=NEW: tensor OLD of the parameter file is NEW of the model; * stands for one part of a path",
      })
      .option("map", { type: "string", describe: "JSON file {OLD: NEW, ..} of such renames" })
      .option("seed", { type: "number", default: 0, describe: "Seed of random draws" })
      .option("device", { choices: deviceKinds, describe: "Where it runs" })
      .option("threads", { type: "number", describe: "Threads of the CPU device" }),
  async handler(options) {
    const host = nodeHost();
    const read = async (path: string | undefined): Promise<Map<string, Tensor>> => {
      if (path === undefined) return new Map();
      const file = readSafetensors(await host.readBytes(path), path);
      return new Map([...file.entries.keys()].map((name) => [name, file.tensor(name)]));
    };
    const compiled = await compile(options.file, {
      ...(options.model === undefined ? {} : { model: options.model }),
      settings: parseSettings(options.set),
    });
    const { model } = compiled;
    if (!model.entryPoints.includes(options.fn)) {
      throw new CommandError(
        `model ${model.name} has no entry point "${options.fn}"; it has ${model.entryPoints.join(", ")}`,
        exitCodes.usage,
      );
    }
    const pairs = [
      ...parsePairs("--rename", options.rename),
      ...(options.map === undefined ? [] : parseMap(options.map, await host.readText(options.map))),
    ];
    const parameters = new Map(
      [...(await read(options.params))].map(([name, tensor]) => [rename(name, pairs), tensor]),
    );
    const outputs = await runEntry(
      compiled,
      await openDevice(options.device, options.threads === undefined ? {} : { threads: options.threads }),
      {
        entry: options.fn,
        parameters,
        inputs: await read(options.inputs),
        gradients: options.grad.flatMap((names) => names.split(",")).filter((name) => name !== ""),
        cotangents: await read(options.cotangent),
        seed: options.seed,
      },
    );
    await host.writeBytes(options.out, writeSafetensors(outputs, {}, { file: options.out }));
    const count = parametersOf(model.entryPoint(options.fn)).size;
    process.stdout.write(
      `${options.out}: ${[...outputs.keys()].length} tensors from ${options.fn} (${count} stored tensors read)\n`,
    );
  },
};

function parseMap(path: string, text: string): [string, string][] {
  try {
    const map: unknown = JSON.parse(text);
    if (typeof map === "object" && map !== null && Object.values(map).every((value) => typeof value === "string"))
      return Object.entries(map as Record<string, string>);
  } catch {
    // Falls through to the message below: broken JSON and JSON of another shape are the same to the user.
  }
  throw new CommandError(`${path} must hold a JSON object of strings: {"name in the file": "path in the model", ..}`);
}
