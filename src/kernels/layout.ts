import { bytesPerElement, type Dtype } from "../graph/dtype.js";
import { elementCount, type Shape } from "../graph/shape.js";

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

/**
 * Where a device that can bind at most `bytes` (a multiple of 256) of a buffer at once cuts `parameters`, `gradients` and every state of
 * `optimizer` into buffers: byte offsets, ascending from 0, each the start of a tensor. A cut is made only before the first tensor that
 * would not fit whole. Throws an Error that names a tensor larger than `bytes`.
 */
export function parameterChunks(layout: ParameterLayout, bytes: number): readonly number[] {
  const starts = [0];
  for (const { path, dtype, shape, offset } of layout.places.toSorted((a, b) => a.offset - b.offset)) {
    const size = bytesPerElement[dtype] * elementCount(shape);
    if (size > bytes) {
      throw new Error(`Parameter ${JSON.stringify(path)} has ${size} bytes, but at most ${bytes} can be bound at once`);
    }
    if (offset + size > starts.at(-1)! + bytes) starts.push(offset);
  }
  return starts;
}

/**
 * The largest buffers into which a device that binds at most `bytesPerBinding` at once cuts the segments of one program (all but
 * `parameters`, `gradients` and `optimizer`): at multiples of this many bytes, which no tensor may straddle.
 */
export const pieceBytes = (bytesPerBinding: number): number =>
  Math.floor(bytesPerBinding / segmentAlignment) * segmentAlignment;

/** The first offset from `offset` on where so many bytes lie in one piece. Throws an Error for more than a piece. */
export function withinPiece(offset: number, bytes: number, piece: number): number {
  if (bytes > piece) throw new Error(`${bytes} bytes do not fit into a piece of ${piece}`);
  return Math.floor(offset / piece) === Math.floor((offset + bytes - 1) / piece) || bytes === 0
    ? offset
    : Math.ceil(offset / piece) * piece;
}

/** Where the planner put each buffer of a kernel list: byte offsets inside the segment that its home names. */
export interface MemoryPlan {
  readonly offsets: readonly number[];
  /** No tensor straddles a multiple of this many bytes, apart from what follows the parameter layout. */
  readonly pieceBytes: number;
  /** Bytes of scratch needed at once, and the largest sum of live scratch buffers (a lower bound of it). */
  readonly scratchBytes: number;
  readonly lowerBound: number;
  readonly preparedBytes: number;
  readonly constantBytes: number;
}
