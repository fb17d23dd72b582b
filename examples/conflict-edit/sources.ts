/** The rows that training and evaluation see: a picture, a task and a phrasing become source, instruction, target and task number. */
import type { DataSource } from "../../src/index.js";
import { conflictTasks, encode, genericTasks, instructionLength, type Task } from "./instructions.js";
import { pictureAt } from "./metrics.js";
import { type Pictures, pictureNumbers, pictureSize } from "./pictures.js";

export interface Row {
  readonly picture: number;
  readonly task: number;
  readonly phrase: string;
}

/** The model works on [-1, 1]. */
export const toModel = (picture: Float32Array): Float32Array => picture.map((value) => 2 * value - 1);
export const fromModel = (picture: Float32Array): Float32Array =>
  picture.map((value) => Math.min(1, Math.max(0, (value + 1) / 2)));

/** Every picture with every task in every phrasing. */
export function everyRow(pictures: readonly number[], tasks: readonly Task[]): Row[] {
  return pictures.flatMap((picture) =>
    tasks.flatMap((task, index) => task.phrases.map((phrase) => ({ picture, task: index, phrase }))),
  );
}

/** Every picture with every task, in a phrasing that goes round. */
export function oneRowPerTask(pictures: readonly number[], tasks: readonly Task[]): Row[] {
  return pictures.flatMap((picture, place) =>
    tasks.map((task, index) => ({
      picture,
      task: index,
      phrase: task.phrases[(place + index) % task.phrases.length]!,
    })),
  );
}

/** Columns source and target [3, 32, 32] in [-1, 1], instruction int[..8], task int[]; label `task` (its name). */
export function editSource(name: string, pictures: Pictures, tasks: readonly Task[], rows: readonly Row[]): DataSource {
  const picture = { dtype: "f32", shape: [3, pictureSize, pictureSize] } as const;
  return {
    name,
    length: rows.length,
    columns: {
      source: picture,
      target: picture,
      instruction: { dtype: "i32", shape: [instructionLength], ragged: true },
      task: { dtype: "i32", shape: [] },
    },
    labels: { task: rows.map((row) => tasks[row.task]!.name) },
    async batch(chosen) {
      const source = new Float32Array(chosen.length * pictureNumbers);
      const target = new Float32Array(chosen.length * pictureNumbers);
      const instruction = new Int32Array(chosen.length * instructionLength);
      const mask = new Uint8Array(chosen.length * instructionLength);
      const task = new Int32Array(chosen.length);
      chosen.forEach((index, place) => {
        const row = rows[index]!;
        const clean = pictureAt(pictures.pixels, row.picture);
        source.set(toModel(tasks[row.task]!.source(clean)), place * pictureNumbers);
        target.set(toModel(tasks[row.task]!.target(clean)), place * pictureNumbers);
        const words = encode(row.phrase);
        instruction.set(words, place * instructionLength);
        mask.fill(1, place * instructionLength, place * instructionLength + words.length);
        task[place] = row.task;
      });
      return { source, target, instruction, "instruction.mask": mask, task };
    },
  };
}

/** What the stages and evaluations of conflict-edit.weft name, and the rows of the evaluation sets. */
export function editSources(pictures: Pictures): {
  readonly sources: Record<"generic" | "conflict" | "validation" | "held_out", DataSource>;
  readonly rows: Record<"validation" | "held_out", readonly Row[]>;
} {
  const { train, validation, test } = pictures.splits;
  const rows = { validation: oneRowPerTask(validation, conflictTasks), held_out: oneRowPerTask(test, conflictTasks) };
  return {
    rows,
    sources: {
      generic: editSource("generic", pictures, genericTasks, everyRow(train, genericTasks)),
      conflict: editSource("conflict", pictures, conflictTasks, everyRow(train, conflictTasks)),
      validation: editSource("validation", pictures, conflictTasks, rows.validation),
      held_out: editSource("held_out", pictures, conflictTasks, rows.held_out),
    },
  };
}
