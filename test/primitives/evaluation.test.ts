import assert from "node:assert/strict";
import type { Dtype } from "../../src/graph/dtype.js";
import type { Shape } from "../../src/graph/shape.js";
import { erf } from "../../src/primitives/erf.js";
import type { AttributesOf, PrimitiveName } from "../../src/primitives/names.js";
import { graphOf } from "./application.js";

interface Given {
  readonly dtype?: Dtype;
  readonly shape?: Shape;
  readonly data: readonly number[];
}

/** First output of a primitive on given numbers. */
function apply<P extends PrimitiveName>(name: P, attributes: AttributesOf[P], ...operands: readonly Given[]): number[] {
  const types = operands.map(({ dtype = "f32", shape, data }) => ({ dtype, shape: shape ?? [data.length] }));
  const graph = graphOf(types, (builder, inputs) => builder.addAll(name, inputs, attributes));
  return [...graph.run(operands.map(({ data }) => Float64Array.from(data)))[0]!];
}

const i32 = (...data: readonly number[]): Given => ({ dtype: "i32", data });
const u32 = (...data: readonly number[]): Given => ({ dtype: "u32", data });
const f32 = (...data: readonly number[]): Given => ({ dtype: "f32", data });
const bool = (...data: readonly number[]): Given => ({ dtype: "bool", data });
const [least, most] = [-(2 ** 31), 2 ** 31 - 1];

describe("the error function", () => {
  // From arithmetic with 25 digits.
  const known: readonly (readonly [number, number])[] = [
    [1e-9, 1.1283791670955127e-9],
    [0.1, 0.1124629160182849],
    [0.5, 0.5204998778130465],
    [1, 0.8427007929497149],
    [2, 0.9953222650189527],
    [2.999, 0.9999777698314002],
    [3.001, 0.9999780483390823],
    [4, 0.9999999845827421],
    [5, 0.9999999999984626],
  ];

  it("is within 1e-15 of the known values, and odd", () => {
    for (const [x, value] of known) {
      assert.ok(Math.abs(erf(x) - value) <= 1e-15 * value, `erf(${x}) = ${erf(x)}`);
      assert.equal(erf(-x), -erf(x));
    }
  });

  it("has its limits", () => {
    assert.deepEqual([erf(0), erf(7), erf(Number.NEGATIVE_INFINITY)], [0, 1, -1]);
    assert.ok(Number.isNaN(erf(Number.NaN)));
  });
});

describe("integers", () => {
  it("wrap to 32 bits", () => {
    assert.deepEqual(apply("add", {}, i32(most), i32(1)), [least]);
    assert.deepEqual(apply("subtract", {}, u32(0), u32(1)), [2 ** 32 - 1]);
    assert.deepEqual(apply("multiply", {}, i32(123456789), i32(987654321)), [
      Number(BigInt.asIntN(32, 123456789n * 987654321n)),
    ]);
    assert.deepEqual(apply("multiply", {}, u32(4000000000), u32(4000000001)), [
      Number(BigInt.asUintN(32, 4000000000n * 4000000001n)),
    ]);
    assert.deepEqual(apply("negate", {}, i32(least)), [least]);
    assert.deepEqual(apply("reduce_sum", { axes: [0] }, i32(most, most, 5)), [3]);
  });

  it("divide and take remainders towards minus infinity", () => {
    const [x, y] = [i32(7, -7, 7, -7, -6, most), i32(2, 2, -2, -2, 3, -1)];
    assert.deepEqual(apply("divide", {}, x, y), [3, -4, -4, 3, -2, -most]);
    assert.deepEqual(
      apply("remainder", {}, x, y),
      [1, 1, -1, -1, 0, 0].map((rest) => rest + 0),
    );
    assert.deepEqual(apply("remainder", {}, f32(7, -7, 7.5), f32(2, 2, -2)), [1, 1, -0.5]);
  });

  it("come from floats without their fraction, saturated", () => {
    const floats = f32(1.9, -1.9, 3e9, -3e9, Number.NaN);
    assert.deepEqual(
      apply("cast", { dtype: "i32" }, floats).map((x) => x + 0),
      [1, -1, most, least, 0],
    );
    assert.deepEqual(
      apply("cast", { dtype: "u32" }, floats).map((x) => x + 0),
      [1, 0, 3e9, 0, 0],
    );
  });

  it("keep their bits between i32 and u32", () => {
    assert.deepEqual(apply("cast", { dtype: "u32" }, i32(-1)), [2 ** 32 - 1]);
    assert.deepEqual(apply("cast", { dtype: "i32" }, u32(2 ** 32 - 1)), [-1]);
    assert.deepEqual(apply("cast", { dtype: "bool" }, i32(0, -3)), [0, 1]);
    assert.deepEqual(apply("cast", { dtype: "f32" }, bool(0, 1)), [0, 1]);
  });
});

