/** Builds models from text and runs their entry points with the interpreter. */
import { readFile } from "node:fs/promises";
import { check } from "../../dsl/check/check.js";
import { type Diagnostic, WeftError } from "../../dsl/diagnostics/diagnostic.js";
import { environmentOf } from "../../runtime/reference/environment.js";
import { evaluate } from "../../runtime/reference/interpreter.js";
import { type BuildOptions, type BuiltModel, buildModel } from "../../src/build/build.js";
import { checkEntryPoints } from "../../src/build/check-entry-points.js";
import { type Evaluate, examineStarts, startErrors } from "../../src/build/zero-start.js";
import { verify } from "../../src/graph/verify.js";

/** A host of files in memory, with the real standard library. */
export function textHost(files: Readonly<Record<string, string>>) {
  return {
    async readText(path: string): Promise<string> {
      const text = files[path];
      if (text === undefined) throw new Error(`no file ${path}`);
      return text;
    },
    resolve: (_from: string, path: string): string => path.replace(/^\.\//, ""),
    async standardLibrary(name: string): Promise<string | undefined> {
      try {
        return await readFile(new URL(`../../dsl/${name}.weft`, import.meta.url), "utf8");
      } catch {
        return undefined;
      }
    },
  };
}

/** Checks and builds a file; throws WeftError with what either finds. */
export async function build(text: string, options: BuildOptions = {}): Promise<BuiltModel> {
  const checked = await check("model.weft", textHost({ "model.weft": text }));
  if (!checked.program) throw new WeftError(checked.diagnostics);
  return buildModel(checked.program, options);
}

/** The interpreter as the evaluator that proofs want. */
export const evaluateLeaves: Evaluate = (graph, leaves) =>
  new Map(
    [...evaluate(graph, environmentOf({ inputs: leaves, stored: leaves }))].map(([name, { data }]) => [name, data]),
  );

/** All that checking, building and tracing every entry point find. */
export async function diagnosticsOf(text: string, options: BuildOptions = {}): Promise<readonly Diagnostic[]> {
  try {
    const model = await build(text, options);
    const found = checkEntryPoints(model);
    return found.length > 0 ? found : startErrors(model, examineStarts(model, evaluateLeaves));
  } catch (error) {
    if (error instanceof WeftError) return error.diagnostics;
    throw error;
  }
}

/** The texts that a file's messages point into. */
export async function sourcesOf(text: string): Promise<ReadonlyMap<string, string>> {
  return (await check("model.weft", textHost({ "model.weft": text }))).sources;
}

export type Numbers = ArrayLike<number>;

const numbered = (values: Readonly<Record<string, Numbers>>) =>
  new Map(Object.entries(values).map(([name, data]) => [name, Float64Array.from(data)]));

/** Runs an entry point in float64; results by output name. */
export function run(
  model: BuiltModel,
  entry: string,
  inputs: Readonly<Record<string, Numbers>>,
  stored: Readonly<Record<string, Numbers>> = {},
): Record<string, number[]> {
  const { graph } = model.entryPoint(entry);
  verify(graph);
  const results = evaluate(graph, environmentOf({ inputs: numbered(inputs), stored: numbered(stored), instance: 0 }));
  return Object.fromEntries([...results].map(([name, tensor]) => [name, [...tensor.data]]));
}
