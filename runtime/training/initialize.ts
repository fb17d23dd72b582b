import type { Initializer, ParameterSpec } from "../../src/build/model.js";
import { elementCount, type Shape } from "../../src/graph/shape.js";
import { drawInto, philox } from "../../src/primitives/philox.js";
import { roundTensor } from "../tensors/convert.js";
import { allocate, type StoredDtype, type Tensor } from "../tensors/tensor.js";
import { orthogonalize } from "./orthogonal.js";
import { fnv1a } from "./random.js";

/** Keeps the draws of initial values apart from those of a step, whose counter has the step here. */
const initialStep = 0xffffffff;

/**
 * A parameter's value before any training. A pure function of the seed and the path: the same on every machine, and unchanged when other
 * parameters come or go. Computed in float64, then rounded to the parameter's dtype.
 */
export function initialValue(spec: ParameterSpec, seed: number): Tensor {
  if (spec.dtype === "f64") throw new TypeError(`Parameter ${spec.path} cannot be stored as f64`);
  const dtype: StoredDtype = spec.dtype;
  const elements = elementCount(spec.shape);
  const data = allocate(dtype, elements);
  if (spec.initializer.kind === "constant") {
    data.fill(spec.initializer.value);
  } else if (spec.initializer.kind !== "zeros") {
    const numbers = new Float64Array(elements);
    fill(numbers, spec.shape, spec.initializer, { seed, key: fnv1a(spec.path), next: 0 }, spec.path);
    data.set(numbers);
  }
  if (dtype !== "f16" && dtype !== "bf16") return { dtype, shape: spec.shape, data };
  return roundTensor({ dtype: "f32", shape: spec.shape, data }, dtype);
}

/** The draws of one parameter; every part of it that draws takes the next number. */
interface Stream {
  readonly seed: number;
  readonly key: number;
  next: number;
}

function fill(into: Float64Array, shape: Shape, initializer: Initializer, stream: Stream, path: string): void {
  switch (initializer.kind) {
    case "zeros":
      into.fill(0);
      return;
    case "constant":
      into.fill(initializer.value);
      return;
    case "normal":
      draw("normal", into, stream);
      scale(into, (number) => initializer.std * number);
      return;
    case "uniform":
      draw("uniform", into, stream);
      scale(into, (number) => initializer.bound * (2 * number - 1));
      return;
    case "orthogonal": {
      const rows = shape[0] ?? 1;
      const columns = into.length / Math.max(1, rows);
      draw("normal", into, stream);
      orthogonalize(into, rows, columns);
      scale(into, (number) => initializer.gain * number);
      return;
    }
    case "distinct":
      distinctInto(into, initializer.below, stream);
      return;
    case "values":
      if (initializer.values.length !== into.length) {
        throw new RangeError(
          `Parameter ${path} has ${into.length} numbers, but ${initializer.values.length} are listed`,
        );
      }
      into.set(initializer.values);
      return;
    case "parts":
      for (const part of initializer.parts) {
        const size = part.limits.map((limit, axis) => limit - part.starts[axis]!);
        const box = new Float64Array(elementCount(size));
        fill(box, size, part.initializer, stream, path);
        copyBox(into, shape, box, size, part.starts);
      }
      return;
  }
}

function draw(distribution: "normal" | "uniform", into: Float64Array, stream: Stream): void {
  drawInto(
    distribution,
    { seed: stream.seed, key: stream.key, row: stream.next++, step: initialStep },
    into,
    0,
    into.length,
  );
}

/** Different ints below a limit: the beginning of a permutation of all of them (Fisher and Yates), of which only what moved is kept. */
function distinctInto(into: Float64Array, below: number, stream: Stream): void {
  const moved = new Map<number, number>();
  const row = stream.next++;
  let words: readonly number[] = [];
  for (let place = 0; place < into.length; place++) {
    if (place % 4 === 0) words = philox([place / 4, row, initialStep, 0], [stream.seed, stream.key]);
    // The word as a fraction of 2^32; the bias is below `below` / 2^32.
    const chosen = place + Math.floor((words[place % 4]! / 2 ** 32) * (below - place));
    into[place] = moved.get(chosen) ?? chosen;
    moved.set(chosen, moved.get(place) ?? place);
  }
}

function scale(into: Float64Array, change: (number: number) => number): void {
  for (let index = 0; index < into.length; index++) into[index] = change(into[index]!);
}

/** Copies a box of numbers to its place inside a tensor. */
function copyBox(into: Float64Array, shape: Shape, box: Float64Array, size: Shape, starts: readonly number[]): void {
  const last = shape.length - 1;
  if (last < 0) {
    into.set(box);
    return;
  }
  const width = size[last]!;
  const rows = width === 0 ? 0 : box.length / width;
  for (let row = 0; row < rows; row++) {
    let rest = row;
    let stride = shape[last]!;
    let offset = starts[last]!;
    for (let axis = last - 1; axis >= 0; axis--) {
      offset += ((rest % size[axis]!) + starts[axis]!) * stride;
      rest = Math.floor(rest / size[axis]!);
      stride *= shape[axis]!;
    }
    into.set(box.subarray(row * width, (row + 1) * width), offset);
  }
}
