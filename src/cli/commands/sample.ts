import { join } from "node:path";
import type { CommandModule } from "yargs";
import { readSafetensors, writeSafetensors } from "../../../runtime/tensors/safetensors.js";
import type { Tensor } from "../../../runtime/tensors/tensor.js";
import { bindData } from "../../../runtime/training/binding.js";
import { loadStage } from "../../../runtime/training/train.js";
import { trainingPrograms } from "../../api/training.js";
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
  requireEntryPoint,
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
  out: string;
  png: string | undefined;
}

export const sampleCommand: CommandModule<object, Options> = {
  command: "sample <file> <fn>",
  describe: "Run an entry point on rows of data, with the weights a stage left",
  builder: (parser) =>
    withDeviceFlags(
      withRunFlags(withDataFlags(withModelFlags(parser)), ofFinishedRun)
        .positional("fn", { type: "string", demandOption: true, describe: "Name of an entry point" })
        .option("draw-seed", {
          type: "number",
          default: 0,
          requiresArg: true,
          describe: "Seed of the entry point's random draws",
          coerce: wholeNumber("draw-seed", 0, largestSeed),
        })
        .option("after", {
          type: "string",
          requiresArg: true,
          describe: "The stage whose weights are used (default: initial weights)",
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
    requireEntryPoint(model, options.fn);
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
        options.after,
        set,
        [options.fn],
      );
      const executable = await programs.evaluate(options.fn, rows.length);
      executable.bind(set);
      const binding = bindData(model.entryPoint(options.fn), [source], options.seed, given);
      const batch = await binding.assemble(
        rows.map((row) => ({ source: 0, row, epoch: 0 })),
        rows.length,
      );
      const known = new Set(executable.program.inputs.map(({ name }) => name));
      const inputs = Object.fromEntries(Object.entries(batch.inputs).filter(([name]) => known.has(name)));
      const outputs = executable.program.outputs;
      const values = await executable
        .submit(inputs, { seed: options["draw-seed"], step: 0, row_offset: 0 })
        .read(outputs.map(({ name }) => name));
      const tensors = new Map(
        outputs.map(({ name, dtype, shape }): [string, Tensor] => [
          name,
          { dtype: dtype as Tensor["dtype"], shape, data: values[name]! },
        ]),
      );
      await host.writeBytes(options.out, writeSafetensors(tensors, {}, { file: options.out }));
      process.stdout.write(`${options.out}: ${rows.length} rows of ${options.from} through ${options.fn}\n`);
      if (options.png !== undefined) await writePictures(options.png, tensors, rows, host.writeBytes);
    } finally {
      await open.device.close();
    }
  },
};

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
