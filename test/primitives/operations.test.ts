import assert from "node:assert/strict";
import { GraphBuilder } from "../../src/graph/builder.js";
import type { Shape } from "../../src/graph/shape.js";
import * as operations from "../../src/primitives/operations.js";
import { ShapeError } from "../../src/primitives/primitive.js";
import { graphOf } from "./application.js";

const f32 = (...shape: readonly number[]) => ({ dtype: "f32" as const, shape });
const counting = (count: number, from = 0) => Float64Array.from({ length: count }, (_, index) => from + index);

/** A builder with one float input per shape. */
function withInputs(...shapes: readonly Shape[]) {
  const builder = new GraphBuilder();
  const inputs = shapes.map((shape, place) =>
    builder.add("input", [], { name: `x${place}`, dtype: "f32", shape, perInstance: false }),
  );
  return { builder, inputs };
}

const throwsShapes = (run: () => unknown, ...shapes: readonly Shape[]) =>
  assert.throws(run, (error) => {
    assert.ok(error instanceof ShapeError);
    assert.deepEqual(error.shapes, shapes);
    return true;
  });

describe("broadcasting", () => {
  it("aligns shapes from the right and repeats axes of size 1", () => {
    const graph = graphOf([f32(2, 1), f32(3)], (b, [x, y]) => [operations.add(b, x!, y!)]);
    assert.deepEqual(graph.types[0]?.shape, [2, 3]);
    const [sum] = graph.run([Float64Array.of(0, 10), Float64Array.of(1, 2, 3)]);
    assert.deepEqual([...sum!], [1, 2, 3, 11, 12, 13]);
  });

  it("refuses shapes that do not go together, naming both", () => {
    const { builder, inputs } = withInputs([2, 3], [4]);
    throwsShapes(() => operations.add(builder, inputs[0]!, inputs[1]!), [2, 3], [4]);
    throwsShapes(() => operations.broadcastTo(builder, inputs[1]!, [4, 2]), [4], [4, 2]);
    throwsShapes(() => operations.broadcastTo(builder, inputs[0]!, [3]), [2, 3], [3]);
    throwsShapes(() => operations.sumTo(builder, inputs[0]!, [2]), [2, 3], [2]);
  });

  it("has sumTo as its adjoint", () => {
    const graph = graphOf([f32(4, 2, 3)], (b, [x]) => [operations.sumTo(b, x!, [2, 1]), operations.sumTo(b, x!, [])]);
    const x = counting(24);
    const [rows, all] = graph.run([x]);
    const sum = (row: number) => x.filter((_, index) => Math.floor(index / 3) % 2 === row).reduce((a, c) => a + c, 0);
    assert.deepEqual([...rows!], [sum(0), sum(1)]);
    assert.deepEqual([...all!], [276]);
  });

  it("keeps constants constants", () => {
    const { builder, inputs } = withInputs([2, 3]);
    const sum = operations.add(builder, inputs[0]!, operations.constant(builder, 1));
    assert.deepEqual(operations.constantValue(builder, builder.producers[sum]!.inputs[1]!), 1);
    assert.ok(builder.nodes.every((node) => node.primitive !== "broadcast"));
  });
});

describe("operations that change nothing", () => {
  it("add no node", () => {
    const { builder, inputs } = withInputs([2, 3]);
    const x = inputs[0]!;
    assert.deepEqual(
      [
        operations.reshape(builder, x, [2, 3]),
        operations.transpose(builder, x, [0, 1]),
        operations.cast(builder, x, "f32"),
        operations.slice(builder, x, [0, 0], [2, 3]),
        operations.pad(builder, x, [0, 0], [0, 0]),
        operations.concat(builder, [x], 1),
        operations.reduceSum(builder, x, []),
        operations.broadcastTo(builder, x, [2, 3]),
        operations.scale(builder, x, 1),
      ],
      Array(9).fill(x),
    );
    assert.equal(builder.nodes.length, 1);
  });
});

