import type { AttentionBackwardKernel, AttentionKernel, Buffer } from "../../src/kernels/record.js";
import type { EmittedKernel } from "../emitted.js";

export function emitAttention(_record: AttentionKernel, _buffers: readonly Buffer[]): readonly EmittedKernel[] {
  throw new Error("not written yet");
}

export function emitAttentionBackward(
  _record: AttentionBackwardKernel,
  _buffers: readonly Buffer[],
): readonly EmittedKernel[] {
  throw new Error("not written yet");
}
