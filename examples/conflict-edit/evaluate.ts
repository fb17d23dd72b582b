/** Edits every held-out row with one variant, and the controls that reuse the trained generator's operators. */
import type { DataSource, Executable, ParameterSet, TensorData, TrainingPrograms } from "../../src/index.js";
import { generator } from "./metrics.js";
import { pictureNumbers } from "./pictures.js";
import { fromModel, type Row } from "./sources.js";

/** One seed for all variants: under flow matching they all start from the same noise. */
const drawSeed = 20_000;
const batch = 50;

export interface Evaluator {
  /** Pictures [rows, 3, 32, 32] in [0, 1] of an entry point over all rows of the source. */
  edit(entry: string, set: ParameterSet, tokens?: Float32Array): Promise<Float32Array>;
  /** Operators of all rows, one after another. */
  operators(set: ParameterSet): Promise<Float32Array>;
}

export function evaluator(programs: TrainingPrograms, source: DataSource): Evaluator {
  const run = async (entry: string, set: ParameterSet, tokens?: Float32Array): Promise<Float32Array> => {
    const executable = await programs.evaluate(entry, batch);
    executable.bind(set);
    try {
      return await overRows(executable, source, tokens);
    } finally {
      executable.free();
    }
  };
  return {
    edit: async (entry, set, tokens) => fromModel(await run(entry, set, tokens)),
    operators: (set) => run("operators", set),
  };
}

async function overRows(
  executable: Executable,
  source: DataSource,
  tokens: Float32Array | undefined,
): Promise<Float32Array> {
  const output = executable.program.outputs[0]!;
  const perRow = output.shape.slice(1).reduce((product, size) => product * size, 1);
  const result = new Float32Array(source.length * perRow);
  const perToken = tokens === undefined ? 0 : tokens.length / source.length;
  const wanted = new Set(executable.program.inputs.map(({ name }) => name));
  for (let first = 0; first < source.length; first += batch) {
    const rows = Array.from({ length: batch }, (_, place) => Math.min(first + place, source.length - 1));
    const columns: Record<string, TensorData> = await source.batch(
      rows,
      rows.map(() => 0),
      [...wanted],
    );
    if (tokens !== undefined) {
      const own = new Float32Array(batch * perToken);
      rows.forEach((row, place) => {
        own.set(tokens.subarray(row * perToken, (row + 1) * perToken), place * perToken);
      });
      columns.tokens = own;
    }
    const inputs = Object.fromEntries(Object.entries(columns).filter(([name]) => wanted.has(name)));
    const values = await executable.submit(inputs, { seed: drawSeed, step: 0, row_offset: first }).read([output.name]);
    const count = Math.min(batch, source.length - first);
    result.set((values[output.name] as Float32Array).subarray(0, count * perRow), first * perRow);
  }
  return result;
}

/** The mean operator in every row's place. */
export function averaged(tokens: Float32Array, rows: number): Float32Array {
  const size = tokens.length / rows;
  const average = new Float64Array(size);
  for (let row = 0; row < rows; row++) for (let i = 0; i < size; i++) average[i]! += tokens[row * size + i]! / rows;
  const result = new Float32Array(tokens.length);
  for (let row = 0; row < rows; row++) result.set(average, row * size);
  return result;
}

/** Every row gets another row's operator (Sattolo's cycle: none keeps its own); within a task, one of the same task. */
export function shuffled(tokens: Float32Array, rows: readonly Row[], withinTask: boolean): Float32Array {
  const size = tokens.length / rows.length;
  const random = generator(7);
  const groups = new Map<number, number[]>();
  rows.forEach((row, index) => {
    const key = withinTask ? row.task : 0;
    groups.set(key, [...(groups.get(key) ?? []), index]);
  });
  const result = new Float32Array(tokens.length);
  for (const members of groups.values()) {
    const sources = [...members];
    for (let i = sources.length - 1; i > 0; i--) {
      const j = Math.floor(random() * i);
      [sources[i], sources[j]] = [sources[j]!, sources[i]!];
    }
    members.forEach((row, place) => {
      result.set(tokens.subarray(sources[place]! * size, (sources[place]! + 1) * size), row * size);
    });
  }
  return result;
}

/** Columns of all rows as pictures in [0, 1]. */
export async function picturesOf(source: DataSource, column: "source" | "target"): Promise<Float32Array> {
  const rows = Array.from({ length: source.length }, (_, row) => row);
  const result = new Float32Array(rows.length * pictureNumbers);
  for (let first = 0; first < rows.length; first += batch) {
    const part = rows.slice(first, first + batch);
    const columns = await source.batch(
      part,
      part.map(() => 0),
      [column],
    );
    result.set(fromModel(columns[column] as Float32Array), first * pictureNumbers);
  }
  return result;
}
