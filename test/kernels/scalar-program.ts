/** Evaluates scalar programs at all points of a space at once, in float64. */
import type { Dtype } from "../../src/graph/dtype.js";
import type { Reduction, ScalarProgram } from "../../src/kernels/scalar.js";
import type { BinaryName, UnaryName } from "../../src/primitives/names.js";
import { normalsFromWords, philox, uniformFromWord } from "../../src/primitives/philox.js";
import type { ReferenceEnvironment } from "../../src/primitives/primitive.js";
import { primitiveOf } from "../../src/primitives/registry.js";
import { affine, pointCount } from "./points.js";

export interface ProgramContext {
  /** Values of `accesses[access]` at every point, with `extra` added to its offset. */
  load(access: number, extra?: Float64Array): Float64Array;
  /** Contractions: the finished sums. */
  readonly accumulator?: Float64Array;
  /** Reductions: points per row; rows are contiguous. */
  readonly row?: { readonly length: number };
}

const environment: ReferenceEnvironment = {
  leaf() {
    throw new Error("scalar programs have no leaves");
  },
};

/** Applies an elementwise primitive to columns of numbers, by its own reference evaluation. */
function apply(
  name: UnaryName | BinaryName | "select" | "cast",
  operands: readonly { readonly dtype: Dtype; readonly data: Float64Array }[],
  dtype: Dtype,
): Float64Array {
  const shape = [operands[0]!.data.length];
  const tensors = operands.map((operand) => ({ type: { dtype: operand.dtype, shape }, data: operand.data }));
  const node = { primitive: name, inputs: [], outputs: [0], attributes: { dtype } } as never;
  return primitiveOf(name).evaluate(tensors, { dtype } as never, [{ dtype, shape }], environment, node)[0]!;
}

/** Values of every instruction at every point of `extents`. Throws when an operand does not come earlier. */
export function runProgram(
  program: ScalarProgram,
  extents: readonly number[],
  context: ProgramContext,
): Float64Array[] {
  const count = pointCount(extents);
  const values: Float64Array[] = [];
  const operand = (index: number) => {
    const data = values[index];
    if (!data) throw new Error(`instruction ${values.length} uses ${index}, which is not earlier`);
    return { dtype: program[index]!.dtype, data };
  };
  for (const instruction of program) {
    const { dtype } = instruction;
    const value = ((): Float64Array => {
      switch (instruction.kind) {
        case "load":
          return context.load(instruction.access);
        case "load_indexed": {
          const { stride, limit } = instruction;
          const extra = operand(instruction.index).data.map((at) => Math.min(Math.max(at, 0), limit - 1) * stride);
          return context.load(instruction.access, extra);
        }
        case "constant":
          return new Float64Array(count).fill(instruction.value);
        case "index":
          return affine(extents, instruction.offset, instruction.strides);
        case "accumulator":
          if (!context.accumulator) throw new Error("there is no accumulator here");
          return context.accumulator;
        case "reduce":
          if (!context.row) throw new Error("nothing is reduced here");
          return reduceRows(instruction.reduction, operand(instruction.operand).data, context.row.length, dtype);
        case "unary":
          return apply(instruction.operation, [operand(instruction.operand)], dtype);
        case "binary":
          return apply(instruction.operation, [operand(instruction.left), operand(instruction.right)], dtype);
        case "select": {
          const { condition, then, otherwise } = instruction;
          return apply("select", [operand(condition), operand(then), operand(otherwise)], dtype);
        }
        case "cast":
          return apply("cast", [operand(instruction.operand)], dtype);
        case "random": {
          const [seed, step] = [operand(instruction.seed).data, operand(instruction.step).data];
          const [row, element] = [operand(instruction.row).data, operand(instruction.element).data];
          return seed.map((start, point) => {
            const counter = [element[point]! >>> 2, row[point]!, step[point]!, 0] as const;
            const words = philox(counter, [start, instruction.key]);
            const lane = element[point]! & 3;
            if (instruction.distribution === "uniform") return uniformFromWord(words[lane]!);
            return [...normalsFromWords(words[0], words[1]), ...normalsFromWords(words[2], words[3])][lane]!;
          });
        }
      }
    })();
    values.push(value);
  }
  return values;
}

function reduceRows(reduction: Reduction, data: Float64Array, length: number, dtype: Dtype): Float64Array {
  const result = new Float64Array(data.length);
  for (let start = 0; start < data.length; start += length) {
    const row = data.subarray(start, start + length);
    let folded = reduction === "sum" || reduction === "argmax" ? 0 : row[0]!;
    row.forEach((element, index) => {
      switch (reduction) {
        case "sum":
          folded += element;
          break;
        case "maximum":
          folded = Math.max(folded, element);
          break;
        case "minimum":
          folded = Math.min(folded, element);
          break;
        case "argmax":
          if (element > row[folded]!) folded = index;
          break;
      }
    });
    if (reduction === "sum" && dtype === "i32") folded |= 0;
    if (reduction === "sum" && dtype === "u32") folded >>>= 0;
    result.fill(folded, start, start + length);
  }
  return result;
}
