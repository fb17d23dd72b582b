/** One emitter per archetype. */
import type { Buffer, KernelRecord } from "../../src/kernels/record.js";
import type { EmittedKernel } from "../emitted.js";
import { emitAttention } from "./attention.js";
import { emitAttentionBackward } from "./attention-backward.js";
import { emitContraction } from "./contraction.js";
import { emitElementwise } from "./elementwise.js";
import { emitGroupedProduct } from "./grouped-product.js";
import { emitReduction } from "./reduction.js";
import { emitScatterAdd } from "./scatter-add.js";
import { emitSort } from "./sort.js";

/** The kernels of a record, to be launched in order: usually one; none when there is nothing to do. */
export function emitKernels(record: KernelRecord, buffers: readonly Buffer[]): readonly EmittedKernel[] {
  switch (record.archetype) {
    case "elementwise":
      return emitElementwise(record, buffers);
    case "reduction":
      return emitReduction(record, buffers);
    case "contraction":
      return emitContraction(record, buffers);
    case "attention":
      return emitAttention(record, buffers);
    case "attention_backward":
      return emitAttentionBackward(record, buffers);
    case "scatter_add":
      return emitScatterAdd(record, buffers);
    case "sort":
      return emitSort(record, buffers);
    case "grouped_contraction":
    case "grouped_sum":
      return emitGroupedProduct(record, buffers);
  }
}
