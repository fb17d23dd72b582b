import type { ParameterSpec } from "../../src/build/model.js";
import { elementCount } from "../../src/graph/shape.js";
import type { TensorData } from "../device.js";
import type { Tensor } from "../tensors/tensor.js";
import type { MixturePart } from "./order.js";
import type { OptimizerState } from "./programs.js";

/** Sums of float64 over the rows of each source. */
export type Sums = readonly Float64Array[];

const sumName = (source: number): string => `sum ${source}`;

/** Where a checkpoint keeps the sums that a stored tensor is the mean of, one for each source: as pairs of 32-bit words, exactly. */
export function sumStates({ path, shape }: ParameterSpec, sources: number): OptimizerState[] {
  return Array.from({ length: sources }, (_, source) => ({
    name: sumName(source),
    places: [{ path, dtype: "u32", shape: [...shape, 2], offset: 0 }],
  }));
}

export const zeroSums = ({ shape }: ParameterSpec, sources: number): Sums =>
  Array.from({ length: sources }, () => new Float64Array(elementCount(shape)));

export function sumsToTensors({ path, shape }: ParameterSpec, sums: Sums): Map<string, ReadonlyMap<string, Tensor>> {
  return new Map(
    sums.map((sum, source) => {
      const data = new Uint32Array(sum.slice().buffer);
      return [sumName(source), new Map([[path, { dtype: "u32", shape: [...shape, 2], data }]])];
    }),
  );
}

export function sumsFromTensors(
  { path }: ParameterSpec,
  states: ReadonlyMap<string, ReadonlyMap<string, Tensor>>,
): Sums {
  return [...states.keys()].map((_, source) => {
    const { data } = states.get(sumName(source))!.get(path)!;
    return new Float64Array(Uint32Array.from(data).buffer);
  });
}

/** Adds the first `rows` rows of a batch [batch, ...] to a sum. */
export function addRows(sum: Float64Array, values: TensorData, rows: number): void {
  for (let row = 0; row < rows; row++) {
    const start = row * sum.length;
    for (let place = 0; place < sum.length; place++) sum[place]! += values[start + place]!;
  }
}

/** The mean over the rows of each source, then over the sources by weight. */
export function meanOf(sums: Sums, parts: readonly MixturePart[]): Float32Array {
  const total = parts.reduce((sum, { weight }) => sum + weight, 0);
  const factors = parts.map(({ weight, rows }) => weight / total / rows.length);
  return Float32Array.from(sums[0]!, (_, place) =>
    sums.reduce((mean, sum, source) => mean + factors[source]! * sum[place]!, 0),
  );
}
