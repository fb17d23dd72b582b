/** What the commands about one operator have in common: which adaptation it belongs to, its tokens, and the weights beside it. */
import type { Argv } from "yargs";
import type { Host } from "../../dsl/host.js";
import type { StoredValue } from "../../runtime/operators/site-changes.js";
import { readSafetensors } from "../../runtime/tensors/safetensors.js";
import type { Tensor } from "../../runtime/tensors/tensor.js";
import { readStage } from "../../runtime/training/train.js";
import type { Compiled } from "../api/load.js";
import { tokenShape } from "../build/operator.js";
import type { Adaptation } from "../build/values.js";
import { elementCount, formatShape, sameShape } from "../graph/shape.js";
import { CommandError, exitCodes } from "./exit-codes.js";
import { type ModelFlags, wholeNumber } from "./model-flags.js";
import { outsideWeights, type RunFlags, runFolder, withRunFlags } from "./run-flags.js";

export interface MemoryFlags {
  memory: string | undefined;
}

export function withMemoryFlag<T>(parser: Argv<T>): Argv<T & MemoryFlags> {
  return parser.option("memory", {
    type: "string",
    requiresArg: true,
    describe: "Path of the adaptation, when the model has several",
  }) as Argv<T & MemoryFlags>;
}

export interface OperatorFlags extends MemoryFlags {
  tokens: string | undefined;
  tensor: string | undefined;
  operator: string | undefined;
  row: number | undefined;
}

export function withOperatorFlags<T>(parser: Argv<T>): Argv<T & OperatorFlags> {
  return withMemoryFlag(parser)
    .option("tokens", {
      type: "string",
      requiresArg: true,
      describe: "Safetensors file with the operator's tokens, as an entry point gives them",
    })
    .option("tensor", { type: "string", requiresArg: true, describe: "Which tensor of that file, when several fit" })
    .option("operator", {
      type: "string",
      requiresArg: true,
      describe: "Instead of --tokens: path of a stored operator of the model, or of a table of them",
    })
    .option("row", {
      type: "number",
      requiresArg: true,
      describe: "Which instance of the tokens, or row of the table",
      coerce: wholeNumber("row", 0),
    })
    .conflicts("tokens", "operator")
    .conflicts("tensor", "operator") as unknown as Argv<T & OperatorFlags>;
}

export interface WeightFlags extends RunFlags {
  after: string | undefined;
}

/** Where a command takes the model's stored tensors from. */
export function withWeightFlags<T>(parser: Argv<T>): Argv<T & WeightFlags> {
  return withRunFlags(parser, {
    seed: "The seed of the training run",
    params: "Safetensors file with the stored tensors by path; with --after the weights that the run started from",
  }).option("after", {
    type: "string",
    requiresArg: true,
    describe: "The stage whose weights are used",
  }) as unknown as Argv<T & WeightFlags>;
}

/**
 * The model's stored tensors: as a stage left them, or as they stand in a file. Nothing is drawn that a file should hold: asked for a tensor that
 * is in neither, it throws CommandError.
 */
export async function storedValues(
  options: ModelFlags & WeightFlags,
  { model }: Compiled,
  host: Host,
): Promise<StoredValue> {
  const { weights } = await outsideWeights(options, host);
  if (options.after !== undefined) {
    const folder = runFolder(options.file, options);
    const run = { model, seed: options.seed, folder, host, ...(weights === undefined ? {} : { weights }) };
    return readStage(run, options.after);
  }
  const specs = new Map(model.parameters.map((spec) => [spec.path, spec]));
  return (path) => {
    if (weights === undefined) {
      throw new CommandError(
        `the weights are wanted, for instance "${path}": give --after STAGE or --params FILE`,
        exitCodes.usage,
      );
    }
    if (!weights.entries.has(path)) throw new CommandError(`${weights.file} has no tensor "${path}"`);
    const found = weights.tensor(path);
    const shape = specs.get(path)?.shape;
    if (shape !== undefined && !sameShape(shape, found.shape)) {
      throw new CommandError(
        `${weights.file}: "${path}" has the shape ${formatShape(found.shape)}, but the model's is ${formatShape(shape)}`,
      );
    }
    return found;
  };
}

