/** Edits every held-out row with one variant, and the controls that reuse the trained generator's operators. */
import {
  bindData,
  type DataSource,
  type InputSpec,
  type Model,
  openSampler,
  type ParameterSet,
  type TensorData,
  type TrainingPrograms,
} from "../../src/index.js";
import { generator } from "./metrics.js";
import { pictureNumbers } from "./pictures.js";
import { fromModel, type Row } from "./sources.js";

/** One seed for all variants: under flow matching they all start from the same noise. */
const drawSeed = 20_000;
const batch = 50;

export interface Evaluator {
  /** Pictures [rows, 3, 32, 32] in [0, 1] of a `sample` block over all rows of the source, by given operators where it asks for them. */
  edit(sampling: string, set: ParameterSet, operators?: Float32Array): Promise<Float32Array>;
  /** What an entry point of one output gives for all rows, one after another. */
  outputs(entry: string, set: ParameterSet): Promise<Float32Array>;
}

export function evaluator(model: Model, programs: TrainingPrograms, source: DataSource): Evaluator {
  /** What `run` gives for all rows, batch by batch; the last one may be shorter. */
  const overRows = async (run: (rows: readonly number[]) => Promise<Float32Array>): Promise<Float32Array> => {
    const parts: Float32Array[] = [];
    for (let first = 0; first < source.length; first += batch) {
      parts.push(
        await run(Array.from({ length: Math.min(batch, source.length - first) }, (_, place) => first + place)),
      );
    }
    const result = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
    let start = 0;
    for (const part of parts) {
      result.set(part, start);
      start += part.length;
    }
    return result;
  };
  /** Arguments from the columns of the same names; a batch is filled up to `size` rows. */
  const columns = (name: string, inputs: readonly InputSpec[]) => {
    const binding = bindData({ name, inputs }, [source], drawSeed);
    return async (rows: readonly number[], size: number): Promise<Record<string, TensorData>> => {
      const references = rows.map((row) => ({ source: 0, row, epoch: 0 }));
      return { ...(await binding.assemble(references, size)).inputs };
    };
  };
  return {
    async edit(sampling, set, operators) {
      const sampler = await openSampler(model, sampling, programs, set, batch);
      const fromSource = sampler.inputs.filter(({ name }) => operators === undefined || name !== "operators");
      const read = columns(sampling, fromSource);
      const each = (operators?.length ?? 0) / source.length;
      try {
        const edited = await overRows(async (rows) => {
          const inputs = await read(rows, rows.length);
          const first = rows[0]! * each;
          if (operators) inputs.operators = operators.subarray(first, first + rows.length * each);
          return sampler.sample({ inputs, seed: drawSeed, rows });
        });
        return fromModel(edited);
      } finally {
        sampler.free();
      }
    },
    async outputs(entry, set) {
      const executable = await programs.evaluate(entry, batch);
      executable.bind(set);
      const read = columns(entry, model.entryPoint(entry).inputs);
      const known = executable.program.inputs.map(({ name }) => name);
      try {
        return await overRows(async (rows) => {
          const given = Object.entries(await read(rows, batch)).filter(([name]) => known.includes(name));
          const { output } = await executable.submit(Object.fromEntries(given), { seed: drawSeed }).read(["output"]);
          const all = output as Float32Array;
          return all.slice(0, (all.length / batch) * rows.length);
        });
      } finally {
        executable.free();
      }
    },
  };
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
