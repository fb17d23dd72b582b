import assert from "node:assert/strict";
import { emitContraction } from "../../codegen/c/contraction.js";
import type { Access, Buffer, ContractionKernel, Operand } from "../../src/kernels/record.js";
import { randomFrom } from "../kernels/random-contraction.js";
import { KernelLibrary, type Numbers } from "./native.js";

interface Side {
  /** Strides along batch, lines and k. */
  readonly strides: readonly [number, number, number];
  readonly elements: number;
}

interface Shape {
  readonly name: string;
  readonly batch: number;
  readonly rows: number;
  readonly columns: number;
  readonly products: readonly { readonly reduced: number; readonly lhs: Side; readonly rhs: Side }[];
  /** The result plus a row of biases, through an epilogue. */
  readonly bias?: boolean;
}

const side = (strides: readonly [number, number, number], elements: number): Side => ({ strides, elements });

/** Dense operands: `near` says whether lines of a side are contiguous in k or k in the lines. */
function dense(batch: number, lines: number, reduced: number, near: "k" | "lines", shared = false): Side {
  const size = lines * reduced;
  const strides = near === "k" ? ([size, reduced, 1] as const) : ([size, 1, lines] as const);
  return shared ? side([0, strides[1], strides[2]], size) : side(strides, batch * size);
}

/** Sizes at which the driver cuts: several passes over k, several blocks of columns and rows, edges everywhere. */
const shapes: readonly Shape[] = [
  {
    name: "passes over a long k",
    batch: 1,
    rows: 70,
    columns: 101,
    products: [{ reduced: 1501, lhs: dense(1, 70, 1501, "k"), rhs: dense(1, 101, 1501, "lines") }],
  },
  {
    name: "a weight gradient",
    batch: 1,
    rows: 131,
    columns: 96,
    products: [{ reduced: 1400, lhs: dense(1, 131, 1400, "lines"), rhs: dense(1, 96, 1400, "lines") }],
  },
  {
    name: "blocks of columns",
    batch: 2,
    rows: 150,
    columns: 807,
    products: [{ reduced: 37, lhs: dense(2, 150, 37, "k"), rhs: dense(2, 807, 37, "k", true) }],
  },
  {
    name: "a linear layer and its side path, with a bias",
    batch: 3,
    rows: 140,
    columns: 384,
    bias: true,
    products: [
      { reduced: 96, lhs: dense(3, 140, 96, "k"), rhs: dense(3, 384, 96, "k", true) },
      { reduced: 8, lhs: dense(3, 140, 8, "k"), rhs: dense(3, 384, 8, "k") },
    ],
  },
  {
    name: "passes that cut two products, with a bias",
    batch: 2,
    rows: 200,
    columns: 130,
    bias: true,
    products: [
      { reduced: 900, lhs: dense(2, 200, 900, "lines"), rhs: dense(2, 130, 900, "k") },
      { reduced: 500, lhs: dense(2, 200, 500, "k", true), rhs: dense(2, 130, 500, "lines") },
    ],
  },
  {
    name: "one row",
    batch: 1,
    rows: 1,
    columns: 500,
    products: [{ reduced: 700, lhs: dense(1, 1, 700, "k"), rhs: dense(1, 500, 700, "lines") }],
  },
  {
    name: "one column",
    batch: 1,
    rows: 300,
    columns: 1,
    products: [{ reduced: 300, lhs: dense(1, 300, 300, "k"), rhs: dense(1, 1, 300, "k") }],
  },
];

interface Made {
  readonly record: ContractionKernel;
  readonly buffers: readonly Buffer[];
}

