import assert from "node:assert/strict";
import { digestText } from "../../runtime/tensors/digest.js";
import { initialValue } from "../../runtime/training/initialize.js";
import { fnv1a } from "../../runtime/training/random.js";
import type { Initializer, ParameterSpec } from "../../src/build/model.js";

const spec = (
  initializer: Initializer,
  shape: readonly number[],
  path = "net.weight",
  dtype: ParameterSpec["dtype"] = "f32",
): ParameterSpec => ({
  path,
  dtype,
  shape,
  initializer,
  storage: "param",
  span: { file: "", start: 0, end: 0 },
});
const values = (initializer: Initializer, shape: readonly number[], seed = 1, path?: string): number[] =>
  Array.from(initialValue(spec(initializer, shape, path), seed).data);
const mean = (numbers: readonly number[]): number => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;

describe("initial values", () => {
  it("draws normals of the standard deviation asked for", () => {
    const numbers = values({ kind: "normal", std: 0.02 }, [200, 500]);
    assert.ok(Math.abs(mean(numbers)) < 0.02 * 0.02);
    assert.ok(Math.abs(Math.sqrt(mean(numbers.map((number) => number ** 2))) / 0.02 - 1) < 0.01);
    // 4.6% of a normal lies beyond two standard deviations, and the tails are there.
    const beyond = numbers.filter((number) => Math.abs(number) > 0.04).length / numbers.length;
    assert.ok(Math.abs(beyond - 0.0455) < 0.003, `${beyond}`);
    assert.ok(Math.max(...numbers) > 0.07);
  });

  it("draws uniform numbers that fill their range", () => {
    const numbers = values({ kind: "uniform", bound: 0.5 }, [100_000]);
    assert.ok(Math.min(...numbers) >= -0.5 && Math.min(...numbers) < -0.499);
    assert.ok(Math.max(...numbers) < 0.5 && Math.max(...numbers) > 0.499);
    assert.ok(Math.abs(mean(numbers)) < 0.005);
    assert.ok(Math.abs(mean(numbers.map((number) => number ** 2)) - 1 / 12) < 0.001);
  });

  it("is the same every time, and different for another seed or path", () => {
    const normal: Initializer = { kind: "normal", std: 1 };
    assert.deepEqual(values(normal, [10]), values(normal, [10]));
    assert.notDeepEqual(values(normal, [10], 1), values(normal, [10], 2));
    assert.notDeepEqual(values(normal, [10], 1, "a.weight"), values(normal, [10], 1, "b.weight"));
  });

  it("does not change from one version to the next, since runs are named by their seed", () => {
    // The known value of FNV-1a for "a", and digests recorded when this was written.
    assert.equal(fnv1a("a"), 0xe40c292c);
    const recorded = (["normal", "uniform", "orthogonal"] as const).map((kind) =>
      digestText(values({ kind, std: 1, bound: 1, gain: 1 } as Initializer, [4, 6]).join()),
    );
    assert.deepEqual(recorded, ["cf061be71bcea591", "e2b17abe37ff18ec", "29d0c23651b635fe"]);
  });

  it("draws ints of which no two are equal, from all that are allowed", () => {
    const draw = (count: number, below: number, path?: string) => values({ kind: "distinct", below }, [count], 1, path);
    const few = draw(1000, 16_000_000);
    assert.equal(new Set(few).size, 1000);
    assert.ok(few.every((number) => Number.isInteger(number) && number >= 0 && number < 16_000_000));
    assert.ok(Math.abs(mean(few) / 16e6 - 0.5) < 0.05);
    assert.deepEqual(
      [...draw(50, 50)].sort((a, b) => a - b),
      Array.from({ length: 50 }, (_, number) => number),
    );
    assert.notDeepEqual(draw(50, 50), draw(50, 50, "other"));
  });

  it("makes rows or columns orthonormal, whichever are fewer, times the gain", () => {
    for (const shape of [
      [5, 12],
      [12, 5],
      [7, 7],
      [4, 3, 5],
    ]) {
      const [rows, columns] = [shape[0]!, shape.slice(1).reduce((product, size) => product * size, 1)];
      const matrix = values({ kind: "orthogonal", gain: 1.5 }, shape);
      const vectors =
        rows <= columns
          ? Array.from({ length: rows }, (_, row) => matrix.slice(row * columns, (row + 1) * columns))
          : Array.from({ length: columns }, (_, column) => matrix.filter((_, index) => index % columns === column));
      for (const [i, a] of vectors.entries()) {
        for (const [j, b] of vectors.entries()) {
          const product = a.reduce((sum, value, index) => sum + value * b[index]!, 0);
          assert.ok(Math.abs(product - (i === j ? 2.25 : 0)) < 1e-6, `${shape}: ${i} . ${j} = ${product}`);
        }
      }
    }
  });

  it("fills boxes with parts, each with its own draws, and zero elsewhere", () => {
    const part = (starts: number[], limits: number[], initializer: Initializer) => ({ starts, limits, initializer });
    const numbers = values(
      {
        kind: "parts",
        parts: [
          part([0, 0, 0], [2, 1, 2], { kind: "constant", value: 5 }),
          part([0, 1, 0], [2, 2, 3], { kind: "normal", std: 1 }),
          part([0, 2, 0], [2, 3, 3], { kind: "normal", std: 1 }),
        ],
      },
      [2, 3, 3],
    );
    assert.deepEqual(
      [numbers.slice(0, 3), numbers.slice(9, 12)],
      [
        [5, 5, 0],
        [5, 5, 0],
      ],
    );
    const first = [...numbers.slice(3, 6), ...numbers.slice(12, 15)];
    const second = [...numbers.slice(6, 9), ...numbers.slice(15, 18)];
    assert.ok([...first, ...second].every((number) => number !== 0));
    assert.notDeepEqual(first, second);
  });

  it("takes literal values and constants in the parameter's dtype", () => {
    assert.deepEqual(
      initialValue(spec({ kind: "values", values: [3, 1, 2] }, [3], "order", "i32"), 0).data,
      Int32Array.of(3, 1, 2),
    );
    assert.deepEqual(initialValue(spec({ kind: "constant", value: 0.1 }, [2]), 0).data, Float32Array.of(0.1, 0.1));
    assert.deepEqual(
      initialValue(spec({ kind: "constant", value: 1.005 }, [1], "w", "bf16"), 0).data,
      Float32Array.of(1.0078125),
    );
    assert.throws(() => values({ kind: "values", values: [1] }, [3]), /net\.weight has 3 numbers, but 1 are listed/);
  });
});
