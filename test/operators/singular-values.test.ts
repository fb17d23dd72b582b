import assert from "node:assert/strict";
import { effectiveRank, singularValues } from "../../runtime/operators/singular-values.js";
import { noise } from "../cli/support.js";

/** Numbers without pattern. */
const numbers = (count: number, seed: number): number[] =>
  Array.from({ length: count }, (_, place) => noise(seed)(place));

const close = (found: ArrayLike<number>, expected: readonly number[], within = 1e-10): void => {
  assert.equal(found.length, expected.length, `${Array.from(found)}`);
  expected.forEach((value, place) => {
    assert.ok(Math.abs(found[place]! - value) <= within * Math.max(1, value), `${found[place]}, not ${value}`);
  });
};

describe("singular values", () => {
  it("are the lengths along the axes of a scaled rotation", () => {
    const [c, s] = [Math.cos(0.7), Math.sin(0.7)];
    close(singularValues([3 * c, -2 * s, 3 * s, 2 * c], 2, 2), [3, 2]);
    close(singularValues([0, 5, 0, 0, 0, 0], 2, 3), [5]);
  });

  it("have the squares' sum of the matrix, whichever side is longer", () => {
    for (const [rows, columns] of [
      [7, 4],
      [4, 7],
      [6, 6],
      [1, 9],
      [9, 1],
    ] as const) {
      const matrix = numbers(rows * columns, rows);
      const values = singularValues(matrix, rows, columns);
      assert.equal(values.length, Math.min(rows, columns));
      const sum = values.reduce((total, value) => total + value * value, 0);
      const expected = matrix.reduce((total, value) => total + value * value, 0);
      assert.ok(Math.abs(sum - expected) < 1e-10 * expected);
      assert.deepEqual(
        [...values],
        [...values].sort((a, b) => b - a),
      );
      const transposed = Array.from({ length: rows * columns }, (_, place) => {
        return matrix[(place % rows) * columns + Math.floor(place / rows)]!;
      });
      close(singularValues(transposed, columns, rows), [...values]);
    }
  });

  it("are as many as the rank of a product", () => {
    const [a, b] = [numbers(40 * 3, 1), numbers(3 * 50, 2)];
    const product = Array.from({ length: 2000 }, (_, place) => {
      const [row, column] = [Math.floor(place / 50), place % 50];
      return [0, 1, 2].reduce((sum, inner) => sum + a[row * 3 + inner]! * b[inner * 50 + column]!, 0);
    });
    assert.equal(singularValues(product, 40, 50).length, 3);
    assert.equal(singularValues(new Float64Array(12), 3, 4).length, 0);
  });

  it("tell on how many directions a matrix acts", () => {
    assert.equal(effectiveRank([]), 0);
    assert.ok(Math.abs(effectiveRank([2, 2, 2]) - 3) < 1e-12);
    assert.equal(effectiveRank([5]), 1);
    const uneven = effectiveRank([10, 1]);
    assert.ok(uneven > 1 && uneven < 2);
  });
});
