import { join } from "node:path";
import type { CommandModule } from "yargs";
import type { Host } from "../../../dsl/host.js";
import type { PeftAdapter } from "../../../runtime/operators/export/adapter.js";
import { operatorOfPeft } from "../../../runtime/operators/export/read-peft.js";
import { tokensOfSlots } from "../../../runtime/operators/export/slots.js";
import { operatorSpace } from "../../../runtime/operators/space.js";
import { readSafetensors, writeSafetensors } from "../../../runtime/tensors/safetensors.js";
import type { Tensor } from "../../../runtime/tensors/tensor.js";
import { sameShape } from "../../graph/shape.js";
import { adapterConfigFile, adapterTensorsFile, moduleNames, type NameFlags, withNameFlags } from "../adapter-files.js";
import { CommandError, exitCodes } from "../exit-codes.js";
import { nodeHost } from "../host.js";
import { compileNamed, type ModelFlags, withModelFlags } from "../model-flags.js";
import {
  chosenAdaptation,
  type MemoryFlags,
  storedValues,
  type WeightFlags,
  withMemoryFlag,
  withWeightFlags,
} from "../operator-flags.js";
import { parsePairs } from "../settings.js";

interface Options extends ModelFlags, MemoryFlags, WeightFlags, NameFlags {
  from: string;
  as: string | undefined;
  out: string;
}

export const importCommand: CommandModule<object, Options> = {
  command: "import <file>",
  describe: "Read an operator from an adapter of PEFT's, or from a file of slots, as tokens",
  builder: (parser) =>
    withNameFlags(withWeightFlags(withMemoryFlag(withModelFlags(parser))), "OLD in the adapter is NEW of the model")
      .option("from", {
        type: "string",
        requiresArg: true,
        demandOption: true,
        describe: "The adapter's folder, or the safetensors file that `weft export` wrote",
      })
      .option("as", {
        type: "string",
        requiresArg: true,
        describe: "Path of the model's stored operator that starts so: the file can then be given as --params",
      })
      .option("out", {
        type: "string",
        requiresArg: true,
        demandOption: true,
        describe: 'Safetensors file for the tokens, called "tokens" unless --as names them',
      }) as never,
  async handler(options) {
    const host = nodeHost();
    const compiled = await compileNamed(options);
    const { model } = compiled;
    const target = model.parameters.find(({ path }) => path === options.as);
    if (options.as !== undefined && target === undefined) {
      throw new CommandError(`model ${model.name} stores nothing at "${options.as}"`, exitCodes.usage);
    }
    const fits = (shape: readonly number[]) => target === undefined || sameShape(target.shape, shape);
    const adaptation = chosenAdaptation(compiled, options, ({ path }) => fits(operatorSpace(model, path).shape));
    const space = operatorSpace(model, adaptation.path);
    if (!fits(space.shape)) {
      throw new CommandError(`"${options.as}" stores no operator of ${adaptation.path}`, exitCodes.usage);
    }
    const adapter = await adapterIn(options.from, host);
    const tensors = new Map<string, Tensor>();
    const put = (tokens: Float32Array) =>
      tensors.set(options.as ?? "tokens", { dtype: "f32", shape: space.shape, data: tokens });
    if (adapter === undefined) {
      const file = readSafetensors(await host.readBytes(options.from), options.from);
      put(tokensOfSlots(space, new Map([...file.entries.keys()].map((name) => [name, file.tensor(name, "f32")]))));
    } else {
      const stored = await storedValues(options, compiled, host);
      const pairs = parsePairs("--rename", options.rename).map(([old, own]) => [own, old] as const);
      const imported = operatorOfPeft(space, adapter, stored, { module: moduleNames(options, pairs) });
      put(imported.tokens);
      for (const [path, tensor] of imported.stored) tensors.set(path, tensor);
    }
    await host.writeBytes(options.out, writeSafetensors(tensors, {}, { file: options.out }));
    const more = tensors.size - 1;
    const besides = more === 0 ? "" : `, and ${more} stored tensors`;
    process.stdout.write(`${options.out}: one operator of ${adaptation.path} from ${options.from}${besides}\n`);
  },
};

/** The adapter in a folder; undefined where there is none. */
async function adapterIn(folder: string, host: Host): Promise<PeftAdapter | undefined> {
  const path = join(folder, adapterConfigFile);
  if (!(await host.exists(path))) return undefined;
  let config: unknown;
  try {
    config = JSON.parse(await host.readText(path));
  } catch {
    throw new CommandError(`${path} is no JSON`);
  }
  if (typeof config !== "object" || config === null || Array.isArray(config)) {
    throw new CommandError(`${path} holds no JSON object`);
  }
  const name = join(folder, adapterTensorsFile);
  const file = readSafetensors(await host.readBytes(name), name);
  const tensors = new Map([...file.entries.keys()].map((key) => [key, file.tensor(key, "f32")]));
  return { config: config as Record<string, unknown>, tensors };
}
