/** The passes of a reduction record: which `reduce` instructions can run together, and what comes after them. */

import { operandsInPass } from "../../src/kernels/operands.js";
import type { ScalarProgram } from "../../src/kernels/scalar.js";

/**
 * For each instruction the number of passes over the row that must be complete before it can be computed. The result of a `reduce` over
 * an operand of stage s has stage s + 1: pass s (counted from 0) computes it.
 */
export function stagesOf(body: ScalarProgram): readonly number[] {
  const stages: number[] = [];
  for (const instruction of body) {
    if (instruction.kind === "reduce") stages.push(stages[instruction.operand]! + 1);
    else stages.push(operandsInPass(instruction).reduce((most, operand) => Math.max(most, stages[operand]!), 0));
  }
  return stages;
}

/** Positions of the `reduce` instructions of each pass, first pass first. Those that no store needs are left out. */
export function passesOf(body: ScalarProgram, stored: readonly number[]): readonly (readonly number[])[] {
  const stages = stagesOf(body);
  const needed = new Array<boolean>(body.length).fill(false);
  for (const position of stored) needed[position] = true;
  for (let position = body.length - 1; position >= 0; position--) {
    if (!needed[position]) continue;
    const instruction = body[position]!;
    if (instruction.kind === "reduce") needed[instruction.operand] = true;
    else for (const operand of operandsInPass(instruction)) needed[operand] = true;
  }
  const passes: number[][] = [];
  for (const [position, instruction] of body.entries()) {
    if (instruction.kind !== "reduce" || !needed[position]) continue;
    const pass = stages[position]! - 1;
    while (passes.length <= pass) passes.push([]);
    passes[pass]!.push(position);
  }
  return passes;
}
