/**
 * Kernel records: the end of the compiler proper. `fuse` groups graph nodes into records, `plan` gives their buffers places, and
 * a target's code generator turns each record into a kernel. A record says what is computed and where it is read and written;
 * how (tiles, vector widths, threads) is the target's schedule.
 */
import type { Dtype } from "../graph/dtype.js";
import type { Origin } from "../graph/node.js";
import type { ScalarName } from "../primitives/names.js";
import type { ScalarProgram } from "./scalar.js";

/** Index into `KernelList.buffers`. */
export type BufferId = number;

/** Where a buffer lives. Offsets inside `parameters`, `gradients` and `optimizer` follow the parameter layout. */
export type BufferHome =
  | { readonly segment: "parameters"; readonly path: string }
  | { readonly segment: "gradients"; readonly path: string }
  /** A flat stretch of a segment; offset in elements. */
  | { readonly segment: "range"; readonly of: "parameters" | "gradients" | "optimizer"; readonly offset: number }
  | { readonly segment: "inputs"; readonly name: string }
  | { readonly segment: "outputs"; readonly name: string }
  | { readonly segment: "scalars"; readonly name: ScalarName }
  | { readonly segment: "constants"; readonly values: readonly number[] }
  | { readonly segment: "prepared" }
  | { readonly segment: "scratch" };

/** A stretch of memory holding `elements` numbers. Values of the graph are stored contiguous and row-major unless fused into a larger buffer. */
export interface Buffer {
  readonly dtype: Dtype;
  readonly elements: number;
  readonly home: BufferHome;
}

/**
 * A strided view of a buffer over a kernel's iteration space: element offset + sum of strides[d] * coordinate d. Strides are in
 * elements, may be zero (broadcast) or negative, one for each dimension of the space the access stands in.
 */
export interface Access {
  readonly buffer: BufferId;
  readonly offset: number;
  readonly strides: readonly number[];
  /**
   * Extent mask (from `pad`): the point is inside when for every bound 0 <= offset + sum of strides[d] * coordinate d < size; outside, a
   * load gives zero. Absent on stores.
   */
  readonly bounds?: readonly { readonly offset: number; readonly strides: readonly number[]; readonly size: number }[];
}

/** Writes the value of instruction `value` to a view. */
export interface Store {
  readonly access: Access;
  readonly value: number;
}

interface RecordBase {
  /** Paths and spans of the nodes that were fused, the most telling first. */
  readonly origins: readonly Origin[];
  /** Names of the primitives fused, for profiles and the graph printer. */
  readonly label: string;
}

/** For every point of `extents`: runs `body`, then the stores. */
export interface ElementwiseKernel extends RecordBase {
  readonly archetype: "elementwise";
  readonly extents: readonly number[];
  readonly accesses: readonly Access[];
  readonly body: ScalarProgram;
  readonly stores: readonly Store[];
}

/**
 * Rows times reduced dimensions: `extents` are the row dimensions followed by `reduced` reduced ones. `reduce` instructions fold over the
 * reduced dimensions; what depends on one is computed in a later pass over the row (so softmax and norms are one record). A store whose
 * value is per row (depends on coordinates of row dimensions and reduce results only) has zero strides on the reduced dimensions and is
 * written once per row; other stores are written for every point, in the last pass.
 */
export interface ReductionKernel extends RecordBase {
  readonly archetype: "reduction";
  readonly extents: readonly number[];
  /** Number of trailing dimensions of `extents` that are reduced; at least 1. */
  readonly reduced: number;
  readonly accesses: readonly Access[];
  readonly body: ScalarProgram;
  readonly stores: readonly Store[];
}

/** An operand of a product: a view, or an elementwise prologue over views. */
export interface Operand {
  readonly accesses: readonly Access[];
  /** The last instruction is the operand's value, f32. A plain view is a single `load`. */
  readonly body: ScalarProgram;
}

/** One product that adds into the accumulator. Both operands' accesses have strides for [...batch, ...rows, ...columns, ...reduced]. */
export interface Product {
  /** Extents of the reduced dimensions. */
  readonly reduced: readonly number[];
  /** Depends on batch, rows, reduced (zero strides on columns). */
  readonly lhs: Operand;
  /** Depends on batch, columns, reduced (zero strides on rows). */
  readonly rhs: Operand;
}

/**
 * accumulator[batch, row, column] = sum over products of sum over reduced of lhs * rhs, in f32; then `epilogue` and its stores for every
 * (batch, row, column). Accesses of the epilogue have strides for [...batch, ...rows, ...columns].
 */
export interface ContractionKernel extends RecordBase {
  readonly archetype: "contraction";
  readonly batch: readonly number[];
  readonly rows: readonly number[];
  readonly columns: readonly number[];
  readonly products: readonly Product[];
  readonly accesses: readonly Access[];
  readonly epilogue: ScalarProgram;
  readonly stores: readonly Store[];
}

