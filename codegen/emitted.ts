import type { Dtype } from "../src/graph/dtype.js";
import type { BufferId } from "../src/kernels/record.js";

/** What a kernel does with a binding; a value changed in place is one binding with `update`. */
export type BindingAccess = "read" | "write" | "update";

/**
 * A binding of an emitted kernel: a buffer of the kernel list, or scratch of the emitter's own that lives only between the kernels of
 * one record (partial sums). Private scratch of different records shares one stretch of memory. Offsets and sizes in bytes, 256-aligned.
 */
export type EmittedBinding =
  | { readonly buffer: BufferId; readonly access: BindingAccess }
  | {
      readonly private: { readonly offset: number; readonly bytes: number; readonly dtype: Dtype };
      readonly access: BindingAccess;
    };

/** A kernel as a target's emitter leaves it, before it has a name and its buffers have places. */
export interface EmittedKernel {
  /** Text with one entry point named KERNEL. Equal sources are compiled once. */
  readonly source: string;
  /** In the order in which the kernel numbers them. */
  readonly bindings: readonly EmittedBinding[];
  readonly integers: readonly number[];
  readonly floats: readonly number[];
  /** Independent units of work the launch may be cut into; workgroups on a GPU. */
  readonly units: number;
  /** Rough cost of all units in nanoseconds on one thread. */
  readonly cost: number;
}
