import { join } from "node:path";
import type { CommandModule } from "yargs";
import { operatorSlots } from "../../../runtime/operators/export/slots.js";
import { peftAdapter } from "../../../runtime/operators/export/write-peft.js";
import { operatorSpace } from "../../../runtime/operators/space.js";
import { writeSafetensors } from "../../../runtime/tensors/safetensors.js";
import {
  adapterConfigFile,
  adapterTensorsFile,
  jsonOf,
  moduleNames,
  type NameFlags,
  withNameFlags,
} from "../adapter-files.js";
import { nodeHost } from "../host.js";
import { compileNamed, type ModelFlags, withModelFlags } from "../model-flags.js";
import {
  chosenOperator,
  type OperatorFlags,
  storedValues,
  type WeightFlags,
  withOperatorFlags,
  withWeightFlags,
} from "../operator-flags.js";
import { parsePairs } from "../settings.js";

interface Options extends ModelFlags, OperatorFlags, WeightFlags, NameFlags {
  format: "peft" | "safetensors";
  "base-model": string | undefined;
  out: string;
}

export const exportCommand: CommandModule<object, Options> = {
  command: "export <file>",
  describe: "Write one operator for other programs: as an adapter of PEFT's, or slot by slot",
  builder: (parser) =>
    withNameFlags(withWeightFlags(withOperatorFlags(withModelFlags(parser))), "OLD of the model is NEW in the adapter")
      .option("format", {
        choices: ["peft", "safetensors"] as const,
        requiresArg: true,
        default: "peft" as const,
        describe: "A folder for PEFT, or a file with every slot under its module's path",
      })
      .option("base-model", {
        type: "string",
        requiresArg: true,
        describe: "Name or path of the base model, for PEFT's configuration",
      })
      .option("out", {
        type: "string",
        requiresArg: true,
        demandOption: true,
        describe: "The folder, or the file",
      }) as never,
  async handler(options) {
    const host = nodeHost();
    const compiled = await compileNamed(options);
    const stored = await storedValues(options, compiled, host);
    const { adaptation, tokens, name } = await chosenOperator(options, compiled, stored, host);
    const space = operatorSpace(compiled.model, adaptation.path);
    if (options.format === "safetensors") {
      const slots = operatorSlots(space, tokens);
      const metadata = { model: compiled.model.name, adaptation: adaptation.path };
      await host.writeBytes(options.out, writeSafetensors(slots, metadata, { file: options.out }));
      process.stdout.write(`${options.out}: ${slots.size} slots of ${name}\n`);
      return;
    }
    const module = moduleNames(options, parsePairs("--rename", options.rename));
    const baseModel = options["base-model"];
    const names = { module, ...(baseModel === undefined ? {} : { baseModel }) };
    const { config, tensors } = peftAdapter(space, tokens, stored, names);
    const file = join(options.out, adapterTensorsFile);
    await host.writeBytes(file, writeSafetensors(tensors, { format: "pt" }, { file }));
    await host.writeBytes(join(options.out, adapterConfigFile), jsonOf(config));
    const modules = adaptation.applications.reduce((sum, { sites }) => sum + sites.length, 0);
    process.stdout.write(`${options.out}: ${name} as ${String(config.peft_type)} of ${modules} modules\n`);
  },
};
