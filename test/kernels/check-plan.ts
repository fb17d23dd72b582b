/** Checks memory plans by first principles. */
import assert from "node:assert/strict";
import { bytesPerElement } from "../../src/graph/dtype.js";
import { readsOf, writesOf } from "../../src/kernels/access.js";
import { type MemoryPlan, segmentAlignment } from "../../src/kernels/layout.js";
import type { BufferId, KernelList } from "../../src/kernels/record.js";

/**
 * Asserts that no two scratch buffers overlap while both hold numbers that are still read, that a kernel which writes one buffer over
 * another is elementwise and reads the old one only where it writes, that everything lies inside the segment, and that nothing but what
 * follows the parameter layout straddles two pieces.
 */
export function checkPlan(list: KernelList, plan: MemoryPlan): void {
  const span = (buffer: BufferId) => {
    const { dtype, elements } = list.buffers[buffer]!;
    return { from: plan.offsets[buffer]!, to: plan.offsets[buffer]! + elements * bytesPerElement[dtype] };
  };
  const first = new Map<BufferId, number>();
  const last = new Map<BufferId, number>();
  list.kernels.forEach((kernel, place) => {
    for (const { buffer } of [...writesOf(kernel), ...readsOf(kernel)]) {
      if (!first.has(buffer)) first.set(buffer, place);
      last.set(buffer, place);
    }
  });
  const scratch = [...first.keys()].filter((buffer) => list.buffers[buffer]!.home.segment === "scratch");
  for (const buffer of scratch) {
    assert.equal(plan.offsets[buffer]! % segmentAlignment, 0, `buffer ${buffer} is aligned`);
    assert.ok(span(buffer).to <= plan.scratchBytes, `buffer ${buffer} lies inside scratch`);
  }
  for (const a of scratch) {
    for (const b of scratch) {
      if (a === b || span(a).from >= span(b).to || span(b).from >= span(a).to) continue;
      if (last.get(a)! < first.get(b)! || last.get(b)! < first.get(a)!) continue;
      const [old, young] = first.get(a)! < first.get(b)! ? [a, b] : [b, a];
      assert.equal(last.get(old), first.get(young), `buffers ${old} and ${young} are alive together`);
      const kernel = list.kernels[first.get(young)!]!;
      assert.equal(kernel.archetype, "elementwise", `buffer ${young} takes the place of ${old}`);
      const [store] = writesOf(kernel).filter(({ buffer }) => buffer === young);
      for (const read of readsOf(kernel).filter(({ buffer }) => buffer === old)) {
        assert.deepEqual([read.offset, read.strides, read.bounds], [store!.offset, store!.strides, undefined]);
      }
      assert.deepEqual(span(old), span(young));
    }
  }
  assert.ok(plan.lowerBound <= plan.scratchBytes);

  list.buffers.forEach(({ home }, buffer) => {
    if (home.segment === "parameters" || home.segment === "gradients" || home.segment === "range") return;
    const { from, to } = span(buffer);
    const [first, last] = [from, Math.max(from, to - 1)].map((byte) => Math.floor(byte / plan.pieceBytes));
    assert.equal(first, last, `buffer ${buffer} (${home.segment}, bytes ${from} to ${to}) lies in one piece`);
  });
}