describe("movement", () => {
  it("pads around and between", () => {
    assert.deepEqual(apply("pad", { low: [1], high: [2], interior: [1] }, f32(5, 6, 7)), [0, 5, 0, 6, 0, 7, 0, 0]);
  });

  it("slices with steps", () => {
    assert.deepEqual(apply("slice", { starts: [1], limits: [6], steps: [2] }, f32(0, 1, 2, 3, 4, 5, 6)), [1, 3, 5]);
  });

  it("transposes", () => {
    const x = { data: [0, 1, 2, 3, 4, 5], shape: [1, 2, 3] };
    assert.deepEqual(apply("transpose", { permutation: [2, 0, 1] }, x), [0, 3, 1, 4, 2, 5]);
  });

  it("takes nothing from empty tensors", () => {
    assert.deepEqual(apply("concat", { axis: 0 }, f32(), f32(1), f32()), [1]);
    assert.deepEqual(apply("reduce_sum", { axes: [0] }, f32()), [0]);
    assert.deepEqual(apply("pad", { low: [1], high: [1], interior: [3] }, f32()), [0, 0]);
  });
});

describe("choice", () => {
  it("finds the first of equal maxima", () => {
    assert.deepEqual(apply("argmax", { axis: 0 }, { data: [1, 4, 3, 4, 3, 2], shape: [3, 2] }), [1, 0]);
  });

  it("selects", () => {
    assert.deepEqual(apply("select", {}, bool(1, 0), f32(1, 2), f32(3, 4)), [1, 4]);
  });
});

describe("indexing", () => {
  const table = { data: [0, 1, 10, 11, 20, 21], shape: [3, 2] };

  it("gathers rows, clamping indices", () => {
    assert.deepEqual(apply("gather", { batch: 0 }, table, i32(2, -5, 99)), [20, 21, 0, 1, 20, 21]);
  });

  it("gathers within each batch", () => {
    assert.deepEqual(apply("gather", { batch: 1 }, table, i32(1, 0, 1)), [1, 10, 21]);
  });

  it("adds up rows of equal index, clamping as gather does", () => {
    assert.deepEqual(apply("scatter_add", { batch: 0, size: 3 }, table, i32(2, 0, 2)), [10, 11, 0, 0, 20, 22]);
    assert.deepEqual(apply("scatter_add", { batch: 0, size: 2 }, f32(1, 2, 4), i32(-1, 5, 1)), [1, 6]);
  });
});

describe("products by group", () => {
  const x = { data: [1, 2, 3, 4, 5, 6], shape: [3, 2] };
  const labels = { lhs: [0], rhs: [0, 1], out: [1] };

  it("multiply each row by the weights of its group, clamped", () => {
    const weights = { data: [1, 10, 2, 20], shape: [2, 2, 1] };
    assert.deepEqual(apply("grouped_contraction", { ...labels, groups: 1 }, x, weights, i32(1, -4, 9)), [42, 43, 130]);
  });

  it("count groups over several axes, row-major", () => {
    const weights = { data: [1, 1, 2, 2, 3, 3, 4, 4], shape: [2, 2, 2, 1] };
    assert.deepEqual(apply("grouped_contraction", { ...labels, groups: 2 }, x, weights, i32(3, 0, 2)), [12, 7, 33]);
  });

  it("sum the products of each group's rows, zero where it has none", () => {
    const y = { data: [1, 10, 100], shape: [3, 1] };
    const attributes = { lhs: [0], rhs: [1], out: [0, 1], groups: [3] };
    assert.deepEqual(apply("grouped_sum", attributes, x, y, i32(2, 0, 2)), [30, 40, 0, 0, 501, 602]);
  });
});

