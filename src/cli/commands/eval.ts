import type { CommandModule } from "yargs";
import { runEvaluation } from "../../../runtime/training/train.js";
import { type DeviceKind, deviceKinds, openDevice } from "../../api/devices.js";
import { compile } from "../../api/load.js";
import { trainingPrograms } from "../../api/training.js";
import { type DataFlags, dataSources, withDataFlags } from "../data-flags.js";
import { nodeHost } from "../host.js";
import { parseSettings } from "../settings.js";
import { outsideWeights, runFolder } from "./train.js";

interface Options extends DataFlags {
  file: string;
  evaluation: string;
  model: string | undefined;
  set: string[];
  seed: number;
  run: string | undefined;
  params: string | undefined;
  device: DeviceKind | undefined;
  threads: number | undefined;
  json: boolean;
}

export const evalCommand: CommandModule<object, Options> = {
  command: "eval <file> <evaluation>",
  describe: "Run an `evaluate` block on what its stage left",
  builder: (parser) =>
    withDataFlags(
      parser
        .positional("file", { type: "string", demandOption: true, describe: "The .weft file" })
        .positional("evaluation", { type: "string", demandOption: true, describe: "Name of an `evaluate` block" }),
    )
      .option("model", { type: "string", describe: "Which model, when the file has several" })
      .option("set", {
        type: "string",
        array: true,
        default: [] as string[],
        describe: "NAME=VALUE of a model parameter",
      })
      .option("seed", { type: "number", default: 0, describe: "The seed of the training run" })
      .option("run", { type: "string", describe: "Folder of the training run (default runs/FILE)" })
      .option("params", {
        type: "string",
        describe: "The weights that the training run started from, when it had --params",
      })
      .option("device", { choices: deviceKinds, describe: "Where it runs" })
      .option("threads", { type: "number", describe: "Threads of the CPU device" })
      .option("json", { type: "boolean", default: false, describe: "Print one JSON object" }) as never,
  async handler(options) {
    const host = nodeHost();
    const compiled = await compile(options.file, {
      ...(options.model === undefined ? {} : { model: options.model }),
      settings: parseSettings(options.set),
    });
    const open = await openDevice(options.device, options.threads === undefined ? {} : { threads: options.threads });
    try {
      const values = await runEvaluation(
        {
          model: compiled.model,
          seed: options.seed,
          folder: runFolder(options.file, options.run),
          host,
          programs: trainingPrograms(compiled, open),
          data: await dataSources(options.file, options, host),
          ...(await outsideWeights(options.params, host)),
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
