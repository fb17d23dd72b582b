import type { Dtype } from "./graph/dtype.js";

/** A target as data, so that everything builds for a device that is not there. */
export interface Target {
  readonly name: string;
  /** Which code generator prints its kernels. */
  readonly language: "graph" | "c" | "wgsl" | "cuda";
  readonly dtypes: readonly Dtype[];
  /** Number of f32 lanes of a vector register. */
  readonly vectorWidth: number;
  /** Threads that run one kernel. */
  readonly threads: number;
  readonly limits: {
    /** Distinct buffers one kernel may bind. */
    readonly buffersPerKernel: number;
    readonly bytesPerBinding: number;
    /** Channels of a head that its attention kernels take; any number where it does not say. */
    readonly attentionWidth?: number;
  };
  readonly cacheBytes: { readonly level1: number; readonly level2: number };
  /** Whether contraction operands pass through registers when they are packed, so that a prologue costs nothing more. */
  readonly contractionPrologue: boolean;
}

/** The reference interpreter: runs the graph itself, in float64. */
export const referenceTarget: Target = {
  name: "reference",
  language: "graph",
  dtypes: ["f64", "f32", "i32", "u32", "bool"],
  vectorWidth: 1,
  threads: 1,
  limits: { buffersPerKernel: Number.MAX_SAFE_INTEGER, bytesPerBinding: Number.MAX_SAFE_INTEGER },
  cacheBytes: { level1: 0, level2: 0 },
  contractionPrologue: true,
};
