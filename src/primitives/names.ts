/**
 * The primitives of the graph and their attributes. One way to say a thing: elementwise primitives take operands of equal shape
 * (broadcasting is a node of its own), reductions drop the axes they reduce, contractions are einsums.
 */
import type { Dtype } from "../graph/dtype.js";
import type { Shape } from "../graph/shape.js";

/** Elementwise, one float operand (`not`: bool; `negate`, `absolute`, `sign`: also i32). */
export type UnaryName =
  | "negate"
  | "absolute"
  | "sign"
  | "floor"
  | "exp"
  | "log"
  | "sin"
  | "cos"
  | "tanh"
  | "erf"
  | "sqrt"
  | "rsqrt"
  | "logistic"
  | "not";

/**
 * Elementwise, two operands of one dtype. Integer `divide` floors, so does `remainder` (the sign is the divisor's; floats too).
 * Integers wrap to 32 bits. Comparisons yield bool; `and`, `or` take bool.
 */
export type BinaryName =
  | "add"
  | "subtract"
  | "multiply"
  | "divide"
  | "power"
  | "maximum"
  | "minimum"
  | "remainder"
  | "equal"
  | "less"
  | "less_equal"
  | "and"
  | "or";

export type ScalarName = "seed" | "step" | "learning_rate" | "row_offset";

/** Axes of a contraction are labelled by small integers; an operand's i-th axis carries label `lhs[i]`. */
export interface ContractionAttributes {
  readonly lhs: readonly number[];
  readonly rhs: readonly number[];
  /**
   * Labels of the output. In both operands and here: batch. In one operand and here: rows (lhs) or columns (rhs). In both
   * operands and not here: reduced. A label in one operand only must be here.
   */
  readonly out: readonly number[];
}

/**
 * Axes of a grouped product, as of a contraction: those of one row of each operand that has rows, and those of one group's weights. Labels say
 * nothing of the axis of rows and of the axes of groups, which stand in front.
 */
export interface GroupedAttributes extends ContractionAttributes {}

