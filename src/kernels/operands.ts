import type { ScalarInstruction } from "./scalar.js";

/** Indices of the earlier instructions that an instruction uses. */
export function operandsOf(instruction: ScalarInstruction): readonly number[] {
  switch (instruction.kind) {
    case "load":
    case "constant":
    case "index":
    case "accumulator":
      return [];
    case "reduce":
    case "unary":
    case "cast":
      return [instruction.operand];
    case "binary":
      return [instruction.left, instruction.right];
    case "select":
      return [instruction.condition, instruction.then, instruction.otherwise];
    case "random":
      return [instruction.seed, instruction.step, instruction.row, instruction.element];
    case "load_indexed":
      return [instruction.index];
  }
}

/** An instruction with its operands renamed. */
export function mapOperands(instruction: ScalarInstruction, rename: (operand: number) => number): ScalarInstruction {
  switch (instruction.kind) {
    case "load":
    case "constant":
    case "index":
    case "accumulator":
      return instruction;
    case "reduce":
    case "unary":
    case "cast":
      return { ...instruction, operand: rename(instruction.operand) };
    case "binary":
      return { ...instruction, left: rename(instruction.left), right: rename(instruction.right) };
    case "select": {
      const { condition, then, otherwise } = instruction;
      // biome-ignore lint/suspicious/noThenProperty: an instruction is no promise
      return { ...instruction, condition: rename(condition), then: rename(then), otherwise: rename(otherwise) };
    }
    case "random": {
      const { seed, step, row, element } = instruction;
      return { ...instruction, seed: rename(seed), step: rename(step), row: rename(row), element: rename(element) };
    }
    case "load_indexed":
      return { ...instruction, index: rename(instruction.index) };
  }
}

/** The operands that belong to the same pass over a row: a `reduce` folds its own in an earlier one. */
export const operandsInPass = (instruction: ScalarInstruction): readonly number[] =>
  instruction.kind === "reduce" ? [] : operandsOf(instruction);