function made(shape: Shape): Made {
  const buffers: Buffer[] = [];
  const input = (elements: number) =>
    buffers.push({ dtype: "f32", elements, home: { segment: "inputs", name: `b${buffers.length}` } }) - 1;
  const plain = (access: Access): Operand => ({
    accesses: [access],
    body: [{ kind: "load", access: 0, dtype: "f32" }],
  });
  const products = shape.products.map(({ reduced, lhs, rhs }) => ({
    reduced: [reduced],
    lhs: plain({
      buffer: input(lhs.elements),
      offset: 0,
      strides: [lhs.strides[0], lhs.strides[1], 0, lhs.strides[2]],
    }),
    rhs: plain({
      buffer: input(rhs.elements),
      offset: 0,
      strides: [rhs.strides[0], 0, rhs.strides[1], rhs.strides[2]],
    }),
  }));
  const accesses = shape.bias ? [{ buffer: input(shape.columns), offset: 0, strides: [0, 0, 1] }] : [];
  const elements = shape.batch * shape.rows * shape.columns;
  const out = buffers.push({ dtype: "f32", elements, home: { segment: "scratch" } }) - 1;
  const strides = [shape.rows * shape.columns, shape.columns, 1];
  const record: ContractionKernel = {
    archetype: "contraction",
    origins: [],
    label: shape.name,
    batch: [shape.batch],
    rows: [shape.rows],
    columns: [shape.columns],
    products,
    accesses,
    epilogue: shape.bias
      ? [
          { kind: "accumulator", dtype: "f32" },
          { kind: "load", access: 0, dtype: "f32" },
          { kind: "binary", operation: "add", left: 0, right: 1, dtype: "f32" },
        ]
      : [{ kind: "accumulator", dtype: "f32" }],
    stores: [{ access: { buffer: out, offset: 0, strides }, value: shape.bias ? 2 : 0 }],
  };
  return { record, buffers };
}

/** Three loops in float64. */
function naive(shape: Shape, { record }: Made, memory: readonly Numbers[]): Float64Array {
  const { batch, rows, columns } = shape;
  const result = new Float64Array(batch * rows * columns);
  for (const [number, { reduced, lhs, rhs }] of shape.products.entries()) {
    const left = memory[record.products[number]!.lhs.accesses[0]!.buffer]!;
    const right = memory[record.products[number]!.rhs.accesses[0]!.buffer]!;
    for (let b = 0; b < batch; b++)
      for (let row = 0; row < rows; row++)
        for (let column = 0; column < columns; column++) {
          let sum = 0;
          for (let k = 0; k < reduced; k++)
            sum +=
              left[b * lhs.strides[0] + row * lhs.strides[1] + k * lhs.strides[2]]! *
              right[b * rhs.strides[0] + column * rhs.strides[1] + k * rhs.strides[2]]!;
          result[(b * rows + row) * columns + column]! += sum;
        }
  }
  const bias = record.accesses[0];
  return bias ? result.map((sum, place) => sum + memory[bias.buffer]![place % columns]!) : result;
}

describe("contractions larger than the driver's blocks", function () {
  this.timeout(120_000);
  const cases = shapes.map((shape) => ({ shape, ...made(shape) }));
  const random = randomFrom(8);
  let library: KernelLibrary;

  before(() => {
    library = new KernelLibrary(cases.flatMap(({ record, buffers }) => emitContraction(record, buffers)));
  });

  const fresh = (buffers: readonly Buffer[]): Numbers[] =>
    buffers.map((buffer) =>
      new Float32Array(buffer.elements).map(() => (buffer.home.segment === "inputs" ? random() - 0.5 : Number.NaN)),
    );

  for (const [number, one] of cases.entries()) {
    it(`sum ${one.shape.name} like three loops, on any number of threads alike`, () => {
      const memory = fresh(one.buffers);
      const wanted = naive(one.shape, one, memory);
      const out = one.record.stores[0]!.access.buffer;
      library.run(number, memory);
      for (const [element, value] of wanted.entries()) {
        const error = Math.abs(memory[out]![element]! - value);
        assert.ok(error < 1e-4, `element ${element}: ${memory[out]![element]} instead of ${value}`);
      }
      for (const threads of [2, 3, 5]) {
        const again = memory.map((array, id) => (id === out ? new Float32Array(array.length).fill(Number.NaN) : array));
        library.run(number, again, threads);
        assert.deepEqual(again[out], memory[out], `${threads} threads`);
      }
    });
  }

  it("take the sum of no products as zero", () => {
    const shape: Shape = {
      ...shapes[0]!,
      rows: 5,
      columns: 20,
      products: [{ reduced: 0, lhs: side([0, 0, 0], 1), rhs: side([0, 0, 0], 1) }],
    };
    const empty = made(shape);
    const memory = fresh(empty.buffers);
    new KernelLibrary(emitContraction(empty.record, empty.buffers)).run(0, memory);
    assert.deepEqual(memory[2], new Float32Array(100));
  });
});