describe("sorting", () => {
  it("keeps the order of equal keys, takes -0 for 0, and puts NaN last", () => {
    assert.deepEqual(apply("argsort", {}, i32(3, 1, 3, -2, 1)), [3, 1, 4, 0, 2]);
    const floats = f32(0, Number.NaN, -0, Number.POSITIVE_INFINITY, -1);
    assert.deepEqual(apply("argsort", {}, floats), [4, 0, 2, 3, 1]);
  });
});

describe("attention", () => {
  const q = { data: [1, 0, 0, 1], shape: [2, 1, 2] };
  const k = { data: [1, 0, 0, 2], shape: [1, 2, 2] };
  const v = { data: [1, 2], shape: [1, 2, 1] };
  const softmax = (a: number, b: number) => [Math.exp(a), Math.exp(b)].map((x) => x / (Math.exp(a) + Math.exp(b)));

  it("weighs values by the softmax of scaled products, heads sharing keys", () => {
    const [first, second] = [softmax(0.5, 0), softmax(0, 1)];
    const output = apply("attention", { scale: 0.5, masked: false }, q, k, v);
    [first[0]! + 2 * first[1]!, second[0]! + 2 * second[1]!].forEach((expected, head) => {
      assert.ok(Math.abs(output[head]! - expected) < 1e-15);
    });
  });

  it("gives zero, and log-sum zero, to a row that may attend nowhere", () => {
    const mask: Given = { dtype: "bool", data: [0, 1, 0, 0], shape: [2, 1, 2] };
    const types = [q, k, v].map(({ shape }) => ({ dtype: "f32" as const, shape }));
    const graph = graphOf([...types, { dtype: "bool", shape: [2, 1, 2] }], (builder, inputs) =>
      builder.addAll("attention", inputs, { scale: 1, masked: true }),
    );
    const [output, logSum] = graph.run([q, k, v, mask].map(({ data }) => Float64Array.from(data)));
    assert.deepEqual([...output!], [2, 0]);
    assert.deepEqual([...logSum!], [0, 0]);
  });

  it("stays finite for scores that overflow exponentials", () => {
    const output = apply("attention", { scale: 1e6, masked: false }, q, k, v);
    assert.deepEqual(output, [1, 2]);
  });
});

describe("contraction", () => {
  it("sums over what is in both operands and not in the result, in any order of axes", () => {
    const x = { data: [1, 2, 3, 4, 5, 6], shape: [2, 3] };
    const y = { data: [1, 0, 2, 1, 1, 1], shape: [3, 2] };
    assert.deepEqual(apply("contraction", { lhs: [0, 1], rhs: [1, 2], out: [2, 0] }, x, y), [8, 20, 5, 11]);
    assert.deepEqual(
      apply("contraction", { lhs: [0, 1], rhs: [2, 0], out: [0, 2, 1] }, x, y),
      expectedBatched(x.data, y.data),
    );
    assert.deepEqual(
      apply("contraction", { lhs: [], rhs: [], out: [] }, { data: [3], shape: [] }, { data: [4], shape: [] }),
      [12],
    );
  });
});

/** out[b, c, r] = x[b, r] y[c, b] for x [2, 3] and y [3, 2]. */
function expectedBatched(x: readonly number[], y: readonly number[]): number[] {
  const out: number[] = [];
  for (const b of [0, 1]) for (const c of [0, 1, 2]) for (const r of [0, 1, 2]) out.push(x[b * 3 + r]! * y[c * 2 + b]!);
  return out;
}
