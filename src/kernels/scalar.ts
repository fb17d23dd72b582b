/**
 * The scalar programs inside kernels: what is computed for one point of a kernel's iteration space. A list of instructions in
 * order; an operand is the index of an earlier instruction. Every instruction has a dtype.
 */
import type { Dtype } from "../graph/dtype.js";
import type { BinaryName, UnaryName } from "../primitives/names.js";

export type ScalarInstruction =
  /** Reads `accesses[access]` of the kernel at the current point; outside its bounds, zero (false). */
  | { readonly kind: "load"; readonly access: number; readonly dtype: Dtype }
  | { readonly kind: "constant"; readonly value: number; readonly dtype: Dtype }
  /** Affine in the point's coordinates: offset + sum of strides[d] * coordinate d; i32. */
  | { readonly kind: "index"; readonly offset: number; readonly strides: readonly number[]; readonly dtype: "i32" }
  /** Contractions: the finished sum at this (batch, row, column), f32. Only in epilogues. */
  | { readonly kind: "accumulator"; readonly dtype: Dtype }
  /** Reductions: folds `operand` over the reduced dimensions; the result is one number per row. `argument` yields the i32 index. */
  | { readonly kind: "reduce"; readonly reduction: Reduction; readonly operand: number; readonly dtype: Dtype }
  | { readonly kind: "unary"; readonly operation: UnaryName; readonly operand: number; readonly dtype: Dtype }
  | {
      readonly kind: "binary";
      readonly operation: BinaryName;
      readonly left: number;
      readonly right: number;
      readonly dtype: Dtype;
    }
  | {
      readonly kind: "select";
      readonly condition: number;
      readonly then: number;
      readonly otherwise: number;
      readonly dtype: Dtype;
    }
  | { readonly kind: "cast"; readonly operand: number; readonly dtype: Dtype }
  /** See primitive `random`: operands seed (u32), step (u32), row (i32), element (i32, index within the instance's draw). */
  | {
      readonly kind: "random";
      readonly distribution: "uniform" | "normal";
      readonly key: number;
      readonly seed: number;
      readonly step: number;
      readonly row: number;
      readonly element: number;
      readonly dtype: "f32";
    }
  /** Reads `accesses[access]` with `index` (i32, clamped to 0..limit-1) times `stride` added to the offset: a gather. */
  | {
      readonly kind: "load_indexed";
      readonly access: number;
      readonly index: number;
      readonly stride: number;
      readonly limit: number;
      readonly dtype: Dtype;
    };

export type Reduction = "sum" | "maximum" | "minimum" | "argmax";

export type ScalarProgram = readonly ScalarInstruction[];
