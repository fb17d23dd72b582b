import type { ParameterSpec } from "../../src/build/model.js";
import { bytesPerElement } from "../../src/graph/dtype.js";
import { elementCount } from "../../src/graph/shape.js";
import type { ParameterPlace } from "../../src/kernels/layout.js";
import type { Executable, ParameterSet } from "../device.js";
import type { SafetensorsFile } from "../tensors/safetensors.js";
import { allocate, bytesOf, type StoredDtype, type Tensor } from "../tensors/tensor.js";
import { readTensor, type StageState } from "./checkpoint.js";
import { TrainingError } from "./errors.js";
import { initialValue } from "./initialize.js";
import type { TrainingOptions } from "./options.js";
import { stageChain } from "./plan.js";
import { averageState, type OptimizerState } from "./programs.js";

/** What finished stages left, by their names. */
export type Results = ReadonlyMap<string, { readonly file: SafetensorsFile; readonly seed: number }>;

/**
 * Reads parameters as a stage left them (without one, as training starts): as the last stage that trained it left it, else as in the
 * weights from outside, else at its initial value. A copy is read the same way, as its own stage left it; undefined where that has no
 * result yet.
 */
export function parameterReader(
  { model, seed, weights }: Pick<TrainingOptions, "model" | "seed" | "weights">,
  stage: string | undefined,
  results: Results,
): (spec: ParameterSpec) => Tensor | undefined {
  const outside = weights === undefined ? [] : [weights];
  const stateOf = (name: string | undefined) => {
    const chain = name === undefined ? [] : stageChain(model, name).map((before) => results.get(before.name)!);
    return { files: [...outside, ...chain.map(({ file }) => file)], seed: chain.at(-1)?.seed ?? seed };
  };
  const states = new Map([...results.keys()].map((name) => [name, stateOf(name)]));
  const present = stateOf(stage);
  return (spec) => {
    const { copy } = spec;
    const state = copy === undefined ? present : states.get(copy.stage);
    if (state === undefined) return undefined;
    const original = copy === undefined ? spec : { ...spec, path: copy.of };
    const result = state.files.findLast((file) => file.entries.has(original.path));
    return result === undefined ? initialValue(original, state.seed) : readTensor(result, original.path, original);
  };
}

/** Writes every parameter of a model as `parameterReader` reads it; copies that have no value yet stay as they are. */
export async function writeParameters(
  options: Pick<TrainingOptions, "model" | "seed" | "weights">,
  set: ParameterSet,
  stage: string | undefined,
  results: Results,
): Promise<void> {
  const read = parameterReader(options, stage, results);
  for (const spec of options.model.parameters) {
    const value = read(spec);
    if (value !== undefined) await set.write(spec.path, value.data);
  }
}

/** The present values of some parameters. */
export async function readParameters(set: ParameterSet, specs: readonly ParameterSpec[]): Promise<Map<string, Tensor>> {
  const values = await Promise.all(specs.map((spec) => set.read(spec.path)));
  return new Map(
    specs.map((spec, index) => [spec.path, { dtype: stored(spec.dtype), shape: spec.shape, data: values[index]! }]),
  );
}

/** The optimiser's states. No step may be under way. */
export async function readStates(
  set: ParameterSet,
  states: readonly OptimizerState[],
): Promise<Map<string, ReadonlyMap<string, Tensor>>> {
  if (states.length === 0) return new Map();
  const segment = await set.readSegment("optimizer");
  return new Map(
    states.map(({ name, places }) => [name, new Map(places.map((place) => [place.path, fromSegment(segment, place)]))]),
  );
}

/**
 * Prepares a set for a stage's next step: the checkpoint's parameters and states, or for a fresh start states of zero and the average
 * at the parameters themselves.
 */
export async function writeStageState(
  set: ParameterSet,
  step: Executable,
  updated: readonly ParameterSpec[],
  states: readonly OptimizerState[],
  checkpoint: StageState | undefined,
): Promise<void> {
  if (checkpoint !== undefined) {
    for (const [path, value] of checkpoint.parameters) await set.write(path, value.data);
  }
  const { optimizer } = step.program.segments;
  if (optimizer > 0) {
    const segment = new Uint8Array(optimizer);
    const average = checkpoint === undefined ? await readParameters(set, updated) : undefined;
    for (const { name, places } of states) {
      const values = checkpoint?.optimizer.get(name) ?? (name === averageState ? average : undefined);
      for (const place of places) {
        const value = values?.get(place.path);
        if (value !== undefined) intoSegment(segment, place, value);
      }
    }
    await set.writeSegment("optimizer", segment);
  }
}

/** Checks that a step program has room for the states that the compiler says it keeps. */
export function checkStates(step: Executable, states: readonly OptimizerState[], needsAverage: boolean): void {
  const bytes = step.program.segments.optimizer;
  for (const { name, places } of states) {
    const outside = places.find((place) => place.offset + byteLength(place) > bytes);
    if (outside !== undefined) {
      throw new TrainingError(
        `The program keeps ${bytes} bytes of optimiser state, but ${name} of ${outside.path} would lie beyond`,
      );
    }
  }
  if (needsAverage && !states.some(({ name }) => name === averageState)) {
    throw new TrainingError(
      `The stage averages its parameters (ema), but its program keeps no state "${averageState}"`,
    );
  }
}

function fromSegment(segment: Uint8Array, place: ParameterPlace): Tensor {
  const dtype = stored(place.dtype);
  const data = allocate(dtype, elementCount(place.shape));
  bytesOf(data).set(segment.subarray(place.offset, place.offset + byteLength(place)));
  return { dtype, shape: place.shape, data };
}

function intoSegment(segment: Uint8Array, place: ParameterPlace, value: Tensor): void {
  segment.set(bytesOf(value.data), place.offset);
}

/** States are f32, or integers and booleans as they are: nothing an optimiser keeps is stored in 16 bits. */
function byteLength(place: ParameterPlace): number {
  return elementCount(place.shape) * bytesPerElement[place.dtype];
}

function stored(dtype: ParameterPlace["dtype"]): StoredDtype {
  if (dtype === "f64") throw new TypeError("Parameters are never stored as f64");
  return dtype;
}
