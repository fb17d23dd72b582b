import { join } from "node:path";
import type { CommandModule } from "yargs";
import { readSafetensors, writeSafetensors } from "../../../runtime/tensors/safetensors.js";
import type { Tensor } from "../../../runtime/tensors/tensor.js";
import { loadStage } from "../../../runtime/training/train.js";
import { sampleRows } from "../../api/sampling.js";
import { trainingPrograms } from "../../api/training.js";
import type { Model } from "../../build/model.js";
import { elementCount } from "../../graph/shape.js";
import { type DataFlags, dataSources, withDataFlags } from "../data-flags.js";
import { CommandError, exitCodes } from "../exit-codes.js";
import { nodeHost } from "../host.js";
import {
  compileNamed,
  type DeviceFlags,
  largestSeed,
  type ModelFlags,
  openNamed,
  wholeNumber,
  withDeviceFlags,
  withModelFlags,
} from "../model-flags.js";
import { ofFinishedRun, outsideWeights, type RunFlags, runFolder, withRunFlags } from "../run-flags.js";

interface Options extends ModelFlags, RunFlags, DataFlags, DeviceFlags {
  fn: string;
  "draw-seed": number;
  after: string | undefined;
  from: string;
  rows: string;
  shared: string | undefined;
  steps: number | undefined;
  guidance: number | undefined;
  out: string;
  png: string | undefined;
}

export const sampleCommand: CommandModule<object, Options> = {
  command: "sample <file> <fn>",
  describe: "Sample by a `sample` block, or run an entry point, on rows of data with the weights a stage left",
  builder: (parser) =>
    withDeviceFlags(
      withRunFlags(withDataFlags(withModelFlags(parser)), ofFinishedRun)
        .positional("fn", {
          type: "string",
          demandOption: true,
          describe: "Name of a `sample` block or an entry point",
        })
        .option("draw-seed", {
          type: "number",
          default: 0,
          requiresArg: true,
          describe: "Seed of random draws",
          coerce: wholeNumber("draw-seed", 0, largestSeed),
        })
        .option("after", {
          type: "string",
          requiresArg: true,
          describe: "The stage whose weights are used (default: that of the `sample` block, or initial weights)",
        })
        .option("steps", {
          type: "number",
          requiresArg: true,
          describe: "Steps of the solver, instead of those of the `sample` block",
          coerce: wholeNumber("steps", 1),
        })
        .option("guidance", {
          type: "number",
          requiresArg: true,
          describe: "Strength of the guidance, instead of that of the `sample` block",
          coerce(value: number | undefined) {
            if (value === undefined || Number.isFinite(value)) return value;
            throw new CommandError("--guidance expects a number", exitCodes.usage);
          },
        })
        .option("from", { type: "string", requiresArg: true, demandOption: true, describe: "Name of the data source" })
        .option("rows", {
          type: "string",
          requiresArg: true,
          default: "0-7",
          describe: "Rows of the source, e.g. 0-7,12",
        })
        .option("shared", {
          type: "string",
          requiresArg: true,
          describe: "Safetensors file with the arguments marked `shared`",
        })
        .option("out", {
          type: "string",
          requiresArg: true,
          demandOption: true,
          describe: "Safetensors file for the outputs",
        })
        .option("png", {
          type: "string",
          requiresArg: true,
          describe: "Folder for pictures, when the output is [3, side, side] in [-1, 1]",
        }),
    ) as never,
  async handler(options) {
    const host = nodeHost();
    const compiled = await compileNamed(options);
    const { model } = compiled;
    const sampling = model.samplings.find(({ name }) => name === options.fn);
    if (sampling === undefined) {
      requireSamples(model, options.fn);
      refuseSolverFlags(options);
    }
    const data = await dataSources(options.file, options, host);
    const source = data.find(({ name }) => name === options.from);
    if (!source)
      throw new CommandError(
        `there is no data source "${options.from}"; there are ${data.map(({ name }) => name).join(", ")}`,
        exitCodes.usage,
      );
    const rows = parseRows(options.rows, source.length);
    const given =
      options.shared === undefined ? {} : sharedArguments(await host.readBytes(options.shared), options.shared);

    const open = await openNamed(options);
    try {
      const programs = trainingPrograms(compiled, open);
      const set = await programs.parameters();
      await loadStage(
        {
          model,
          seed: options.seed,
          folder: runFolder(options.file, options),
          host,
          programs,
          data,
          ...(await outsideWeights(options, host)),
        },
        options.after ?? sampling?.after,
        set,
        [options.fn, ...(sampling?.once ?? [])],
      );
      const { steps, guidance } = options;
      const tensors = await sampleRows(model, programs, set, {
        name: options.fn,
        source,
        rows,
        seed: options["draw-seed"],
        dataSeed: options.seed,
        given,
        ...(steps === undefined ? {} : { steps }),
        ...(guidance === undefined ? {} : { guidance }),
      });
      await host.writeBytes(options.out, writeSafetensors(tensors, {}, { file: options.out }));
      process.stdout.write(`${options.out}: ${rows.length} rows of ${options.from} through ${options.fn}\n`);
      if (options.png !== undefined) await writePictures(options.png, tensors, rows, host.writeBytes);
    } finally {
      await open.device.close();
    }
  },
};

