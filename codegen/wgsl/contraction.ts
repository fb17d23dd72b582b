import type { Buffer, ContractionKernel } from "../../src/kernels/record.js";
import type { EmittedKernel } from "../emitted.js";

export function emitContraction(_record: ContractionKernel, _buffers: readonly Buffer[]): readonly EmittedKernel[] {
  throw new Error("not written yet");
}
