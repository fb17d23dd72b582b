import assert from "node:assert/strict";
import type { Access, Buffer, ElementwiseKernel, KernelList, KernelRecord } from "../../src/kernels/record.js";
import { evaluateKernels } from "./evaluate.js";
import { contentsOf, plannedMemory, separateMemory } from "./memory.js";

const view = (buffer: number, strides: readonly number[], offset = 0): Access => ({ buffer, offset, strides });

const f32 = (elements: number, name?: string): Buffer => ({
  dtype: "f32",
  elements,
  home: name === undefined ? { segment: "scratch" } : { segment: "inputs", name },
});

const listOf = (buffers: readonly Buffer[], ...kernels: KernelRecord[]): KernelList => ({
  buffers,
  kernels,
  refusals: [],
});

const copy = (from: Access, to: Access, extents: readonly number[]): ElementwiseKernel => ({
  archetype: "elementwise",
  origins: [],
  label: "copy",
  extents,
  accesses: [from],
  body: [{ kind: "load", access: 0, dtype: "f32" }],
  stores: [{ access: to, value: 0 }],
});

function run(list: KernelList, inputs: Readonly<Record<string, readonly number[]>>, result: number): number[] {
  const memory = separateMemory(list, (home) => (home.segment === "inputs" ? inputs[home.name] : undefined));
  evaluateKernels(list, memory);
  return [...contentsOf(list, memory, result)];
}

describe("the record evaluator", () => {
  it("reads views with bounds as zero outside of them", () => {
    const bounded = { ...view(0, [1], -1), bounds: [{ offset: -1, strides: [1], size: 2 }] };
    assert.deepEqual(
      run(listOf([f32(2, "x"), f32(4)], copy(bounded, view(1, [1]), [4])), { x: [5, 6] }, 1),
      [0, 5, 6, 0],
    );
  });

  it("folds rows in passes and writes per row once", () => {
    const list = listOf([f32(6, "x"), f32(6), f32(2)], {
      archetype: "reduction",
      origins: [],
      label: "centre",
      extents: [2, 3],
      reduced: 1,
      accesses: [view(0, [3, 1])],
      body: [
        { kind: "load", access: 0, dtype: "f32" },
        { kind: "reduce", reduction: "sum", operand: 0, dtype: "f32" },
        { kind: "constant", value: 3, dtype: "f32" },
        { kind: "binary", operation: "divide", left: 1, right: 2, dtype: "f32" },
        { kind: "binary", operation: "subtract", left: 0, right: 3, dtype: "f32" },
      ],
      stores: [
        { access: view(1, [3, 1]), value: 4 },
        { access: view(2, [1, 0]), value: 3 },
      ],
    });
    assert.deepEqual(run(list, { x: [1, 2, 3, 4, 6, 8] }, 1), [-1, 0, 1, -2, 0, 2]);
    assert.deepEqual(run(list, { x: [1, 2, 3, 4, 6, 8] }, 2), [2, 6]);
  });

  it("adds all products of a contraction before the epilogue", () => {
    const operand = (access: Access) => ({
      accesses: [access],
      body: [{ kind: "load", access: 0, dtype: "f32" } as const],
    });
    const list = listOf([f32(2, "a"), f32(2, "b"), f32(1)], {
      archetype: "contraction",
      origins: [],
      label: "dots",
      batch: [],
      rows: [],
      columns: [],
      products: [
        { reduced: [2], lhs: operand(view(0, [1])), rhs: operand(view(1, [1])) },
        { reduced: [2], lhs: operand(view(0, [1])), rhs: operand(view(0, [1])) },
      ],
      accesses: [],
      epilogue: [
        { kind: "accumulator", dtype: "f32" },
        { kind: "unary", operation: "negate", operand: 0, dtype: "f32" },
      ],
      stores: [{ access: view(2, []), value: 1 }],
    });
    assert.deepEqual(run(list, { a: [1, 2], b: [3, 4] }, 2), [-(11 + 5)]);
  });

  it("rejects kernels whose points depend on each other", () => {
    const shift = listOf([f32(4)], copy(view(0, [1]), view(0, [1], 1), [3]));
    assert.throws(() => run(shift, {}, 0), /another point reads/);
    const twice = listOf([f32(2, "x"), f32(1)], copy(view(0, [1]), view(1, [0]), [2]));
    assert.throws(() => run(twice, { x: [1, 2] }, 1), /written twice/);
    const beyond = listOf([f32(2, "x"), f32(4)], copy(view(0, [1]), view(1, [1]), [4]));
    assert.throws(() => run(beyond, { x: [1, 2] }, 1), /element 2 of buffer 0/);
  });

  it("shows numbers that a plan lets another buffer overwrite", () => {
    const buffers = [f32(2, "x"), f32(2), f32(2), f32(2)];
    const list = listOf(
      buffers,
      copy(view(0, [1]), view(1, [1]), [2]),
      copy(view(0, [-1], 1), view(2, [1]), [2]),
      copy(view(1, [1]), view(3, [1]), [2]),
    );
    const offsets = (second: number) => ({
      offsets: [0, 0, second, 512],
      pieceBytes: Number.MAX_SAFE_INTEGER,
      scratchBytes: 768,
      lowerBound: 0,
      preparedBytes: 0,
      constantBytes: 0,
    });
    const results = [256, 0].map((second) => {
      const memory = plannedMemory(list, offsets(second), () => undefined);
      [1, 2].forEach((value, element) => {
        memory.write(0, element, value);
      });
      evaluateKernels(list, memory);
      return [...contentsOf(list, memory, 3)];
    });
    assert.deepEqual(results, [
      [1, 2],
      [2, 1],
    ]);
  });
});
