/** Prints parts of a record's body at some depth of its loops. */
import type { ScalarProgram } from "../../src/kernels/scalar.js";
import { cDialect } from "../scalar/dialect.js";
import { type Leaves, printScalars, reachable } from "../scalar/print.js";
import type { Space } from "../schedules/space.js";
import type { Coordinates, KernelWriter, Lane } from "./writer.js";

/**
 * Leaves at fixed coordinates (and inside a lane loop that is still to be opened): whatever `wanted` needs and `known` does not give is
 * placed now, so that address arithmetic stands before the loop.
 */
export function placeLeaves(
  writer: KernelWriter,
  body: ScalarProgram,
  space: Space,
  wanted: readonly number[],
  known: ReadonlyMap<number, string>,
  fixed: Coordinates,
  lane: Lane | undefined,
): Leaves {
  const needed = reachable(body, wanted, known);
  const loads = new Map<number, string>();
  const gathers = new Map<number, (index: string) => string>();
  const indices = new Map<number, string>();
  for (const [position, instruction] of body.entries()) {
    if (!needed[position] || known.has(position)) continue;
    if (instruction.kind === "load") {
      const read = writer.read(`load${instruction.access}`, space.loads[instruction.access]!, fixed, lane);
      loads.set(position, read());
    } else if (instruction.kind === "load_indexed") {
      const key = `load${instruction.access}`;
      const read = writer.read(key, space.loads[instruction.access]!, fixed, lane);
      const stride = writer.integer(`${key}.indexed`, instruction.stride);
      const step = writer.fresh("s");
      writer.line(`const int64_t ${step} = ${stride};`);
      gathers.set(position, (index) => read(` + (int64_t)${index} * ${step}`));
    } else if (instruction.kind === "index") {
      indices.set(position, writer.index(`index${position}`, space.indices.get(position)!, fixed, lane));
    }
  }
  return {
    load: (_, position) => loads.get(position)!,
    indexed: (_, index, position) => gathers.get(position)!(index),
    index: (_, position) => indices.get(position)!,
  };
}

/** Computes `wanted` at fixed coordinates, outside any lane loop, and returns `known` with them added. */
export function printRowValues(
  writer: KernelWriter,
  body: ScalarProgram,
  space: Space,
  wanted: readonly number[],
  known: ReadonlyMap<number, string>,
  fixed: Coordinates,
): ReadonlyMap<number, string> {
  const leaves = placeLeaves(writer, body, space, wanted, known, fixed, undefined);
  const printed = printScalars(body, wanted, leaves, cDialect, { prefix: `${writer.fresh("h")}_`, known });
  writer.line(...printed.statements);
  const names = new Map(known);
  for (const position of wanted) names.set(position, printed.name(position));
  return names;
}

/**
 * The instructions worth computing before a loop: those that do not vary in it and are read by something that does (or are wanted
 * themselves). Constants are literals anyway.
 */
export function hoistable(
  body: ScalarProgram,
  varies: readonly boolean[],
  wanted: readonly number[],
  known: ReadonlyMap<number, string>,
  operands: (position: number) => readonly number[],
): readonly number[] {
  const needed = reachable(body, wanted, known);
  const found = new Set<number>();
  for (const position of wanted) if (!varies[position] && !known.has(position)) found.add(position);
  for (let position = 0; position < body.length; position++) {
    if (!needed[position] || !varies[position] || known.has(position)) continue;
    for (const operand of operands(position)) if (!varies[operand] && !known.has(operand)) found.add(operand);
  }
  return [...found].filter((position) => body[position]!.kind !== "constant").sort((a, b) => a - b);
}
