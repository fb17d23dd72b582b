import type { CommandModule } from "yargs";
import { WeftError } from "../../../dsl/diagnostics/diagnostic.js";
import { mergeOperator } from "../../../runtime/operators/merge.js";
import { operatorSpace } from "../../../runtime/operators/space.js";
import { writeSafetensors } from "../../../runtime/tensors/safetensors.js";
import type { Tensor } from "../../../runtime/tensors/tensor.js";
import { SourcesError } from "../../api/load.js";
import { isBelow } from "../../build/parameter-layout.js";
import { CommandError, exitCodes } from "../exit-codes.js";
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

interface Options extends ModelFlags, OperatorFlags, WeightFlags {
  only: string | undefined;
  out: string;
}

export const mergeCommand: CommandModule<object, Options> = {
  command: "merge <file>",
  describe: "Write the backbone's weights with one operator folded in",
  builder: (parser) =>
    withWeightFlags(withOperatorFlags(withModelFlags(parser)))
      .option("only", {
        type: "string",
        requiresArg: true,
        describe: "Comma-separated paths of what is written (default: the model's fields that hold adapted modules)",
      })
      .option("out", {
        type: "string",
        requiresArg: true,
        demandOption: true,
        describe: "Safetensors file for the stored tensors, under their paths",
      }) as never,
  async handler(options) {
    const host = nodeHost();
    const compiled = await compileNamed(options);
    const { model, sources } = compiled;
    const stored = await storedValues(options, compiled, host);
    const { adaptation, tokens, name } = await chosenOperator(options, compiled, stored, host);
    let merged: Map<string, Tensor>;
    try {
      merged = mergeOperator(operatorSpace(model, adaptation.path), tokens, stored);
    } catch (error) {
      throw error instanceof WeftError ? new SourcesError(error.diagnostics, sources) : error;
    }
    const sites = adaptation.applications.flatMap(({ sites }) => sites.map(({ instance }) => instance.path ?? ""));
    const tops = options.only?.split(",") ?? [...new Set(sites.map((path) => path.split(".")[0]!))];
    const written = model.parameters.filter(({ path }) => isBelow(path, tops));
    const missing = tops.find((top) => !model.parameters.some(({ path }) => isBelow(path, [top])));
    if (missing !== undefined) throw new CommandError(`the model stores nothing at "${missing}"`, exitCodes.usage);
    const lost = [...merged.keys()].find((path) => !isBelow(path, tops));
    if (lost !== undefined) {
      throw new CommandError(`the operator changes "${lost}", which --only leaves out`, exitCodes.usage);
    }
    const tensors = new Map(written.map(({ path }) => [path, merged.get(path) ?? stored(path)]));
    await host.writeBytes(options.out, writeSafetensors(tensors, {}, { file: options.out }));
    process.stdout.write(
      `${options.out}: ${tensors.size} tensors of ${tops.join(", ")}, ${merged.size} of them with ${name} folded in\n`,
    );
  },
};