/** Plain views only. Strides: q, o: [...batch, head, n, channel]; k, v: [...batch, head, m, channel] (the head of q; grouped heads repeat by construction of `group`). */
interface AttentionBase extends RecordBase {
  readonly batch: readonly number[];
  /** Query heads; `group` of them share one key and value head. */
  readonly heads: number;
  readonly group: number;
  readonly queries: number;
  readonly keys: number;
  /** Width of q and k. */
  readonly width: number;
  /** Width of v and o. */
  readonly valueWidth: number;
  readonly scale: number;
  /** [...batch, head, query, channel] */
  readonly q: Access;
  /** [...batch, key head, key, channel] */
  readonly k: Access;
  readonly v: Access;
  /** [...batch, head, query, key]; bool, true: may attend. */
  readonly mask?: Access;
  readonly output: Access;
  /** [...batch, head, query] */
  readonly logSum: Access;
}

/** See primitive `attention`. */
export interface AttentionKernel extends AttentionBase {
  readonly archetype: "attention";
}

/** See primitive `attention_backward`; reads output, logSum and cotangent. */
export interface AttentionBackwardKernel extends AttentionBase {
  readonly archetype: "attention_backward";
  readonly cotangent: Access;
  /** Written: as q, k, v. */
  readonly dq: Access;
  readonly dk: Access;
  readonly dv: Access;
}

/**
 * target[batch, index, rest] = sum of updates whose index, clamped to 0..size-1 as gather does, equals `index`; the target is zeroed first.
 * Sums run in the order of the updates.
 */
export interface ScatterAddKernel extends RecordBase {
  readonly archetype: "scatter_add";
  readonly batch: readonly number[];
  /** Number of updates per batch (all index dimensions joined). */
  readonly updates: readonly number[];
  readonly size: number;
  readonly rest: readonly number[];
  /** [...batch, ...updates] */
  readonly indices: Access;
  /** [...batch, ...updates, ...rest] */
  readonly source: Access;
  /** [...batch, size, ...rest] */
  readonly target: Access;
}

/** order[batch, i] = the place of the i-th smallest of `length` keys, equal ones in the order they stand; -0 equals 0, NaN comes last. */
export interface SortKernel extends RecordBase {
  readonly archetype: "sort";
  readonly batch: readonly number[];
  readonly length: number;
  /** [...batch, length]; floats or i32. */
  readonly keys: Access;
  /** [...batch, length]; i32. */
  readonly order: Access;
}

/**
 * Products of rows by group. Rows and groups are numbered row-major over `rows` and `groups`. `order` lists the rows group after group; those of
 * group g stand at offsets[g] ..< offsets[g + 1]. Sizes of groups are known only there, in memory.
 */
interface GroupedBase extends RecordBase {
  readonly rows: readonly number[];
  readonly groups: readonly number[];
  /** Dimensions of one row's product: those of both operands and the result, of lhs only, of rhs only, and those that are summed. */
  readonly batch: readonly number[];
  readonly lines: readonly number[];
  readonly columns: readonly number[];
  readonly reduced: readonly number[];
  /** [number of rows]; i32. */
  readonly order: Access;
  /** [number of groups + 1]; i32, ascending from 0 to the number of rows. */
  readonly offsets: Access;
  /** [...rows, ...batch, ...lines, ...reduced] */
  readonly lhs: Access;
}

/** output[row, batch, line, column] = sum over reduced of lhs[row, ...] * rhs[group of the row, ...]. */
export interface GroupedContractionKernel extends GroupedBase {
  readonly archetype: "grouped_contraction";
  /** [...groups, ...batch, ...columns, ...reduced] */
  readonly rhs: Access;
  /** [...rows, ...batch, ...lines, ...columns] */
  readonly output: Access;
}

/** output[group, batch, line, column] = sum over the group's rows and over reduced of lhs[row, ...] * rhs[row, ...]; rows in order. */
export interface GroupedSumKernel extends GroupedBase {
  readonly archetype: "grouped_sum";
  /** [...rows, ...batch, ...columns, ...reduced] */
  readonly rhs: Access;
  /** [...groups, ...batch, ...lines, ...columns] */
  readonly output: Access;
}

export type KernelRecord =
  | ElementwiseKernel
  | ReductionKernel
  | ContractionKernel
  | AttentionKernel
  | AttentionBackwardKernel
  | ScatterAddKernel
  | SortKernel
  | GroupedContractionKernel
  | GroupedSumKernel;

/** What `fuse` yields: kernels in order of execution, over buffers that have no place yet. */
export interface KernelList {
  readonly buffers: readonly Buffer[];
  readonly kernels: readonly KernelRecord[];
  /** Why neighbouring nodes were not fused, for `weft graph --after fused` and for tuning. */
  readonly refusals: readonly { readonly kernel: number; readonly node: string; readonly reason: string }[];
}
