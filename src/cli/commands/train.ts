import { basename, extname, join } from "node:path";
import type { CommandModule } from "yargs";
import type { Host } from "../../../dsl/host.js";
import { readSafetensors, type SafetensorsFile } from "../../../runtime/tensors/safetensors.js";
import { train } from "../../../runtime/training/train.js";
import { type DeviceKind, deviceKinds, openDevice } from "../../api/devices.js";
import { compile } from "../../api/load.js";
import { trainingPrograms } from "../../api/training.js";
import { type DataFlags, dataSources, withDataFlags } from "../data-flags.js";
import { CommandError, exitCodes } from "../exit-codes.js";
import { nodeHost } from "../host.js";
import { showProgress } from "../progress.js";
import { parseSettings } from "../settings.js";

interface Options extends DataFlags {
  file: string;
  stage: string;
  model: string | undefined;
  set: string[];
  seed: number;
  run: string | undefined;
  resume: boolean;
  params: string | undefined;
  checkpointEvery: number | undefined;
  device: DeviceKind | undefined;
  threads: number | undefined;
}

/** Where the results of a file's stages stand unless `--run` says otherwise. */
export function runFolder(file: string, run: string | undefined): string {
  return run ?? join("runs", basename(file, extname(file)));
}

/** The weights of `--params`, as training takes them. */
export async function outsideWeights(path: string | undefined, host: Host): Promise<{ weights?: SafetensorsFile }> {
  return path === undefined ? {} : { weights: readSafetensors(await host.readBytes(path), path) };
}

export const trainCommand: CommandModule<object, Options> = {
  command: "train <file> <stage>",
  describe: "Train a stage, and before it those it comes after",
  builder: (parser) =>
    withDataFlags(
      parser
        .positional("file", { type: "string", demandOption: true, describe: "The .weft file" })
        .positional("stage", { type: "string", demandOption: true, describe: "Name of a `train` block" }),
    )
      .option("model", { type: "string", describe: "Which model, when the file has several" })
      .option("set", {
        type: "string",
        array: true,
        default: [] as string[],
        describe: "NAME=VALUE of a model parameter",
      })
      .option("seed", { type: "number", default: 0, describe: "Everything drawn follows from it" })
      .option("run", { type: "string", describe: "Folder for checkpoints, results and metrics (default runs/FILE)" })
      .option("resume", {
        type: "boolean",
        default: false,
        describe: "Go on from what the folder holds; without it, a folder with an unfinished stage is refused",
      })
      .option("params", { type: "string", describe: "Safetensors file with weights to start from" })
      .option("checkpoint-every", { type: "number", describe: "Steps between two checkpoints (default: one a minute)" })
      .option("device", { choices: deviceKinds, describe: "Where it runs" })
      .option("threads", { type: "number", describe: "Threads of the CPU device" }) as never,
  async handler(options) {
    const host = nodeHost();
    const compiled = await compile(options.file, {
      ...(options.model === undefined ? {} : { model: options.model }),
      settings: parseSettings(options.set),
    });
    const { model } = compiled;
    if (!model.stages.some(({ name }) => name === options.stage)) {
      throw new CommandError(
        `model ${model.name} has no stage "${options.stage}"; it has ${model.stages.map(({ name }) => name).join(", ") || "none"}`,
        exitCodes.usage,
      );
    }
    const folder = runFolder(options.file, options.run);
    const begun = (await host.list(join(folder, options.stage))).some((name) => name.startsWith("checkpoint-"));
    if (begun && !options.resume)
      throw new CommandError(
        `${join(folder, options.stage)} holds an unfinished run; go on with --resume, or choose another folder with --run`,
      );

    const open = await openDevice(options.device, options.threads === undefined ? {} : { threads: options.threads });
    const abort = new AbortController();
    const interrupt = (): void => abort.abort();
    process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
    const progress = showProgress();
    try {
      const result = await train({
        model,
        stage: options.stage,
        seed: options.seed,
        folder,
        host,
        programs: trainingPrograms(compiled, open),
        data: await dataSources(options.file, options, host),
        ...(await outsideWeights(options.params, host)),
        ...(options.checkpointEvery === undefined ? {} : { checkpoint: { steps: options.checkpointEvery } }),
        signal: abort.signal,
        report: progress.report,
      });
      progress.close();
      for (const [name, values] of Object.entries(result.evaluations)) {
        process.stdout.write(
          `${name}: ${Object.entries(values)
            .map(([output, value]) => `${output} ${value.toPrecision(6)}`)
            .join(", ")}\n`,
        );
      }
      process.stdout.write(
        result.finished
          ? `${result.file}\n`
          : `stopped at step ${result.step} of ${result.stage}; go on with --resume\n`,
      );
      if (!result.finished) process.exitCode = exitCodes.failed;
      result.parameters.free();
    } finally {
      progress.close();
      process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
      await open.device.close();
    }
  },
};
