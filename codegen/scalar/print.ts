/** Prints a scalar program as statements of a C-like language. */
import { operandsInPass } from "../../src/kernels/operands.js";
import type { ScalarInstruction, ScalarProgram } from "../../src/kernels/scalar.js";
import type { BinaryName, UnaryName } from "../../src/primitives/names.js";
import { type Dialect, type ValueType, valueType } from "./dialect.js";

export type InstructionOf<K extends ScalarInstruction["kind"]> = Extract<ScalarInstruction, { kind: K }>;

/**
 * How the leaves of a program are spelled where it is printed: each callback returns an expression of the instruction's value type
 * (narrow floats widened to f32, booleans as the dialect's bool). A callback that is left out forbids its instruction.
 */
export interface Leaves {
  /** The value of `accesses[access]` at the current point, zero outside its bounds. */
  load?(instruction: InstructionOf<"load">, position: number): string;
  /** `index` is the spelled index, already clamped to 0..limit-1. */
  indexed?(instruction: InstructionOf<"load_indexed">, index: string, position: number): string;
  index?(instruction: InstructionOf<"index">, position: number): string;
  accumulator?(instruction: InstructionOf<"accumulator">, position: number): string;
  /** The finished result of a `reduce`; what it folds is not printed. */
  reduce?(instruction: InstructionOf<"reduce">, position: number): string;
}

export interface PrintedScalars {
  /** One per instruction that is needed, in order. */
  readonly statements: readonly string[];
  /** How the value of an instruction is spelled: a name or a literal. Only for wanted instructions and what they need. */
  name(position: number): string;
}

/** Whether each instruction is needed for one that is wanted; `known` ones end the walk. */
export function reachable(
  program: ScalarProgram,
  wanted: readonly number[],
  known: ReadonlyMap<number, string> = new Map(),
): readonly boolean[] {
  const needed = new Array<boolean>(program.length).fill(false);
  for (const position of wanted) needed[position] = true;
  for (let position = program.length - 1; position >= 0; position--) {
    if (!needed[position] || known.has(position)) continue;
    for (const operand of operandsInPass(program[position]!)) needed[operand] = true;
  }
  return needed;
}

/**
 * Prints the instructions that `wanted` need. `known` gives the spelling of instructions computed before (hoisted, or in an earlier pass):
 * they are used, not printed. Locals are named `prefix` and the instruction's position.
 */
export function printScalars(
  program: ScalarProgram,
  wanted: readonly number[],
  leaves: Leaves,
  dialect: Dialect,
  options: { readonly prefix?: string; readonly known?: ReadonlyMap<number, string> } = {},
): PrintedScalars {
  const prefix = options.prefix ?? "v";
  const known = options.known ?? new Map<number, string>();
  const needed = reachable(program, wanted, known);
  const names = new Map<number, string>();
  const statements: string[] = [];
  const name = (position: number): string => {
    const spelled = known.get(position) ?? names.get(position);
    if (spelled === undefined) throw new Error(`instruction ${position} was not printed`);
    return spelled;
  };
  for (const [position, instruction] of program.entries()) {
    if (!needed[position] || known.has(position)) continue;
    const type = valueType(instruction.dtype);
    if (instruction.kind === "constant") {
      const literal = dialect.literal(instruction.value, type);
      if (dialect.variable && meetsOnlyConstants(program, position)) {
        statements.push(dialect.variable(`${prefix}${position}`, type, literal));
        names.set(position, `${prefix}${position}`);
      } else names.set(position, literal);
      continue;
    }
    const local = `${prefix}${position}`;
    statements.push(dialect.declare(local, type, expressionOf(program, position, name, leaves, dialect)));
    names.set(position, local);
  }
  return { statements, name };
}

/** Whether some instruction computes with this constant and nothing but constants. */
function meetsOnlyConstants(program: ScalarProgram, position: number): boolean {
  return program.some((instruction) => {
    const operands = operandsInPass(instruction);
    return operands.includes(position) && operands.every((operand) => program[operand]!.kind === "constant");
  });
}

