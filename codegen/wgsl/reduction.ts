import type { Buffer, ReductionKernel } from "../../src/kernels/record.js";
import type { EmittedKernel } from "../emitted.js";

export function emitReduction(_record: ReductionKernel, _buffers: readonly Buffer[]): readonly EmittedKernel[] {
  throw new Error("not written yet");
}
