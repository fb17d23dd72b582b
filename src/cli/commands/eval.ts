import type { CommandModule } from "yargs";
import { runEvaluation } from "../../../runtime/training/train.js";
import { trainingPrograms } from "../../api/training.js";
import { type DataFlags, dataSources, withDataFlags } from "../data-flags.js";
import { CommandError, exitCodes } from "../exit-codes.js";
import { nodeHost } from "../host.js";
import {
  compileNamed,
  type DeviceFlags,
  type ModelFlags,
  openNamed,
  withDeviceFlags,
  withModelFlags,
} from "../model-flags.js";
import { ofFinishedRun, outsideWeights, type RunFlags, runFolder, withRunFlags } from "../run-flags.js";

interface Options extends ModelFlags, RunFlags, DataFlags, DeviceFlags {
  evaluation: string;
  json: boolean;
}

export const evalCommand: CommandModule<object, Options> = {
  command: "eval <file> <evaluation>",
  describe: "Run an `evaluate` block on what its stage left",
  builder: (parser) =>
    withDeviceFlags(
      withRunFlags(withDataFlags(withModelFlags(parser)), ofFinishedRun)
        .positional("evaluation", { type: "string", demandOption: true, describe: "Name of an `evaluate` block" })
        .option("json", { type: "boolean", default: false, describe: "Print one JSON object" }),
    ) as never,
  async handler(options) {
    const host = nodeHost();
    const compiled = await compileNamed(options);
    const { model } = compiled;
    if (!model.evaluations.some(({ name }) => name === options.evaluation)) {
      throw new CommandError(
        `model ${model.name} has no evaluation "${options.evaluation}"; it has ${model.evaluations.map(({ name }) => name).join(", ") || "none"}`,
        exitCodes.usage,
      );
    }
    const data = await dataSources(options.file, options, host);
    const open = await openNamed(options);
    try {
      const values = await runEvaluation(
        {
          model,
          seed: options.seed,
          folder: runFolder(options.file, options),
          host,
          programs: trainingPrograms(compiled, open),
          data,
          ...(await outsideWeights(options, host)),
        },
        options.evaluation,
      );
      process.stdout.write(
        options.json
          ? `${JSON.stringify(values)}\n`
          : Object.entries(values)
              .map(([name, value]) => `${name}  ${value.toPrecision(6)}\n`)
              .join(""),
      );
    } finally {
      await open.device.close();
    }
  },
};
