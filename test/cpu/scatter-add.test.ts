import assert from "node:assert/strict";
import { emitScatterAdd } from "../../codegen/c/scatter-add.js";
import type { Buffer, ScatterAddKernel } from "../../src/kernels/record.js";
import { pick, type Random, randomFrom, randomLayout } from "../kernels/random-contraction.js";
import { afterOracle, assertClose } from "./compare.js";
import { KernelLibrary, type Numbers, poisoned } from "./native.js";

interface Case {
  readonly record: ScatterAddKernel;
  readonly buffers: readonly Buffer[];
}

function randomScatter(random: Random): Case {
  const dimensions = (most: number, sizes: readonly number[]) =>
    Array.from({ length: Math.floor(random() * (most + 1)) }, () => pick(random, sizes));
  const batch = dimensions(1, [1, 3]);
  const updates = dimensions(2, [1, 4, 9]);
  const rest = dimensions(2, [1, 5, 16, 70]);
  const size = pick(random, [1, 4, 11]);
  const buffers: Buffer[] = [];
  const view = (extents: readonly number[], dtype: Buffer["dtype"], segment: "inputs" | "scratch") => {
    const { strides, elements } = randomLayout(random, extents, [...extents.keys()]);
    const home = segment === "inputs" ? ({ segment, name: `b${buffers.length}` } as const) : ({ segment } as const);
    return { buffer: buffers.push({ dtype, elements, home }) - 1, offset: 0, strides };
  };
  const indices = view([...batch, ...updates], "i32", "inputs");
  const source = view([...batch, ...updates, ...rest], "f32", "inputs");
  const target = view([...batch, size, ...rest], "f32", "scratch");
  const common = { archetype: "scatter_add", origins: [], label: "random" } as const;
  return { record: { ...common, batch, updates, size, rest, indices, source, target }, buffers };
}

/** Indices a little out of range on both sides, as gather clamps them. */
function memoryFor({ record, buffers }: Case, random: Random): Numbers[] {
  return buffers.map((buffer) => {
    const array = poisoned(buffer);
    if (buffer.home.segment !== "inputs") return array;
    return buffer.dtype === "i32"
      ? array.map(() => Math.floor(random() * (record.size + 2)) - 1)
      : array.map(() => random() - 0.5);
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