describe("matmul", () => {
  const shapes: readonly (readonly [Shape, Shape, Shape])[] = [
    [[3], [3], []],
    [[2, 3], [3], [2]],
    [[3], [3, 4], [4]],
    [
      [2, 3],
      [3, 4],
      [2, 4],
    ],
    [
      [5, 2, 3],
      [3, 4],
      [5, 2, 4],
    ],
    [
      [2, 3],
      [5, 3, 4],
      [5, 2, 4],
    ],
    [
      [5, 2, 3],
      [5, 3, 4],
      [5, 2, 4],
    ],
    [
      [6, 1, 2, 3],
      [5, 3, 4],
      [6, 5, 2, 4],
    ],
    [
      [1, 2, 3],
      [5, 3, 4],
      [5, 2, 4],
    ],
    [[5, 2, 3], [3], [5, 2]],
  ];
  for (const [left, right, out] of shapes) {
    it(`of [${left}] and [${right}] is [${out}], as in NumPy`, () => {
      const graph = graphOf([f32(...left), f32(...right)], (b, [x, y]) => [
        operations.matmul(b, x!, y!),
        // By broadcasting both operands to [..., rows, reduced, columns] and summing.
        (() => {
          const [rowed, columned] = [
            left.length === 1 ? [1, left[0]!, 1] : [...left, 1],
            right.length === 1 ? [1, right[0]!, 1] : [...right.slice(0, -2), 1, ...right.slice(-2)],
          ];
          const product = operations.multiply(b, operations.reshape(b, x!, rowed), operations.reshape(b, y!, columned));
          const summed = operations.reduceSum(b, product, [b.shape(product).length - 2]);
          return operations.reshape(b, summed, out);
        })(),
      ]);
      assert.deepEqual(graph.types[0]?.shape, out);
      assert.equal(graph.graph.nodes.filter(({ primitive }) => primitive === "contraction").length, 1);
      const count = (shape: Shape) => shape.reduce((a, c) => a * c, 1);
      const [product, expected] = graph.run([counting(count(left), -3), counting(count(right), 2)]);
      assert.deepEqual(product, expected);
    });
  }

  it("refuses what does not fit, naming both shapes", () => {
    const { builder, inputs } = withInputs([2, 3], [4, 5], [], [6, 3, 2], [5, 2, 3]);
    const [x, y, scalar, z, w] = inputs as [number, number, number, number, number];
    throwsShapes(() => operations.matmul(builder, x, y), [2, 3], [4, 5]);
    throwsShapes(() => operations.matmul(builder, scalar, x), [], [2, 3]);
    throwsShapes(() => operations.matmul(builder, w, z), [5, 2, 3], [6, 3, 2]);
  });
});

describe("einsum", () => {
  it("sums what only one operand has before multiplying", () => {
    const graph = graphOf([f32(2, 3), f32(3, 2)], (b, [x, y]) => [
      operations.einsum(
        b,
        [x!, y!],
        [
          ["i", "j"],
          ["j", "k"],
        ],
        ["k", "i"],
      ),
      operations.einsum(
        b,
        [x!, y!],
        [
          ["i", "j"],
          ["j", "k"],
        ],
        ["i"],
      ),
      operations.einsum(b, [x!], [["i", "j"]], ["j"]),
      operations.einsum(b, [x!], [["i", "j"]], ["j", "i"]),
    ]);
    const results = graph.run([counting(6), counting(6)]).map((data) => [...data!]);
    assert.deepEqual(results, [
      [10, 28, 13, 40],
      [23, 68],
      [3, 5, 7],
      [0, 3, 1, 4, 2, 5],
    ]);
  });

  it("refuses labels that do not suit the operands", () => {
    const { builder, inputs } = withInputs([2, 2], [3]);
    const [x, y] = inputs as [number, number];
    const refused = (
      operands: readonly number[],
      labels: readonly (readonly string[])[],
      out: readonly string[],
      message: RegExp,
    ) => assert.throws(() => operations.einsum(builder, operands, labels, out), message);
    refused([x], [["i"]], ["i"], /"i" names 1 axes of \[2, 2\]/);
    refused([x], [["i", "i"]], ["i"], /named twice in one operand/);
    refused([x, y], [["i", "j"], ["j"]], ["i"], /axis j is 2 and 3/);
    refused([x], [["i", "j"]], ["k"], /axis k of the result is in no operand/);
    refused([x], [["i", "j"]], ["i", "i"], /named twice in the result/);
    refused([y, y, y], [["i"], ["i"], ["i"]], ["i"], /one or two operands, not 3/);
  });
});

describe("means", () => {
  it("divide by the number of elements", () => {
    const graph = graphOf([f32(2, 3)], (b, [x]) => [
      operations.reduceMean(b, x!, [1]),
      operations.reduceMean(b, x!, [1, 0]),
    ]);
    assert.deepEqual(
      graph.run([counting(6)]).map((data) => data!.map((x) => Math.round(x * 1e9) / 1e9)),
      [Float64Array.of(1, 4), Float64Array.of(2.5)],
    );
  });
});
