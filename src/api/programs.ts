import { generateProgram } from "../../codegen/generate.js";
import type { Program } from "../../codegen/program.js";
import { digestText } from "../../runtime/tensors/digest.js";
import type { Model } from "../build/model.js";
import { type CompileOptions, lower } from "../compile.js";
import { withSources } from "./load.js";

/** Bumped when the same source gives another program. */
const compilerVersion = 1;

/**
 * The program of one entry point for one purpose, batch and target. Throws SourcesError when a tensor is larger than the target can bind.
 */
export function programFor(
  model: Model,
  sources: ReadonlyMap<string, string>,
  entry: string,
  options: CompileOptions,
): Program {
  const lowered = withSources(sources, () => lower(model, entry, options));
  return generateProgram(lowered, digestText(programKey(model, sources, entry, options)));
}

/** All that decides what a program is, for this compiler. */
export function programKey(
  model: Model,
  sources: ReadonlyMap<string, string>,
  entry: string,
  { purpose, batch, target, sharedInputs }: CompileOptions,
): string {
  return JSON.stringify([
    compilerVersion,
    [...sources],
    model.name,
    model.settings,
    entry,
    purpose,
    batch,
    target,
    [...(sharedInputs ?? [])],
  ]);
}
