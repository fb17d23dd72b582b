import { check } from "../../dsl/check/check.js";
import { type Diagnostic, WeftError } from "../../dsl/diagnostics/diagnostic.js";
import type { Host } from "../../dsl/host.js";
import { type BuiltModel, buildModel } from "../build/build.js";
import { settingFile } from "../build/interface-setting.js";
import type { Setting } from "../build/model.js";
import { nodeHost } from "../cli/host.js";

export interface CompileOptions {
  /** Which model of the file; needed when there are several. */
  readonly model?: string;
  /** Compile-time parameters of the model, by name; an interface as a text, `OFT(block: 4)`. */
  readonly settings?: Readonly<Record<string, Setting>>;
  /** Files, clock and standard library; Node's unless given. */
  readonly host?: Host;
}

/** A checked file with one of its models, settings filled in. */
export interface Compiled {
  readonly model: BuiltModel;
  /** Texts of all files that were read, by path, for rendering messages and for hashes. */
  readonly sources: ReadonlyMap<string, string>;
  readonly warnings: readonly Diagnostic[];
}

/**
 * Reads a `.weft` file and everything it imports, checks it, and builds one of its models.
 * Rejects with the host's Error when the file cannot be read, and throws WeftError with all messages when something is wrong; `render` shows them with the lines they speak of (`SourcesError.sources`).
 */
export async function compile(path: string, options: CompileOptions = {}): Promise<Compiled> {
  const host = options.host ?? nodeHost();
  // A file that cannot be read is no mistake in a program: the host says why, in words.
  await host.readText(path);
  const { program, diagnostics, sources } = await check(path, host);
  const errors = diagnostics.filter(({ severity }) => severity === "error");
  if (!program || errors.length > 0) throw new SourcesError(diagnostics, sources);
  const texts = Object.entries(options.settings ?? {}).map(([name, value]) => [settingFile(name), `${value}`] as const);
  const model = withSources(new Map([...sources, ...texts]), () =>
    buildModel(program, {
      ...(options.model === undefined ? {} : { model: options.model }),
      ...(options.settings === undefined ? {} : { settings: options.settings }),
    }),
  );
  return { model, sources, warnings: diagnostics };
}

/** Runs a step of the compiler; messages that it throws carry the texts they speak of. */
export function withSources<T>(sources: ReadonlyMap<string, string>, step: () => T): T {
  try {
    return step();
  } catch (error) {
    throw error instanceof WeftError && !(error instanceof SourcesError)
      ? new SourcesError(error.diagnostics, sources)
      : error;
  }
}

/** Messages together with the texts they speak of. */
export class SourcesError extends WeftError {
  // Private, so that a program that ends with this error does not print whole files.
  readonly #sources: ReadonlyMap<string, string>;

  constructor(diagnostics: readonly Diagnostic[], sources: ReadonlyMap<string, string>) {
    super(diagnostics);
    this.#sources = sources;
  }

  /** Texts of the files that were read, by path. */
  get sources(): ReadonlyMap<string, string> {
    return this.#sources;
  }
}
