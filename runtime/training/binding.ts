import type { InputSpec } from "../../src/build/model.js";
import { isFloat } from "../../src/graph/dtype.js";
import { elementCount, formatShape, type Shape } from "../../src/graph/shape.js";
import { instanceWeightName } from "../../src/passes/weigh-instances.js";
import type { TensorData } from "../device.js";
import { allocate, holds } from "../tensors/tensor.js";
import type { Column, ColumnDtype, DataSource } from "./data.js";
import { TrainingError } from "./errors.js";
import type { RowReference } from "./order.js";
import { fnv1a, word } from "./random.js";

/** What an entry point is called: inputs, and for messages its name. */
export interface EntryInputs {
  readonly name: string;
  readonly inputs: readonly InputSpec[];
}

/** The inputs of one submission. */
export interface Batch {
  /** Arguments by name, per instance [batch, ...shape], their masks, and `instance_weight`, f32 [batch]: 0 for rows that only fill it up, else 1. */
  readonly inputs: Readonly<Record<string, TensorData>>;
  /** Rows of data in it; the rest of the batch is filled up. */
  readonly instances: number;
}

/** Turns rows of data into the inputs of an entry point. */
export interface DataBinding {
  /** At most `batch` rows, at least one. Missing ones repeat the first with weight 0: repeated rather than zero, so that no loss meets numbers that never occur. */
  assemble(rows: readonly RowReference[], batch: number): Promise<Batch>;
}

/**
 * Binds the columns of some sources to the parameters of the same names. `given` holds the arguments marked `shared`. Throws one TrainingError
 * that lists all that does not fit.
 */
export function bindData(
  entry: EntryInputs,
  sources: readonly DataSource[],
  seed: number,
  given: Readonly<Record<string, TensorData>> = {},
): DataBinding {
  const masks = new Set(entry.inputs.map((input) => input.mask));
  const wanted = entry.inputs.filter((input) => !masks.has(input.name));
  const shared = wanted.filter((input) => !input.perInstance);
  const perInstance = wanted.filter((input) => input.perInstance);
  const problems = [
    ...shared.flatMap((input) => checkGiven(input, given[input.name])),
    ...[...new Set(sources)].flatMap((source) => perInstance.flatMap((input) => checkColumn(input, source))),
  ];
  if (problems.length > 0) {
    throw new TrainingError(
      `The data does not fit "${entry.name}":\n${problems.map((problem) => `  - ${problem}`).join("\n")}`,
    );
  }

  const names = perInstance.map((input) => input.name);
  const keys = sources.map((source) => fnv1a(`augment:${source.name}`));
  return {
    async assemble(rows, batch) {
      const inputs: Record<string, TensorData> = {};
      for (const input of shared) inputs[input.name] = given[input.name]!;
      for (const input of perInstance) {
        inputs[input.name] = allocate(columnDtype(input), batch * elementCount(input.shape));
        if (input.mask !== undefined) inputs[input.mask] = new Uint8Array(batch * input.shape[0]!);
      }
      const weights = new Float32Array(batch).fill(1, 0, rows.length);
      const filled = Array.from({ length: batch }, (_, place) => rows[place] ?? rows[0]!);
      await Promise.all(
        sources.map(async (source, index) => {
          const places = filled.flatMap((reference, place) => (reference.source === index ? [place] : []));
          if (places.length === 0) return;
          const own = places.map((place) => filled[place]!);
          const seeds = own.map(({ row, epoch }) => word(seed, keys[index]!, row, epoch));
          const columns = await source.batch(
            own.map(({ row }) => row),
            seeds,
            names,
          );
          for (const input of perInstance) place(input, source, columns, places, inputs);
        }),
      );
      return { inputs: { ...inputs, [instanceWeightName]: weights }, instances: rows.length };
    },
  };
}

/** The dtype that data for an input has: floats are handed over as f32, whatever the program computes in. */
function columnDtype(input: InputSpec): ColumnDtype {
  switch (input.dtype) {
    case "i32":
    case "u32":
    case "bool":
      return input.dtype;
    default:
      return "f32";
  }
}

