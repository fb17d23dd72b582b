/** A request for samples, and what it comes to for the programs of a batch. */
import type { InputSpec } from "../../src/build/model.js";
import { elementCount, type Shape } from "../../src/graph/shape.js";
import { instanceWeightName } from "../../src/passes/weigh-instances.js";
import { drawInto } from "../../src/primitives/philox.js";
import type { TensorData } from "../device.js";
import { holds, type StoredDtype } from "../tensors/tensor.js";
import { fnv1a } from "../training/random.js";
import { SamplingError } from "./errors.js";

export interface SampleRequest {
  /**
   * Arguments by name: per instance [rows, ...shape], with the mask of a column of varying length as `NAME.mask` [rows, length] (all true
   * where it is left out), and those marked `shared` without the axis of rows.
   */
  readonly inputs: Readonly<Record<string, TensorData>>;
  /** Of all that is drawn. */
  readonly seed: number;
  /**
   * A number for each row: the start of a row depends on the seed and its number alone, wherever it stands. 0, 1, ... unless given. Draws
   * inside the functions go by the first number and the row's place.
   */
  readonly rows?: readonly number[];
  /** How many rows; needed only where neither `inputs` nor `rows` tell. */
  readonly count?: number;
  /** Steps of the solver, instead of those the block says. */
  readonly steps?: number;
  /** Strength of the guidance, instead of that which the block says. */
  readonly guidance?: number;
  /** Where the state starts, [rows, ...shape], instead of at noise. */
  readonly start?: Float32Array;
  /** Called when a step has been handed to the device. */
  readonly report?: (step: number, steps: number) => void;
  /** Aborting it ends the request with an error after the steps that run. */
  readonly signal?: AbortSignal;
}

/** The numbers of a request's rows. Throws SamplingError when they are too many, or nothing tells how many they are. */
export function rowNumbers(
  { inputs: given, rows, count }: SampleRequest,
  inputs: readonly InputSpec[],
  batch: number,
): readonly number[] {
  const column = inputs.find(({ name, perInstance }) => perInstance && given[name] !== undefined);
  const counted = rows?.length ?? count ?? (column && given[column.name]!.length / elementCount(column.shape));
  if (counted === undefined)
    throw new SamplingError("the request does not say how many rows it has: give `count` or `rows`");
  if (!Number.isInteger(counted) || counted < 1 || counted > batch)
    throw new SamplingError(`the request has ${counted} rows, but the sampler takes 1 to ${batch} of them`);
  return rows ?? Array.from({ length: counted }, (_, row) => row);
}

/** The arguments of a whole batch: where there are fewer rows, the first is repeated, with weight 0. Throws SamplingError for what does not fit. */
export function batchInputs(
  given: SampleRequest["inputs"],
  inputs: readonly InputSpec[],
  rows: number,
  batch: number,
): Record<string, TensorData> {
  const known = new Set([...inputs.map(({ name }) => name), instanceWeightName]);
  const unknown = Object.keys(given).find((name) => !known.has(name));
  if (unknown !== undefined) {
    const names = inputs.map(({ name }) => `"${name}"`).join(", ");
    throw new SamplingError(`the request takes no "${unknown}"; it takes ${names || "nothing"}`);
  }
  const masks = new Set(inputs.map(({ mask }) => mask));
  const values: Record<string, TensorData> = { [instanceWeightName]: new Float32Array(batch).fill(1, 0, rows) };
  for (const { name, shape, perInstance, dtype } of inputs) {
    const size = elementCount(shape);
    const value = given[name] ?? (masks.has(name) ? new Uint8Array(rows * size).fill(1) : undefined);
    if (value === undefined) throw new SamplingError(`the request has no "${name}"`);
    if (!holds(dtype as StoredDtype, value))
      throw new SamplingError(`"${name}" is ${dtype}, but was given in a ${value.constructor.name}`);
    requireLength(`"${name}"`, value, perInstance ? rows * size : size);
    values[name] = perInstance ? filled(value, size, rows, batch) : value;
  }
  return values;
}

/**
 * Where each row's state starts, [batch, ...shape]: standard normal numbers, those of `normal(shape, key: "start")`, drawn on the host so that
 * they are the same for all devices.
 */
export function startOf(
  { seed, start }: SampleRequest,
  shape: Shape,
  rows: readonly number[],
  batch: number,
): Float32Array {
  const size = elementCount(shape);
  if (start !== undefined) {
    requireLength("the start", start, rows.length * size);
    return filled(start, size, rows.length, batch);
  }
  const drawn = new Float64Array(rows.length * size);
  rows.forEach((row, place) => {
    drawInto("normal", { seed, step: 0, row, key: fnv1a("start") }, drawn, place * size, size);
  });
  return filled(Float32Array.from(drawn), size, rows.length, batch);
}

function requireLength(what: string, { length }: TensorData, needed: number): void {
  if (length !== needed) throw new SamplingError(`${what} has ${length} numbers, but ${needed} are needed`);
}

function filled<Data extends TensorData>(value: Data, size: number, rows: number, batch: number): Data {
  if (rows === batch) return value;
  const whole = new (value.constructor as new (length: number) => Data)(batch * size);
  whole.set(value);
  for (let row = rows; row < batch; row++) whole.set(value.subarray(0, size), row * size);
  return whole;
}
