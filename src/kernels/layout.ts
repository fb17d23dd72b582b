import type { Dtype } from "../graph/dtype.js";
import type { Shape } from "../graph/shape.js";

/** Every offset in a segment is a multiple of this many bytes. */
export const segmentAlignment = 256;

export interface ParameterPlace {
  readonly path: string;
  readonly dtype: Dtype;
  readonly shape: Shape;
  /** Bytes from the start of the `parameters` segment; `gradients` has the same layout, and `optimizer` holds it once per state. */
  readonly offset: number;
}

/** The `parameters` segment of a model: ordered by path, so that a submodule is one contiguous stretch. */
export interface ParameterLayout {
  readonly places: readonly ParameterPlace[];
  readonly bytes: number;
}

/** Where the planner put each buffer of a kernel list: byte offsets inside the segment that its home names. */
export interface MemoryPlan {
  readonly offsets: readonly number[];
  /** Bytes of scratch needed at once, and the largest sum of live scratch buffers (a lower bound of it). */
  readonly scratchBytes: number;
  readonly lowerBound: number;
  readonly preparedBytes: number;
  readonly constantBytes: number;
}
