/**
 * A program: plain JSON for one target. Segments of memory, kernels as text, and two launch lists. Nothing in it is an address.
 */
import type { Dtype } from "../src/graph/dtype.js";
import type { Shape } from "../src/graph/shape.js";
import type { ParameterLayout } from "../src/kernels/layout.js";
import type { ScalarName } from "../src/primitives/names.js";

export type SegmentName =
  | "parameters"
  | "gradients"
  | "optimizer"
  | "prepared"
  | "constants"
  | "inputs"
  | "outputs"
  | "scalars"
  | "scratch";

/** A named tensor inside a segment. */
export interface TensorPlace {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: Shape;
  /** Bytes from the segment's start, 256-aligned. */
  readonly offset: number;
}

export interface KernelText {
  /** Entry point; a checked identifier. */
  readonly name: string;
  readonly source: string;
}

export interface Binding {
  readonly segment: SegmentName;
  readonly offset: number;
  readonly bytes: number;
  readonly dtype: Dtype;
  readonly access: "read" | "write" | "update";
}

export interface Launch {
  /** Index into `kernels`. */
  readonly kernel: number;
  readonly bindings: readonly Binding[];
  /** Extents, strides and offsets: kernels take them as arguments so that few have to be compiled. */
  readonly integers: readonly number[];
  readonly floats: readonly number[];
  /** Independent units of work the launch may be cut into. */
  readonly units: number;
  /** Rough cost of the whole launch in nanoseconds on one thread; small launches are not worth cutting. */
  readonly cost: number;
  /** For profiles and errors: what it computes, and the line of Weft. */
  readonly label: string;
}

export interface Program {
  readonly formatVersion: 1;
  readonly target: string;
  readonly language: "c" | "graph" | "wgsl" | "cuda";
  /** Hash of source, settings, batch, target and compiler version. */
  readonly key: string;
  readonly batch: number;
  readonly segments: Readonly<Record<SegmentName, number>>;
  readonly parameters: ParameterLayout;
  readonly inputs: readonly TensorPlace[];
  readonly outputs: readonly TensorPlace[];
  readonly scalars: readonly { readonly name: ScalarName; readonly dtype: Dtype; readonly offset: number }[];
  /** Contents of `constants`. */
  readonly constants: readonly { readonly dtype: Dtype; readonly offset: number; readonly values: readonly number[] }[];
  readonly kernels: readonly KernelText[];
  /** Rerun when the parameters it reads changed. */
  readonly prepare: readonly Launch[];
  readonly step: readonly Launch[];
  /** The graphs' text, for the reference device and for tools: forward and backward first, then the optimiser. */
  readonly graphs: readonly string[];
}
