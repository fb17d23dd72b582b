/** Builds scalar programs: shares equal instructions, folds what is trivial, and keeps what an expression is outside of its loads' bounds. */
import type { Dtype } from "../../graph/dtype.js";
import { mapOperands, operandsOf } from "../../kernels/operands.js";
import type { Access } from "../../kernels/record.js";
import type { ScalarInstruction } from "../../kernels/scalar.js";

export class ProgramBuilder {
  instructions: ScalarInstruction[] = [];
  accesses: Access[] = [];
  readonly #known = new Map<string, number>();
  readonly #accesses = new Map<string, number>();

  access(access: Access): number {
    const key = JSON.stringify(access);
    let place = this.#accesses.get(key);
    if (place === undefined) {
      place = this.accesses.push(access) - 1;
      this.#accesses.set(key, place);
    }
    return place;
  }

  emit(instruction: ScalarInstruction): number {
    const key = instruction.kind === "constant" ? constantKey(instruction) : JSON.stringify(instruction);
    let place = this.#known.get(key);
    if (place === undefined) {
      place = this.instructions.push(instruction) - 1;
      this.#known.set(key, place);
    }
    return place;
  }

  constant(value: number, dtype: Dtype): number {
    return this.emit({ kind: "constant", value, dtype });
  }

  /** The number an instruction is known to be. */
  constantAt(place: number): number | undefined {
    const instruction = this.instructions[place]!;
    return instruction.kind === "constant" ? instruction.value : undefined;
  }

  cast(operand: number, dtype: Dtype): number {
    return this.instructions[operand]!.dtype === dtype ? operand : this.emit({ kind: "cast", operand, dtype });
  }

  add(left: number, right: number, dtype: Dtype): number {
    if (this.constantAt(left) === 0) return right;
    if (this.constantAt(right) === 0) return left;
    return this.emit({ kind: "binary", operation: "add", left, right, dtype });
  }

  subtract(left: number, right: number, dtype: Dtype): number {
    if (this.constantAt(right) === 0) return left;
    if (this.constantAt(left) === 0) return this.emit({ kind: "unary", operation: "negate", operand: right, dtype });
    return this.emit({ kind: "binary", operation: "subtract", left, right, dtype });
  }

  multiply(left: number, right: number, dtype: Dtype): number {
    if (this.constantAt(left) === 1) return right;
    if (this.constantAt(right) === 1) return left;
    return this.emit({ kind: "binary", operation: "multiply", left, right, dtype });
  }

  /** Drops what the results do not use, and ends the program: its instructions now come without gaps. Returns the results' new places. */
  keep(results: readonly number[]): number[] {
    const used = new Set(results);
    for (let place = this.instructions.length - 1; place >= 0; place--) {
      if (used.has(place)) for (const operand of operandsOf(this.instructions[place]!)) used.add(operand);
    }
    const renamed = new Map<number, number>();
    const accesses: Access[] = [];
    const instructions: ScalarInstruction[] = [];
    const renameAccess = (access: number) => {
      const known = accesses.indexOf(this.accesses[access]!);
      return known >= 0 ? known : accesses.push(this.accesses[access]!) - 1;
    };
    this.instructions.forEach((instruction, place) => {
      if (!used.has(place)) return;
      const next = mapOperands(instruction, (operand) => renamed.get(operand)!);
      const loads = next.kind === "load" || next.kind === "load_indexed";
      renamed.set(place, instructions.push(loads ? { ...next, access: renameAccess(next.access) } : next) - 1);
    });
    this.instructions = instructions;
    this.accesses = accesses;
    this.#known.clear();
    this.#accesses.clear();
    return results.map((result) => renamed.get(result)!);
  }

  /** Whether an expression is known to be zero (false) when all its loads are. */
  zeroOutside(place: number): boolean {
    const values = new Map<number, number | undefined>();
    const numberAt = (at: number): number | undefined => {
      if (values.has(at)) return values.get(at);
      const instruction = this.instructions[at]!;
      const value = (() => {
        switch (instruction.kind) {
          case "load":
          case "load_indexed":
            return 0;
          case "constant":
            return instruction.value;
          case "cast":
            return numberAt(instruction.operand) === 0 ? 0 : undefined;
          case "unary": {
            const operand = numberAt(instruction.operand);
            return operand === 0 && zeroAtZero.has(instruction.operation) ? 0 : undefined;
          }
          case "binary": {
            const [left, right] = [numberAt(instruction.left), numberAt(instruction.right)];
            switch (instruction.operation) {
              case "add":
              case "subtract":
              case "maximum":
              case "minimum":
              case "or":
                return left === 0 && right === 0 ? 0 : undefined;
              case "multiply":
                return (left === 0 && Number.isFinite(right)) || (right === 0 && Number.isFinite(left)) ? 0 : undefined;
              case "and":
                return left === 0 || right === 0 ? 0 : undefined;
              case "divide":
                return left === 0 && right !== undefined && right !== 0 ? 0 : undefined;
              default:
                return undefined;
            }
          }
          case "select": {
            const condition = numberAt(instruction.condition);
            const [then, otherwise] = [numberAt(instruction.then), numberAt(instruction.otherwise)];
            if (condition === undefined) return then === 0 && otherwise === 0 ? 0 : undefined;
            return condition === 0 ? otherwise : then;
          }
          case "index":
          case "accumulator":
          case "reduce":
          case "random":
            return undefined;
        }
      })();
      values.set(at, value);
      return value;
    };
    return numberAt(place) === 0;
  }
}

/** JSON takes -0 for 0 and all that is not finite for null. */
const constantKey = ({ value, dtype }: Extract<ScalarInstruction, { kind: "constant" }>): string =>
  `constant ${dtype} ${Object.is(value, -0) ? "-0" : value}`;

const zeroAtZero = new Set(["negate", "absolute", "sign", "floor", "sin", "tanh", "erf", "sqrt"]);
