/** Runs records through the float64 oracle on the memory that a kernel is about to run on. */
import assert from "node:assert/strict";
import type { Buffer, KernelRecord } from "../../src/kernels/record.js";
import { evaluateKernel } from "../kernels/evaluate.js";
import { contentsOf, separateMemory } from "../kernels/memory.js";
import type { Numbers } from "./native.js";

/** Contents of every buffer after the records, in order; NaN where nothing was written. */
export function afterOracle(
  records: readonly KernelRecord[],
  buffers: readonly Buffer[],
  memory: readonly Numbers[],
): readonly Float64Array[] {
  const list = { buffers, kernels: records, refusals: [] };
  const home = separateMemory(list, (_, buffer) =>
    buffer.home.segment === "inputs" ? memory[buffers.indexOf(buffer)]! : undefined,
  );
  for (const record of records) evaluateKernel(record, list, home);
  return buffers.map((_, id) => contentsOf(list, home, id));
}

export function assertClose(id: string, actual: Numbers, wanted: Float64Array, tolerance: number): void {
  for (const [element, value] of wanted.entries()) {
    if (Number.isNaN(value)) continue;
    const error = Math.abs(actual[element]! - value);
    assert.ok(error <= tolerance, `${id}, element ${element}: ${actual[element]} instead of ${value}`);
  }
}

/** Every element that the oracle left unwritten still has its poison. */
export function assertUntouched(id: string, actual: Numbers, wanted: Float64Array): void {
  for (const [element, value] of wanted.entries()) {
    assert.equal(Number.isNaN(actual[element]!), Number.isNaN(value), `${id}, element ${element}: ${actual[element]}`);
  }
}
