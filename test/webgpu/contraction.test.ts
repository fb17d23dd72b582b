import assert from "node:assert/strict";
import { emitContraction } from "../../codegen/wgsl/contraction.js";
import type { WebGpuDevice } from "../../runtime/webgpu/device.js";
import type { Access, Buffer, ContractionKernel, Operand, Product } from "../../src/kernels/record.js";
import {
  assertClose,
  type Contents,
  input,
  listOf,
  output,
  runOnDevice,
  runReference,
} from "../codegen/kernel-runs.js";
import { type Random, type RandomRecord, randomContraction, randomFrom } from "../kernels/random-contraction.js";
import { openPoisoned } from "./open-device.js";
import { describeWebGpu } from "./software.js";

const seed = Number(process.env.WEFT_SEED ?? 1);
const count = Number(process.env.WEFT_COUNT ?? 16);

/** What WebGPU lets every kernel bind. */
const mostBuffers = 8;

const randomContents = (buffers: readonly Buffer[], draw: Random): Contents =>
  Object.fromEntries(
    buffers.flatMap(({ home, elements }) =>
      home.segment === "inputs" ? [[home.name, Array.from({ length: elements }, () => 2 * draw() - 1)]] : [],
    ),
  );

/** What is stored, as outputs, so that it can be read. */
const withOutputs = (buffers: readonly Buffer[]): readonly Buffer[] =>
  buffers.map((buffer, id) =>
    buffer.home.segment === "scratch" ? output(`b${id}`, buffer.elements, buffer.dtype) : buffer,
  );

const load: Operand["body"] = [{ kind: "load", access: 0, dtype: "f32" }];

/** A product of dense matrices; lines of either side are contiguous in k, or k in the lines. */
function product(
  [left, right]: readonly [number, number],
  [rows, columns, reduced]: readonly [number, number, number],
  near: "k" | "lines",
): Product {
  const side = (buffer: number, lines: number, dimension: 0 | 1): Operand => {
    const along = near === "k" ? reduced : 1;
    const strides = [dimension === 0 ? along : 0, dimension === 1 ? along : 0, near === "k" ? 1 : lines];
    return { accesses: [{ buffer, offset: 0, strides }], body: load };
  };
  return { reduced: [reduced], lhs: side(left, rows, 0), rhs: side(right, columns, 1) };
}

function contraction(rows: number, columns: number, products: readonly Product[], result: number): ContractionKernel {
  const access: Access = { buffer: result, offset: 0, strides: [columns, 1] };
  return {
    archetype: "contraction",
    origins: [],
    label: "sample",
    batch: [],
    rows: [rows],
    columns: [columns],
    products,
    accesses: [],
    epilogue: [{ kind: "accumulator", dtype: "f32" }],
    stores: [{ access, value: 0 }],
  };
}

describeWebGpu("contraction kernels in WGSL", function () {
  this.timeout(120_000);
  let device: WebGpuDevice;
  before(async () => {
    device = await openPoisoned();
  });
  after(() => device.close());

  async function assertAgrees(record: ContractionKernel, buffers: readonly Buffer[], draw: Random, what: string) {
    const list = listOf(buffers, [record]);
    const contents = randomContents(buffers, draw);
    const [actual, expected] = [await runOnDevice(device, list, contents), runReference(list, contents)];
    for (const { home, dtype } of buffers) {
      // Whether sums are less than a bound may hang on their last bit.
      if (home.segment !== "outputs" || dtype === "bool") continue;
      assertClose(actual[home.name]!, expected[home.name]!, `${what}, ${home.name}`, {
        absolute: 1e-4,
        relative: 1e-5,
      });
    }
  }

  it("agree with the float64 oracle on random layouts, products, prologues and epilogues, and leave other places alone", async () => {
    const draw = randomFrom(seed);
    for (let number = 0; number < count; number++) {
      const wishes = {
        sizes: number % 3 === 0 ? [1, 5, 8, 16, 33, 50] : [1, 2, 3, 4, 7],
        reducedSizes: number % 4 === 0 ? [1, 17, 40] : [1, 2, 8, 11],
        fused: number % 2 === 1,
      };
      let one: RandomRecord;
      do one = randomContraction(draw, wishes);
      while (one.buffers.length > mostBuffers);
      await assertAgrees(one.record, withOutputs(one.buffers), draw, `case ${number} of seed ${seed}`);
    }
  });

  for (const near of ["k", "lines"] as const) {
    it(`sum whole and cut tiles whose operands are contiguous in ${near}`, async () => {
      const draw = randomFrom(3);
      const sizes = [1, 8, 9, 17, 32, 33, 65] as const;
      for (const [place, rows] of sizes.entries()) {
        const columns = sizes[(3 * place + 2) % sizes.length]!;
        const reduced = [16, 1, 15, 17, 33, 32, 5][place]!;
        const buffers = [input("a", rows * reduced), input("b", columns * reduced), output("c", rows * columns)];
        const record = contraction(rows, columns, [product([0, 1], [rows, columns, reduced], near)], 2);
        await assertAgrees(record, buffers, draw, `${rows} x ${columns} of ${reduced}`);
      }
    });
  }

  it("add several products into one sum", async () => {
    const [rows, columns] = [20, 40];
    const buffers = [700, 1400, 60, 120].map((elements, id) => input(`b${id}`, elements));
    const products = [
      product([0, 1], [rows, columns, 35], "k"),
      product([2, 3], [rows, columns, 3], "lines"),
      product([2, 3], [rows, columns, 0], "k"),
    ];
    const record = contraction(rows, columns, products, 4);
    await assertAgrees(record, [...buffers, output("sums", rows * columns)], randomFrom(4), "three products");
  });

  it("take the sum of no products as zero", async () => {
    const buffers = [input("a", 0), input("b", 0), output("c", 5 * 20)];
    const record = contraction(5, 20, [product([0, 1], [5, 20, 0], "k")], 2);
    const result = await runOnDevice(device, listOf(buffers, [record]), { a: [], b: [] });
    assert.deepEqual(result.c, new Float32Array(100));
  });

  it("run nothing for a result without elements", () => {
    const buffers = [input("a", 0), input("b", 12), output("c", 0)];
    assert.deepEqual(emitContraction(contraction(0, 3, [product([0, 1], [0, 3, 4], "k")], 2), buffers), []);
  });
});