function checkGiven(input: InputSpec, value: TensorData | undefined): string[] {
  if (value === undefined)
    return [
      `the shared argument "${input.name}" is the same for all instances and does not come from data; give it a value`,
    ];
  if (!holds(columnDtype(input), value))
    return [`the shared argument "${input.name}" is ${input.dtype}, but was given as ${value.constructor.name}`];
  const elements = elementCount(input.shape);
  return value.length === elements
    ? []
    : [`the shared argument "${input.name}" has ${elements} numbers, but ${value.length} were given`];
}

function checkColumn(input: InputSpec, source: DataSource): string[] {
  const column = source.columns[input.name];
  const shown = `column "${input.name}" of data "${source.name}"`;
  if (column === undefined) {
    const known = Object.keys(source.columns).map((name) => `"${name}"`);
    return [
      `data "${source.name}" has no column "${input.name}"; it has ${known.length === 0 ? "none" : known.join(", ")}`,
    ];
  }
  if (column.dtype !== columnDtype(input)) {
    return [
      `${shown} holds ${column.dtype}, but ${isFloat(input.dtype) ? "floats (f32) are" : `${input.dtype} is`} needed`,
    ];
  }
  if (column.ragged && input.mask === undefined) {
    return [
      `${shown} has rows of different lengths, but the parameter has the fixed shape ${formatShape(input.shape)}; declare it as [..${input.shape[0] ?? 1}]`,
    ];
  }
  if (!fits(input, column.shape)) {
    const needed = input.mask === undefined ? formatShape(input.shape) : `[..${input.shape.join(", ")}]`;
    return [`${shown} has the shape ${formatShape(column.shape)}, but ${needed} is needed`];
  }
  return [];
}

/** Equal, or shorter along the first axis where there is a mask to say so. */
function fits(input: InputSpec, shape: Shape): boolean {
  return (
    shape.length === input.shape.length &&
    shape.every(
      (size, axis) => size === input.shape[axis] || (axis === 0 && input.mask !== undefined && size < input.shape[0]!),
    )
  );
}

/** Copies the rows a source gave to their places in the batch. */
function place(
  input: InputSpec,
  source: DataSource,
  columns: Readonly<Record<string, TensorData>>,
  places: readonly number[],
  inputs: Record<string, TensorData>,
): void {
  const column: Column = source.columns[input.name]!;
  const data = checked(
    source,
    input.name,
    columns[input.name],
    columnDtype(input),
    places.length * elementCount(column.shape),
  );
  const into = inputs[input.name]!;
  const from = elementCount(column.shape);
  const stride = elementCount(input.shape);
  places.forEach((target, row) => {
    into.set(data.subarray(row * from, (row + 1) * from), target * stride);
  });
  if (input.mask === undefined) return;
  const intoMask = inputs[input.mask]!;
  const length = column.shape[0]!;
  const longest = input.shape[0]!;
  const maskName = `${input.name}.mask`;
  const mask = column.ragged ? checked(source, maskName, columns[maskName], "bool", places.length * length) : undefined;
  places.forEach((target, row) => {
    if (mask === undefined) intoMask.fill(1, target * longest, target * longest + length);
    else intoMask.set(mask.subarray(row * length, (row + 1) * length), target * longest);
  });
}

/** A source's answer, which may come from a user's code. */
function checked(
  source: DataSource,
  column: string,
  data: TensorData | undefined,
  dtype: ColumnDtype,
  elements: number,
): TensorData {
  if (data === undefined) throw new TrainingError(`Data "${source.name}" gave a batch without "${column}"`);
  if (!holds(dtype, data))
    throw new TrainingError(
      `Data "${source.name}" gave "${column}" as ${data.constructor.name}, but it is declared ${dtype}`,
    );
  if (data.length !== elements) {
    throw new TrainingError(
      `Data "${source.name}" gave ${data.length} numbers for "${column}", but ${elements} are needed`,
    );
  }
  return data;
}
