import assert from "node:assert/strict";
import { emitAttention, emitAttentionBackward } from "../../codegen/c/attention.js";
import type { EmittedKernel } from "../../codegen/emitted.js";
import { type AttentionCase, randomAttention } from "../kernels/random-attention.js";
import { randomFrom } from "../kernels/random-contraction.js";
import { afterOracle, assertClose, assertUntouched } from "./compare.js";
import { KernelLibrary, type Numbers, poisoned } from "./native.js";

const seed = Number(process.env.WEFT_SEED ?? 1);
const count = Number(process.env.WEFT_COUNT ?? 24);

/** Random inputs; a quarter of the mask forbids, and its first row (if it has rows) altogether. */
function memoryFor({ buffers, inputs, mask, forward }: AttentionCase, draw: () => number): Numbers[] {
  const memory = buffers.map((buffer, id) => {
    const array = poisoned(buffer);
    if (id === mask) return array.map(() => (draw() < 0.75 ? 1 : 0));
    return inputs.includes(id) ? array.map(() => 4 * draw() - 2) : array;
  });
  if (forward.mask) {
    const stride = forward.mask.strides.at(-1)!;
    for (let key = 0; key < forward.keys; key++) memory[forward.mask.buffer]![stride * key] = 0;
  }
  return memory;
}

describe("attention kernels in C", function () {
  this.timeout(120_000);
  const cases: AttentionCase[] = [];
  let library: KernelLibrary;

  before(() => {
    const random = randomFrom(seed);
    const emitted: EmittedKernel[] = [];
    for (let number = 0; number < count; number++) {
      const one = randomAttention(random, {
        lines: number % 4 === 0 ? [65, 130] : [1, 3, 17, 24],
        widths: number % 5 === 0 ? [1, 5] : [8, 16, 24],
        most: number % 4 === 0 ? 1 : 2,
      });
      cases.push(one);
      emitted.push(...emitAttention(one.forward, one.buffers), ...emitAttentionBackward(one.backward, one.buffers));
    }
    // Keys that do not fit the workspace at once, so that blocks of them follow each other.
    const long = randomAttention(randomFrom(seed + 9), { lines: [170], queries: [9], widths: [1000], most: 0 });
    cases.push(long);
    emitted.push(...emitAttention(long.forward, long.buffers), ...emitAttentionBackward(long.backward, long.buffers));
    library = new KernelLibrary(emitted);
  });

  it("agree with the float64 oracle, forwards and backwards, rows without a key included", () => {
    const random = randomFrom(seed + 1);
    for (const [number, one] of cases.entries()) {
      const memory = memoryFor(one, random);
      const wanted = afterOracle([one.forward, one.backward], one.buffers, memory);
      library.run(2 * number, memory);
      library.run(2 * number + 1, memory);
      for (const [id, buffer] of one.buffers.entries()) {
        if (buffer.home.segment === "inputs") continue;
        assertClose(`case ${number}, buffer ${id}`, memory[id]!, wanted[id]!, 2e-4);
        assertUntouched(`case ${number}, buffer ${id}`, memory[id]!, wanted[id]!);
      }
    }
  });

  it("give the same bits with three threads as with one", () => {
    const random = randomFrom(seed + 2);
    for (const [number, one] of cases.entries()) {
      const single = memoryFor(one, random);
      const shared = single.map((array) => array.slice());
      for (const kernel of [2 * number, 2 * number + 1]) {
        library.run(kernel, single);
        library.run(kernel, shared, 3);
      }
      for (const id of single.keys()) assert.deepEqual(shared[id], single[id], `case ${number}`);
    }
  });

  it("stay exact for scores far from zero", () => {
    const { forward, backward, buffers } = randomAttention(randomFrom(3), { lines: [24], widths: [16], most: 1 });
    const far = { ...forward, scale: 40 };
    const kernels = [...emitAttention(far, buffers), ...emitAttentionBackward({ ...backward, scale: 40 }, buffers)];
    const one: AttentionCase = { forward: far, backward, buffers, inputs: cases[0]!.inputs, mask: undefined };
    const memory = memoryFor(
      {
        ...one,
        inputs: buffers.flatMap((buffer, id) =>
          buffer.home.segment === "inputs" && buffer.dtype === "f32" ? [id] : [],
        ),
      },
      randomFrom(4),
    );
    const wanted = afterOracle([far], buffers, memory);
    new KernelLibrary(kernels).run(0, memory);
    assertClose("output", memory[far.output.buffer]!, wanted[far.output.buffer]!, 2e-3);
  });
});
