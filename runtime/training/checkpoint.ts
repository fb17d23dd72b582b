import type { Host } from "../../dsl/host.js";
import type { ParameterSpec } from "../../src/build/model.js";
import { formatShape, sameShape } from "../../src/graph/shape.js";
import { digestText } from "../tensors/digest.js";
import {
  digestKey,
  readSafetensors,
  SafetensorsError,
  type SafetensorsFile,
  writeSafetensors,
} from "../tensors/safetensors.js";
import type { Tensor } from "../tensors/tensor.js";
import { TrainingError } from "./errors.js";
import type { TrainingOptions } from "./options.js";
import { identityDifferences, identityOfUse, type StageIdentity } from "./plan.js";
import type { OptimizerState, TrainingPrograms } from "./programs.js";

const formatVersion = "1";

/** Checkpoints that are kept, the newest ones. */
const kept = 2;

/** All that a stage has changed, between two steps. (Nothing reads gradients across a step.) */
export interface StageState {
  /** Steps done. */
  readonly step: number;
  /** Spent on training so far. */
  readonly seconds: number;
  readonly parameters: ReadonlyMap<string, Tensor>;
  /** By name of the state, then by path. */
  readonly optimizer: ReadonlyMap<string, ReadonlyMap<string, Tensor>>;
}

/** What a file of one stage must agree with. */
export interface StageFiles {
  /** `runs/NAME/STAGE` */
  readonly folder: string;
  readonly identity: StageIdentity;
  readonly machine: TrainingPrograms["identity"];
  readonly updated: readonly ParameterSpec[];
  readonly states: readonly OptimizerState[];
}

const defaultSeconds = 60;

/** Whether to save after so many steps, when the last time was at `lastSavedAt`. */
export function isCheckpointDue(
  { checkpoint = { seconds: defaultSeconds }, host }: Pick<TrainingOptions, "checkpoint" | "host">,
  done: number,
  lastSavedAt: number,
): boolean {
  const { steps, seconds } = checkpoint;
  return (steps !== undefined && done % steps === 0) || (seconds !== undefined && host.now() - lastSavedAt >= seconds);
}

export function checkpointPath(folder: string, step: number): string {
  return `${folder}/checkpoint-${String(step).padStart(8, "0")}.safetensors`;
}

export function finalPath(folder: string): string {
  return `${folder}/final.safetensors`;
}

/** Writes a checkpoint, then removes all but the newest ones; a crash at any moment leaves a whole one. Returns its path. */
export async function saveCheckpoint(host: Host, files: StageFiles, state: StageState): Promise<string> {
  const tensors = new Map<string, Tensor>();
  for (const [path, tensor] of state.parameters) tensors.set(`parameters/${path}`, tensor);
  for (const [name, values] of state.optimizer) {
    for (const [path, tensor] of values) tensors.set(`optimizer/${name}/${path}`, tensor);
  }
  const path = checkpointPath(files.folder, state.step);
  const metadata = {
    ...describe(files, "checkpoint"),
    step: String(state.step),
    seconds: String(state.seconds),
    states: JSON.stringify([...state.optimizer.keys()]),
  };
  await host.writeBytes(path, writeSafetensors(tensors, metadata, { withDigest: true, file: path }));
  for (const { name } of (await listCheckpoints(host, files.folder)).slice(kept))
    await host.remove(`${files.folder}/${name}`);
  return path;
}

/** Writes a stage's result: the updated parameters under their paths, nothing that depends on the clock. Removes its checkpoints. */
export async function saveFinal(
  host: Host,
  files: StageFiles,
  parameters: ReadonlyMap<string, Tensor>,
): Promise<string> {
  const path = finalPath(files.folder);
  const bytes = writeSafetensors(parameters, describe(files, "final"), { withDigest: true, file: path });
  await host.writeBytes(path, bytes);
  await removeCheckpoints(host, files.folder);
  return path;
}

/** A finished stage needs none. */
export async function removeCheckpoints(host: Host, folder: string): Promise<void> {
  for (const { name } of await listCheckpoints(host, folder)) await host.remove(`${folder}/${name}`);
}

/**
 * The newest checkpoint that is whole, if there is one. Torn ones are removed with a warning; one that was written by another run (other
 * settings, data, names or shapes) is a TrainingError that says what differs.
 */
export async function loadCheckpoint(
  host: Host,
  files: StageFiles,
  warn: (text: string) => void,
): Promise<StageState | undefined> {
  for (const { name, step } of await listCheckpoints(host, files.folder)) {
    const path = `${files.folder}/${name}`;
    const file = await readWhole(host, path);
    if (file instanceof SafetensorsError) {
      warn(`${file.message}; going back to the checkpoint before`);
      await host.remove(path);
      continue;
    }
    checkIdentity(file, files, warn);
    const parameters = new Map(
      files.updated.map((spec) => [spec.path, readTensor(file, `parameters/${spec.path}`, spec)]),
    );
    const optimizer = new Map(
      files.states.map(({ name, places }) => [
        name,
        new Map(places.map((place) => [place.path, readTensor(file, `optimizer/${name}/${place.path}`, place)])),
      ]),
    );
    const expected = parameters.size + [...optimizer.values()].reduce((sum, values) => sum + values.size, 0);
    if (file.entries.size !== expected) {
      throw new TrainingError(
        `${path} holds ${file.entries.size} tensors, but stage "${files.identity.stage}" has ${expected}`,
        otherRun,
      );
    }
    return { step, seconds: Number(file.metadata.seconds), parameters, optimizer };
  }
  return undefined;
}

/**
 * A finished stage's result, if there is one. A torn file counts as none, with a warning; one of another run is a TrainingError that says
 * what differs.
 */