interface StructuredAttributes {
  // ---- leaves
  /** A tensor handed in by the caller. `perInstance`: has one value per instance (the batch pass adds the leading axis). */
  readonly input: {
    readonly name: string;
    readonly dtype: Dtype;
    readonly shape: Shape;
    readonly perInstance: boolean;
  };
  /** A stored tensor of the model, by path. */
  readonly parameter: { readonly path: string; readonly dtype: Dtype; readonly shape: Shape };
  /** A flat stretch of a memory segment, read and updated by optimiser graphs. `offset` in elements of `dtype` from the segment's start. */
  readonly range: {
    readonly name: string;
    readonly segment: "parameters" | "gradients" | "optimizer";
    readonly offset: number;
    readonly dtype: Dtype;
    readonly shape: Shape;
  };
  /** A number that changes between submissions. seed and step: u32 []; learning_rate: f32 []; row_offset: i32 [] (global row of instance 0). */
  readonly scalar: { readonly name: ScalarName };
  /** Every element equals `value` (bool: 0 or 1). */
  readonly constant: { readonly dtype: Dtype; readonly shape: Shape; readonly value: number };
  /** A small literal tensor, row-major. */
  readonly table: { readonly dtype: Dtype; readonly shape: Shape; readonly values: readonly number[] };
  /** i32: the index along `axis`. */
  readonly iota: { readonly shape: Shape; readonly axis: number };
  /** i32 []: the instance's row in the global batch; batched: [instances]. */
  readonly instance_index: Record<string, never>;
  // ---- across instances
  /**
   * The operand of every instance of the batch, [size, ...shape]: the same for all instances, so the batch pass puts its batched operand in its
   * place. In the graph of one instance all others are like it.
   */
  readonly gather_instances: { readonly size: number };
  // ---- random
  /**
   * Inputs seed (u32 []), step (u32 []), row (i32 [], batched: [b]). Philox-4x32-10, key (seed, key), counter (element / 4, row, step, 0);
   * uniform in [0, 1) from the upper 24 bits, normal by Box-Muller. Output shape is `shape`, batched: [b, ...shape].
   */
  readonly random: { readonly distribution: "uniform" | "normal"; readonly key: number; readonly shape: Shape };
  // ---- elementwise with attributes
  /** Floats to integers drop the fraction and saturate (NaN: 0); i32 and u32 exchange bits; not 0 is true. */
  readonly cast: { readonly dtype: Dtype };
  /** Inputs condition (bool), then, otherwise; equal shapes. */
  readonly select: Record<string, never>;
  /** The identity; no gradient passes. */
  readonly stop_gradient: Record<string, never>;
  // ---- movement
  readonly reshape: { readonly shape: Shape };
  /** Output axis i is input axis permutation[i]. */
  readonly transpose: { readonly permutation: readonly number[] };
  /** Input axis i becomes output axis axes[i] (ascending, equal sizes); the other output axes repeat. */
  readonly broadcast: { readonly shape: Shape; readonly axes: readonly number[] };
  readonly slice: {
    readonly starts: readonly number[];
    readonly limits: readonly number[];
    readonly steps: readonly number[];
  };
  /** Zeros (false) before, after and between (`interior`) the elements of each axis. */
  readonly pad: {
    readonly low: readonly number[];
    readonly high: readonly number[];
    readonly interior: readonly number[];
  };
  /** One or more inputs joined along `axis`. */
  readonly concat: { readonly axis: number };
  // ---- reductions (the axes are dropped; ascending)
  readonly reduce_sum: { readonly axes: readonly number[] };
  readonly reduce_max: { readonly axes: readonly number[] };
  readonly reduce_min: { readonly axes: readonly number[] };
  /** i32, first of equals. */
  readonly argmax: { readonly axis: number };
  // ---- products
  readonly contraction: ContractionAttributes;
  /**
   * Inputs q [..., h, n, d], k [..., g, m, d], v [..., g, m, e], and with `masked` a mask (bool [..., h or 1, n, m], true: may attend);
   * equal leading axes; g divides h. Outputs o [..., h, n, e] and the log of the sum of exponentials [..., h, n]. A row that
   * may attend nowhere gives zero (and log-sum 0).
   */
  readonly attention: { readonly scale: number; readonly masked: boolean };
  /** Inputs q, k, v, (mask,) o, log-sum, cotangent of o. Outputs the cotangents of q, k, v. */
  readonly attention_backward: { readonly scale: number; readonly masked: boolean };
  /**
   * Inputs rows [n, ...], weights [G..., ...] with `groups` axes G in front, index i32 [n]: the group of each row, counted row-major over G and
   * clamped. Output [n, ...]: each row's product with the weights of its group. Kernels go by the rows' order instead: two further inputs,
   * i32 [n] and i32 [groups + 1], list the rows group after group and say where each group starts (see passes/order-rows.ts).
   */
  readonly grouped_contraction: GroupedAttributes & { readonly groups: number };
  /**
   * Inputs x [n, ...], y [n, ...], index i32 [n] (and the order, as above). Output [...groups, ...]: for each group the sum of the products of
   * its rows; zero where it has none.
   */
  readonly grouped_sum: GroupedAttributes & { readonly groups: Shape };
  // ---- by index
  /** Input floats or i32 [..., n]; output i32 [..., n]: the places along the last axis in ascending order of their numbers, equal ones in the order they stand (-0 equals 0, NaN comes last). */
  readonly argsort: Record<string, never>;
  /** Inputs table [B..., v, rest...], indices i32 [B..., I...] with `batch` leading axes in common; output [B..., I..., rest...]. Indices are clamped. */
  readonly gather: { readonly batch: number };
  /** Inputs updates [B..., I..., rest...], indices i32 [B..., I...]; output [B..., size, rest...]: sums of the rows of each index. Indices are clamped. */
  readonly scatter_add: { readonly batch: number; readonly size: number };
}

export type AttributesOf = StructuredAttributes & { readonly [P in UnaryName | BinaryName]: Record<string, never> };

export type PrimitiveName = keyof AttributesOf;
