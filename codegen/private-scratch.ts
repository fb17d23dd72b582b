/** Scratch of an emitter's own that lives between the kernels of one record. */
import { bytesPerElement } from "../src/graph/dtype.js";
import type { Buffer } from "../src/kernels/record.js";
import type { EmittedBinding, EmittedKernel } from "./emitted.js";

/** Bytes a stretch of elements takes, rounded up to whole 256-byte lines. */
const alignedBytes = ({ dtype, elements }: Buffer): number =>
  Math.ceil((bytesPerElement[dtype] * elements) / 256) * 256;

/**
 * Kernels that were emitted over the list's `count` buffers followed by `added` ones: the bindings of the added ones become private
 * scratch, one stretch after the other.
 */
export function withPrivateScratch(
  kernels: readonly EmittedKernel[],
  count: number,
  added: readonly Buffer[],
): readonly EmittedKernel[] {
  let end = 0;
  const places = added.map((buffer) => {
    const place = { offset: end, bytes: alignedBytes(buffer), dtype: buffer.dtype };
    end += place.bytes;
    return place;
  });
  const moved = (binding: EmittedBinding): EmittedBinding =>
    "buffer" in binding && binding.buffer >= count
      ? { private: places[binding.buffer - count]!, access: binding.access }
      : binding;
  return kernels.map((kernel) => ({ ...kernel, bindings: kernel.bindings.map(moved) }));
}