export async function loadFinal(
  host: Host,
  files: StageFiles,
  warn: (text: string) => void,
): Promise<SafetensorsFile | undefined> {
  const path = finalPath(files.folder);
  if (!(await host.exists(path))) return undefined;
  const file = await readWhole(host, path);
  if (file instanceof SafetensorsError) {
    warn(`${file.message}; the stage is trained again`);
    return undefined;
  }
  checkIdentity(file, files, warn);
  checkUpdated(file, files.updated);
  return file;
}

/**
 * A finished stage's result for use, with the seed it was trained with; undefined when there is none. Throws TrainingError for a torn file
 * and for one that belongs to a model with other settings, names or shapes.
 */
export async function loadResult(
  host: Host,
  files: Pick<StageFiles, "folder" | "identity" | "updated">,
): Promise<{ readonly file: SafetensorsFile; readonly seed: number } | undefined> {
  const path = finalPath(files.folder);
  if (!(await host.exists(path))) return undefined;
  const file = await readWhole(host, path);
  if (file instanceof SafetensorsError) throw new TrainingError(file.message, "remove it and train the stage again");
  checkFormat(file);
  const recorded = parseIdentity(file);
  const differences = identityDifferences(identityOfUse(recorded), identityOfUse(files.identity));
  if (differences.length > 0) throw differs(file, differences);
  checkUpdated(file, files.updated);
  return { file, seed: Number(recorded.seed) };
}

/** Checks that a result holds the given parameters and no others, in their shapes. */
function checkUpdated(file: SafetensorsFile, updated: readonly ParameterSpec[]): void {
  for (const spec of updated) readShape(file, spec.path, spec);
  if (file.entries.size === updated.length) return;
  const known = new Set(updated.map(({ path }) => path));
  const surplus = [...file.entries.keys()].find((path) => !known.has(path));
  throw new TrainingError(`${file.file} holds "${surplus}", which its stage does not update`, otherRun);
}

const otherRun =
  "continue with the model and settings it was made with, give this run another name, or remove the stage's folder";

/** A tensor of a file in the shape and dtype of a place; throws TrainingError where they differ. */
export function readTensor(file: SafetensorsFile, name: string, place: Pick<ParameterSpec, "dtype" | "shape">): Tensor {
  readShape(file, name, place);
  return file.tensor(name, place.dtype === "f64" ? "f32" : place.dtype);
}

function readShape(file: SafetensorsFile, name: string, place: Pick<ParameterSpec, "shape">): void {
  const entry = file.entries.get(name);
  if (entry === undefined) throw new TrainingError(`${file.file} has no tensor "${name}"`, otherRun);
  if (!sameShape(entry.shape, place.shape)) {
    throw new TrainingError(
      `${file.file}: "${name}" has the shape ${formatShape(entry.shape)}, but the model's is ${formatShape(place.shape)}`,
      otherRun,
    );
  }
}

/** Reads a file and compares its digest; an error instead of a file when it is not whole. */
async function readWhole(host: Host, path: string): Promise<SafetensorsFile | SafetensorsError> {
  try {
    const file = readSafetensors(await host.readBytes(path), path);
    return file.metadata[digestKey] === file.digest()
      ? file
      : new SafetensorsError(path, "is damaged: its data is not what was written");
  } catch (error) {
    if (error instanceof SafetensorsError) return error;
    throw error;
  }
}

function describe(files: StageFiles, kind: "checkpoint" | "final"): Record<string, string> {
  const identity = JSON.stringify(files.identity);
  return {
    format: formatVersion,
    kind,
    stage: files.identity.stage ?? "",
    identity,
    identity_hash: digestText(identity),
    source: files.machine.source,
    schedules: files.machine.schedules,
    threads: String(files.machine.threads),
  };
}

function checkIdentity(file: SafetensorsFile, files: StageFiles, warn: (text: string) => void): void {
  checkFormat(file);
  const recorded = file.metadata;
  const present = describe(files, "checkpoint");
  if (recorded.identity_hash !== present.identity_hash) {
    throw differs(file, identityDifferences(parseIdentity(file), files.identity));
  }
  const changed = (["source", "schedules", "threads"] as const).filter((key) => recorded[key] !== present[key]);
  const words = { source: "the model's file", schedules: "the schedule table", threads: "the number of threads" };
  if (changed.length > 0) {
    warn(
      `${file.file} was written before ${changed.map((key) => words[key]).join(" and ")} changed; results may differ from those of an unbroken run`,
    );
  }
}

function checkFormat(file: SafetensorsFile): void {
  const { format } = file.metadata;
  if (format === formatVersion) return;
  throw new TrainingError(`${file.file} has format ${format ?? "none"}, but this version reads ${formatVersion}`);
}

function differs(file: SafetensorsFile, differences: readonly string[]): TrainingError {
  return new TrainingError(
    `${file.file} comes from another run:\n${differences.map((line) => `  - ${line}`).join("\n")}`,
    otherRun,
  );
}

function parseIdentity(file: SafetensorsFile): StageIdentity {
  try {
    return JSON.parse(file.metadata.identity ?? "{}") as StageIdentity;
  } catch {
    throw new TrainingError(`${file.file} does not say what it was trained with`, otherRun);
  }
}

/** Newest first. */
async function listCheckpoints(
  host: Host,
  folder: string,
): Promise<{ readonly name: string; readonly step: number }[]> {
  return (await host.list(folder))
    .flatMap((name) => {
      const match = /^checkpoint-(\d+)\.safetensors$/.exec(name);
      return match === null ? [] : [{ name, step: Number(match[1]) }];
    })
    .sort((a, b) => b.step - a.step);
}