function requireSamples(model: Model, name: string): void {
  if (model.entryPoints.includes(name)) return;
  const samplings = model.samplings.map((sampling) => sampling.name);
  throw new CommandError(
    `model ${model.name} has no \`sample\` block and no entry point "${name}"; it has ${[...samplings, ...model.entryPoints].join(", ") || "none"}`,
    exitCodes.usage,
  );
}

function refuseSolverFlags({ fn, steps, guidance }: Options): void {
  if (steps === undefined && guidance === undefined) return;
  const flag = steps === undefined ? "guidance" : "steps";
  throw new CommandError(`--${flag} is for \`sample\` blocks, and ${fn} is an entry point`, exitCodes.usage);
}

/** `0-7,12`, checked against the number of rows. */
function parseRows(text: string, length: number): number[] {
  const rows = text.split(",").flatMap((part) => {
    const match = /^\s*(\d+)(?:-(\d+))?\s*$/.exec(part);
    if (!match)
      throw new CommandError(`--rows expects numbers and ranges such as 0-7,12, found "${part}"`, exitCodes.usage);
    const first = Number(match[1]);
    const last = Number(match[2] ?? match[1]);
    return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index);
  });
  const outside = rows.find((row) => row >= length);
  if (rows.length === 0 || outside !== undefined)
    throw new CommandError(`--rows ${text}: the source has rows 0-${length - 1}`, exitCodes.usage);
  return rows;
}

function sharedArguments(bytes: Uint8Array, path: string): Record<string, Tensor["data"]> {
  const file = readSafetensors(bytes, path);
  return Object.fromEntries([...file.entries.keys()].map((name) => [name, file.tensor(name).data]));
}

async function writePictures(
  folder: string,
  tensors: ReadonlyMap<string, Tensor>,
  rows: readonly number[],
  write: (path: string, bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  // The picture library takes a while to load; only pictures wait for it.
  const { encodePng } = await import("../../../runtime/report/contact-sheet.js");
  for (const [name, { shape, data }] of tensors) {
    const [, channels, height, width] = shape;
    if (shape.length !== 4 || channels !== 3 || height !== width)
      throw new CommandError(
        `--png: output ${name} is no square picture of 3 channels: it has shape [${shape.slice(1).join(", ")}]`,
      );
    const size = elementCount(shape.slice(1));
    for (const [place, row] of rows.entries()) {
      const picture = Float32Array.from(data.subarray(place * size, (place + 1) * size), (value) => (value + 1) / 2);
      await write(join(folder, `${name}-${row}.png`), await encodePng(picture, height!));
    }
  }
}