function expressionOf(
  program: ScalarProgram,
  position: number,
  name: (position: number) => string,
  leaves: Leaves,
  dialect: Dialect,
): string {
  const instruction = program[position]!;
  const spelled = (leaf: string | undefined): string => {
    if (leaf === undefined) throw new Error(`a ${instruction.kind} instruction cannot stand in this part of a kernel`);
    return leaf;
  };
  switch (instruction.kind) {
    case "load":
      return spelled(leaves.load?.(instruction, position));
    case "constant":
      return dialect.literal(instruction.value, valueType(instruction.dtype));
    case "index":
      return spelled(leaves.index?.(instruction, position));
    case "accumulator":
      return spelled(leaves.accumulator?.(instruction, position));
    case "reduce":
      return spelled(leaves.reduce?.(instruction, position));
    case "unary":
      return unary(instruction.operation, name(instruction.operand), valueType(instruction.dtype), dialect);
    case "binary":
      return binary(program, instruction, name, dialect);
    case "select":
      return dialect.select(name(instruction.condition), name(instruction.then), name(instruction.otherwise));
    case "cast": {
      const from = program[instruction.operand]!.dtype;
      const [source, to] = [name(instruction.operand), valueType(instruction.dtype)];
      const saturates = valueType(from) === "f32" && (to === "i32" || to === "u32");
      const converted = saturates ? dialect.saturate(source, to) : dialect.convert(source, valueType(from), to);
      const narrow = instruction.dtype === "f16" || instruction.dtype === "bf16" ? instruction.dtype : undefined;
      return narrow && from !== narrow ? dialect.round(converted, narrow) : converted;
    }
    case "random":
      return `weft_${instruction.distribution}(${dialect.literal(instruction.key, "u32")}, ${[instruction.seed, instruction.step, instruction.row, instruction.element].map((operand) => asU32(program, operand, name, dialect)).join(", ")})`;
    case "load_indexed": {
      const index = `weft_clamp_index(${name(instruction.index)}, ${dialect.literal(instruction.limit, "i32")})`;
      return spelled(leaves.indexed?.(instruction, index, position));
    }
  }
}

function asU32(program: ScalarProgram, position: number, name: (position: number) => string, dialect: Dialect): string {
  return dialect.convert(name(position), valueType(program[position]!.dtype), "u32");
}

function unary(operation: UnaryName, x: string, type: ValueType, dialect: Dialect): string {
  const isFloat = type === "f32";
  switch (operation) {
    case "negate":
      return type === "i32" ? dialect.wrapping("-", "0", x) : `-${x}`;
    case "absolute":
      if (isFloat) return `${dialect.builtin.absolute}(${x})`;
      return dialect.select(`${x} < 0`, dialect.wrapping("-", "0", x), x);
    case "sign":
      return isFloat ? `weft_sign(${x})` : dialect.select(`${x} > 0`, "1", dialect.select(`${x} < 0`, "(-1)", "0"));
    case "floor":
      return `${dialect.builtin.floor}(${x})`;
    case "sqrt":
      return `${dialect.builtin.sqrt}(${x})`;
    case "not":
      return `${dialect.not}${x}`;
    case "exp":
    case "log":
    case "sin":
    case "cos":
    case "tanh":
    case "erf":
    case "rsqrt":
    case "logistic":
      return `weft_${operation}(${x})`;
  }
}

function binary(
  program: ScalarProgram,
  instruction: InstructionOf<"binary">,
  name: (position: number) => string,
  dialect: Dialect,
): string {
  const { operation } = instruction;
  const left = name(instruction.left);
  const right = name(instruction.right);
  const type = valueType(program[instruction.left]!.dtype);
  switch (operation) {
    case "add":
    case "subtract":
    case "multiply": {
      const operator = operators[operation];
      return type === "i32" ? dialect.wrapping(operator, left, right) : `${left} ${operator} ${right}`;
    }
    case "divide":
      return type === "f32" ? `${left} / ${right}` : `weft_divide_${type}(${left}, ${right})`;
    case "remainder":
      return `weft_remainder_${type}(${left}, ${right})`;
    case "power":
      return power(program, instruction, left, right, dialect);
    case "maximum":
    case "minimum":
      return type === "f32" ? `weft_${operation}(${left}, ${right})` : extremum(operation, left, right, dialect);
    case "equal":
      return `${left} == ${right}`;
    case "less":
      return `${left} < ${right}`;
    case "less_equal":
      return `${left} <= ${right}`;
    case "and":
      return `${left} ${dialect.and} ${right}`;
    case "or":
      return `${left} ${dialect.or} ${right}`;
  }
}

const operators = { add: "+", subtract: "-", multiply: "*" } as const;

function extremum(operation: BinaryName, left: string, right: string, dialect: Dialect): string {
  return dialect.select(`${left} ${operation === "maximum" ? ">" : "<"} ${right}`, left, right);
}

/** Powers with a small constant exponent are products and roots: exact where pow is, and many times cheaper. */
function power(
  program: ScalarProgram,
  instruction: InstructionOf<"binary">,
  x: string,
  y: string,
  dialect: Dialect,
): string {
  const exponent = program[instruction.right]!;
  if (valueType(instruction.dtype) !== "f32") return `weft_power_i32(${x}, ${y})`;
  switch (exponent.kind === "constant" ? exponent.value : undefined) {
    case 0:
      return dialect.literal(1, "f32");
    case 1:
      return x;
    case 2:
      return `${x} * ${x}`;
    case 3:
      return `${x} * ${x} * ${x}`;
    case 4:
      return `(${x} * ${x}) * (${x} * ${x})`;
    case -1:
      return `${dialect.literal(1, "f32")} / ${x}`;
    case -2:
      return `${dialect.literal(1, "f32")} / (${x} * ${x})`;
    default:
      return `weft_power(${x}, ${y})`;
  }
}