/** The adaptation that a command is about. Throws CommandError when there is none of that name, or several and none is named. */
export function chosenAdaptation(
  { model }: Compiled,
  { memory }: MemoryFlags,
  fits = (_: Adaptation) => true,
): Adaptation {
  const { adaptations } = model.context;
  const listed = adaptations.map(({ path }) => path).join(", ");
  if (memory !== undefined) {
    const found = adaptations.find(({ path }) => path === memory);
    if (found) return found;
    throw new CommandError(
      `model ${model.name} has no adaptation "${memory}"; it has ${listed || "none"}`,
      exitCodes.usage,
    );
  }
  if (adaptations.length === 0) throw new CommandError(`model ${model.name} adapts nothing`, exitCodes.usage);
  const fitting = adaptations.filter(fits);
  if (fitting.length === 1) return fitting[0]!;
  throw new CommandError(`choose one of ${listed} with --memory PATH`, exitCodes.usage);
}

export interface ChosenOperator {
  readonly adaptation: Adaptation;
  /** Of one operator. */
  readonly tokens: Float32Array;
  /** What messages call it. */
  readonly name: string;
}

/** The tokens that the flags name. Throws CommandError. */
export async function chosenOperator(
  options: OperatorFlags,
  compiled: Compiled,
  stored: StoredValue,
  host: Host,
): Promise<ChosenOperator> {
  const { tokens, operator, row } = options;
  if (tokens === undefined && operator === undefined) {
    throw new CommandError("which operator? Give --tokens FILE or --operator PATH", exitCodes.usage);
  }
  if (operator !== undefined) {
    const spec = compiled.model.parameters.find(({ path }) => path === operator);
    const candidates = compiled.model.parameters.filter(({ shape }) =>
      compiled.model.context.adaptations.some((adaptation) => holdsTokens(adaptation, shape)),
    );
    if (spec === undefined || !candidates.includes(spec)) {
      const known = candidates.map(({ path }) => path).join(", ") || "none";
      throw new CommandError(
        `model ${compiled.model.name} stores no operator "${operator}"; it stores ${known}`,
        exitCodes.usage,
      );
    }
    const adaptation = chosenAdaptation(compiled, options, (candidate) => holdsTokens(candidate, spec.shape));
    return { adaptation, ...oneOperator(adaptation, operator, stored(operator), row) };
  }
  const file = readSafetensors(await host.readBytes(tokens!), tokens!);
  const names = options.tensor === undefined ? [...file.entries.keys()] : [options.tensor];
  const shapeOf = (name: string) => file.entries.get(name)?.shape ?? [];
  const fits = (adaptation: Adaptation) => names.some((name) => holdsTokens(adaptation, shapeOf(name)));
  const adaptation = chosenAdaptation(compiled, options, fits);
  const fitting = names.filter((name) => holdsTokens(adaptation, shapeOf(name)));
  const expected = `[${tokenShape(adaptation).join(", ")}]`;
  if (fitting.length === 0) {
    const found = [...file.entries].map(([name, { shape }]) => `${name} ${formatShape(shape)}`).join(", ");
    throw new CommandError(`${tokens} holds no tokens of ${adaptation.path}, which are ${expected}; it holds ${found}`);
  }
  if (fitting.length > 1) {
    throw new CommandError(
      `${tokens} holds several tokens: choose one of ${fitting.join(", ")} with --tensor NAME`,
      exitCodes.usage,
    );
  }
  const name = fitting[0]!;
  return { adaptation, ...oneOperator(adaptation, `${tokens} ${name}`, file.tensor(name, "f32"), row) };
}

/** Whether a tensor of this shape is one operator, or a list of them. */
function holdsTokens(adaptation: Adaptation, shape: readonly number[]): boolean {
  const own = tokenShape(adaptation);
  return sameShape(shape, own) || (shape.length === own.length + 1 && sameShape(shape.slice(1), own));
}

function oneOperator(
  adaptation: Adaptation,
  name: string,
  { shape, data }: Tensor,
  row: number | undefined,
): { readonly tokens: Float32Array; readonly name: string } {
  if (!(data instanceof Float32Array)) throw new CommandError(`${name} holds no floats`);
  const single = shape.length === tokenShape(adaptation).length;
  if (single) {
    if (row !== undefined && row > 0)
      throw new CommandError(`${name} is one operator: it has no row ${row}`, exitCodes.usage);
    return { tokens: data, name };
  }
  const rows = shape[0]!;
  const chosen = row ?? (rows === 1 ? 0 : undefined);
  if (chosen === undefined)
    throw new CommandError(`${name} holds ${rows} operators: choose one with --row N`, exitCodes.usage);
  if (chosen >= rows) throw new CommandError(`${name} holds the rows 0-${rows - 1}, not ${chosen}`, exitCodes.usage);
  const count = elementCount(tokenShape(adaptation));
  return {
    tokens: data.subarray(chosen * count, (chosen + 1) * count),
    name: rows === 1 ? name : `${name}, row ${chosen}`,
  };
}
