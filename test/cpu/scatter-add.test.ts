import assert from "node:assert/strict";
import { emitScatterAdd } from "../../codegen/c/scatter-add.js";
import { type Random, randomFrom } from "../kernels/random-contraction.js";
import { type RandomScatter, randomScatter, scatterNumber } from "../kernels/random-scatter.js";
import { afterOracle, assertClose } from "./compare.js";
import { KernelLibrary, type Numbers, poisoned } from "./native.js";

function memoryFor({ record, buffers }: RandomScatter, random: Random): Numbers[] {
  return buffers.map((buffer) => {
    const array = poisoned(buffer);
    return buffer.home.segment === "inputs" ? array.map(() => scatterNumber(record, buffer, random)) : array;
  });
}

describe("scatter-add kernels in C", function () {
  this.timeout(120_000);
  const random = randomFrom(Number(process.env.WEFT_SEED ?? 5));
  const cases = Array.from({ length: 30 }, () => randomScatter(random));
  let library: KernelLibrary;

  before(() => {
    library = new KernelLibrary(cases.flatMap(({ record, buffers }) => emitScatterAdd(record, buffers)));
  });

  it("add up the updates of each index and clear the others", () => {
    for (const [number, one] of cases.entries()) {
      const memory = memoryFor(one, random);
      const wanted = afterOracle([one.record], one.buffers, memory);
      library.run(number, memory);
      const target = one.record.target.buffer;
      assertClose(`case ${number}`, memory[target]!, wanted[target]!, 1e-5);
    }
  });

  it("add in the order of the updates, whatever the number of threads", () => {
    for (const [number, one] of cases.entries()) {
      const single = memoryFor(one, random);
      const shared = single.map((array) => array.slice());
      library.run(number, single);
      library.run(number, shared, 3);
      assert.deepEqual(shared[one.record.target.buffer], single[one.record.target.buffer]);
    }
  });
});
