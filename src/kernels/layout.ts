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
 * The least that a device which cuts segments binds at once. Those that bind more cut only where it cuts too, so what is compiled for it
 * can be bound on all.
 */
const commonPiece = 128 << 20;

/**
 * Where a device that can bind at most `bytes` (a multiple of 256) of a buffer at once cuts `parameters`, `gradients` and every state of
 * `optimizer` into buffers: byte offsets, ascending from 0, each the start of a tensor. A cut is made only before what would not fit
 * whole: a tensor or, where a buffer holds more than a common piece, what stands in one. Throws an Error that names a tensor larger than
 * `bytes`.
 */
export function parameterChunks(layout: ParameterLayout, bytes: number): readonly number[] {
  const tensors = layout.places
    .toSorted((a, b) => a.offset - b.offset)
    .map(({ path, dtype, shape, offset }) => {
      const size = bytesPerElement[dtype] * elementCount(shape);
      if (size > bytes) {
        throw new Error(
          `Parameter ${JSON.stringify(path)} has ${size} bytes, but at most ${bytes} can be bound at once`,
        );
      }
      return { start: offset, end: offset + size };
    });
  return joined(joined(tensors, Math.min(bytes, commonPiece)), bytes).map(({ start }) => start);
}

interface Stretch {
  readonly start: number;
  readonly end: number;
}

/** Neighbours put together as long as they come to no more than `bytes`; the first starts at 0. */
function joined(stretches: readonly Stretch[], bytes: number): readonly Stretch[] {
  const pieces: Stretch[] = [{ start: 0, end: 0 }];
  for (const { start, end } of stretches) {
    const last = pieces.at(-1)!;
    if (end > last.start + bytes) pieces.push({ start, end });
    else pieces[pieces.length - 1] = { start: last.start, end };
  }
  return pieces;
}

/**
 * The largest buffers into which a device that binds at most `bytesPerBinding` at once cuts the segments of one program (all but
 * `parameters`, `gradients` and `optimizer`): at multiples of this many bytes, which no tensor may straddle.
 */
export function pieceBytes(bytesPerBinding: number): number {
  const unit = bytesPerBinding < commonPiece ? segmentAlignment : commonPiece;
  return Math.floor(bytesPerBinding / unit) * unit;
}

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
