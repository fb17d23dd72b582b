/** What the commands about a training run have in common: its folder, its seed, and the weights that it started from. */
import { basename, extname, join } from "node:path";
import type { Argv } from "yargs";
import type { Host } from "../../dsl/host.js";
import { readSafetensors, type SafetensorsFile } from "../../runtime/tensors/safetensors.js";
import { largestSeed, wholeNumber } from "./model-flags.js";

export interface RunFlags {
  seed: number;
  run: string | undefined;
  params: string | undefined;
}

/** `describe` says what the seed and the weights are to the command. */
export function withRunFlags<T>(
  parser: Argv<T>,
  describe: { readonly seed: string; readonly params: string },
): Argv<T & RunFlags> {
  return parser
    .option("seed", {
      type: "number",
      default: 0,
      requiresArg: true,
      describe: describe.seed,
      coerce: wholeNumber("seed", 0, largestSeed),
    })
    .option("run", { type: "string", requiresArg: true, describe: "Folder of the training run (default runs/FILE)" })
    .option("params", { type: "string", requiresArg: true, describe: describe.params }) as unknown as Argv<
    T & RunFlags
  >;
}

/** How commands that use a finished run describe its flags. */
export const ofFinishedRun = {
  seed: "The seed of the training run",
  params: "The weights that the training run started from, when it had --params",
};

/** Where the results of a file's stages stand unless `--run` says otherwise. */
export function runFolder(file: string, { run }: Pick<RunFlags, "run">): string {
  return run ?? join("runs", basename(file, extname(file)));
}

/** The weights of `--params`, as training takes them. */
export async function outsideWeights(
  { params }: Pick<RunFlags, "params">,
  host: Host,
): Promise<{ weights?: SafetensorsFile }> {
  return params === undefined ? {} : { weights: readSafetensors(await host.readBytes(params), params) };
}
