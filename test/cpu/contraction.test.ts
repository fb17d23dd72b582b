import assert from "node:assert/strict";
import { emitContraction } from "../../codegen/c/contraction.js";
import type { EmittedKernel } from "../../codegen/emitted.js";
import type { Buffer } from "../../src/kernels/record.js";
import { type RandomRecord, randomContraction, randomFrom } from "../kernels/random-contraction.js";
import { afterOracle, assertClose, assertUntouched } from "./compare.js";
import { KernelLibrary, type Numbers, poisoned } from "./native.js";

const seed = Number(process.env.WEFT_SEED ?? 1);
const count = Number(process.env.WEFT_COUNT ?? 60);

function memoryFor(buffers: readonly Buffer[], inputs: readonly number[], draw: () => number): Numbers[] {
  return buffers.map((buffer, id) => {
    const array = poisoned(buffer);
    return inputs.includes(id) ? array.map(() => 2 * draw() - 1) : array;
  });
}

const copied = (memory: readonly Numbers[]): Numbers[] => memory.map((array) => array.slice());

describe("contraction kernels in C", function () {
  this.timeout(120_000);
  const cases: RandomRecord[] = [];
  const emitted: EmittedKernel[] = [];
  let library: KernelLibrary;

  before(() => {
    const random = randomFrom(seed);
    for (let number = 0; number < count; number++) {
      const wishes = {
        sizes: number % 3 === 0 ? [1, 5, 8, 16, 33, 50] : [1, 2, 3, 4, 7],
        reducedSizes: number % 4 === 0 ? [1, 17, 40] : [1, 2, 8, 11],
        fused: number % 2 === 1,
      };
      const one = randomContraction(random, wishes);
      const kernels = emitContraction(one.record, one.buffers);
      assert.equal(kernels.length, 1);
      cases.push(one);
      emitted.push(kernels[0]!);
    }
    library = new KernelLibrary(emitted);
  });

  it("agree with the float64 oracle on random layouts, products, prologues and epilogues", () => {
    const random = randomFrom(seed + 1);
    for (const [number, one] of cases.entries()) {
      const memory = memoryFor(one.buffers, one.inputs, random);
      const wanted = afterOracle([one.record], one.buffers, memory);
      library.run(number, memory);
      for (const [id, buffer] of one.buffers.entries()) {
        if (buffer.dtype === "f32") assertClose(`case ${number}, buffer ${id}`, memory[id]!, wanted[id]!, 2e-3);
      }
    }
  });

  it("leave places alone that no store names", () => {
    const random = randomFrom(seed + 2);
    for (const [number, one] of cases.entries()) {
      const memory = memoryFor(one.buffers, one.inputs, random);
      const wanted = afterOracle([one.record], one.buffers, memory);
      library.run(number, memory);
      for (const [id, buffer] of one.buffers.entries()) {
        if (buffer.home.segment === "inputs" || buffer.dtype !== "f32") continue;
        assertUntouched(`case ${number}, buffer ${id}`, memory[id]!, wanted[id]!);
      }
    }
  });

  it("give the same bits with three threads as with one", () => {
    const random = randomFrom(seed + 3);
    for (const [number, one] of cases.entries()) {
      const single = memoryFor(one.buffers, one.inputs, random);
      const shared = copied(single);
      library.run(number, single);
      library.run(number, shared, 3);
      for (const id of single.keys()) assert.deepEqual(shared[id], single[id], `case ${number}`);
    }
  });
});
