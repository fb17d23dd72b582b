import { join } from "node:path";
import type { CommandModule } from "yargs";
import type { Host } from "../../../dsl/host.js";
import type { TrainingOptions } from "../../../runtime/training/options.js";
import { requiredStages } from "../../../runtime/training/plan.js";
import { train } from "../../../runtime/training/train.js";
import type { OpenDevice } from "../../api/devices.js";
import type { Compiled } from "../../api/load.js";
import { trainingPrograms } from "../../api/training.js";
import type { Model } from "../../build/model.js";
import { stagesOf } from "../../build/stage-order.js";
import { type DataFlags, dataSources, withDataFlags } from "../data-flags.js";
import { CommandError, exitCodes } from "../exit-codes.js";
import { nodeHost } from "../host.js";
import { lockFolder } from "../lock.js";
import {
  compileNamed,
  type DeviceFlags,
  type ModelFlags,
  openNamed,
  wholeNumber,
  withDeviceFlags,
  withModelFlags,
} from "../model-flags.js";
import { showProgress } from "../progress.js";
import { outsideWeights, type RunFlags, runFolder, withRunFlags } from "../run-flags.js";

interface Options extends ModelFlags, RunFlags, DataFlags, DeviceFlags {
  stage: string;
  resume: boolean;
  checkpointEvery: number | undefined;
}

const describe = { seed: "Everything drawn follows from it", params: "Safetensors file with weights to start from" };

export const trainCommand: CommandModule<object, Options> = {
  command: "train <file> <stage>",
  describe: "Train a stage, and before it those it comes after",
  builder: (parser) =>
    withDeviceFlags(
      withRunFlags(withDataFlags(withModelFlags(parser)), describe)
        .positional("stage", { type: "string", demandOption: true, describe: "Name of a `train` or `collect` block" })
        .option("resume", {
          type: "boolean",
          default: false,
          describe: "Go on from what the folder holds; without it, a folder with an unfinished stage is refused",
        })
        .option("checkpoint-every", {
          type: "number",
          requiresArg: true,
          describe: "Steps between two checkpoints (default: one a minute)",
          coerce: wholeNumber("checkpoint-every", 1),
        }),
    ) as never,
  async handler(options) {
    const host = nodeHost();
    const compiled = await compileNamed(options);
    const { model } = compiled;
    const stages = stagesOf(model).map(({ name }) => name);
    if (!stages.includes(options.stage)) {
      throw new CommandError(
        `model ${model.name} has no stage "${options.stage}"; it has ${stages.join(", ") || "none"}`,
        exitCodes.usage,
      );
    }
    const folder = runFolder(options.file, options);
    const data = await dataSources(options.file, options, host);
    const weights = await outsideWeights(options, host);
    const unlock = await lockFolder(folder);
    try {
      if (!options.resume) await refuseUnfinished(model, options.stage, folder, host);
      await trainStage(compiled, options, { folder, data, ...weights }, host);
    } finally {
      await unlock();
    }
  },
};

/** A run that stopped on its way is not to be lost by a command that was meant for another. */
async function refuseUnfinished(model: Model, stage: string, folder: string, host: Host): Promise<void> {
  for (const { name } of requiredStages(model, [stage])) {
    const files = await host.list(join(folder, name));
    if (files.some((file) => file.startsWith("checkpoint-")) && !files.includes("final.safetensors"))
      throw new CommandError(
        `${join(folder, name)} holds an unfinished run; go on with --resume, or choose another folder with --run`,
      );
  }
}

async function trainStage(
  compiled: Compiled,
  options: Options,
  run: Pick<TrainingOptions, "folder" | "data" | "weights">,
  host: Host,
): Promise<void> {
  const abort = new AbortController();
  const interrupt = (): void => abort.abort();
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  const progress = showProgress();
  let open: OpenDevice | undefined;
  try {
    open = await openNamed(options);
    const result = await train({
      ...run,
      model: compiled.model,
      stage: options.stage,
      seed: options.seed,
      host,
      programs: trainingPrograms(compiled, open),
      ...(options.checkpointEvery === undefined ? {} : { checkpoint: { steps: options.checkpointEvery } }),
      signal: abort.signal,
      report: progress.report,
    });
    progress.close();
    for (const [name, values] of Object.entries(result.evaluations)) {
      const shown = Object.entries(values).map(([output, value]) => `${output} ${value.toPrecision(6)}`);
      process.stdout.write(`${name}: ${shown.join(", ")}\n`);
    }
    process.stdout.write(
      result.finished ? `${result.file}\n` : `stopped at step ${result.step} of ${result.stage}; go on with --resume\n`,
    );
    if (!result.finished) process.exitCode = exitCodes.failed;
    result.parameters.free();
  } finally {
    progress.close();
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
    await open?.device.close();
  }
}
