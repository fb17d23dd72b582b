import type { Buffer, ScatterAddKernel } from "../../src/kernels/record.js";
import type { EmittedKernel } from "../emitted.js";

export function emitScatterAdd(_record: ScatterAddKernel, _buffers: readonly Buffer[]): readonly EmittedKernel[] {
  throw new Error("not written yet");
}
