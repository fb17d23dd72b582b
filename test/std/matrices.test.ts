import { strict as assert } from "node:assert";
import fc from "fast-check";
import { build, run } from "../build/support.js";
import * as dense from "./interfaces/dense.js";

const model = build(`import { cayley, identity, inverse, reflect, skew, unit_triangular_inverse } from "std/matrices"
model M() {
  fn inverses(a: [2, 3, 3]) -> [2, 3, 3] { inverse(a, steps: 30) }
  fn few_steps(a: [3, 3]) -> [3, 3] { inverse(a, steps: 6) }
  fn triangular(a: [7, 7]) -> [7, 7] { unit_triangular_inverse(a) }
  fn single(a: [1, 1]) -> [1, 1] { unit_triangular_inverse(a) }
  fn skews(above: [2, 6]) -> [2, 4, 4] { skew(above, 4) }
  fn nothing(above: [2, 0]) -> [2, 1, 1] { skew(above, 1) }
  fn rotations(above: [2, 6]) -> [2, 4, 4] { cayley(skew(above, 4)) }
  fn reflected(x: [2, 3], v: [5, 3]) -> [2, 3] { reflect(x, v) }
  fn eye() -> [3, 3] { identity(3) }
}
`);

const numbers = (count: number, size = 1) =>
  fc.array(
    fc.integer({ min: -1000, max: 1000 }).map((number) => (size * number) / 1000),
    { minLength: count, maxLength: count },
  );

function assertNear(found: readonly number[], expected: readonly number[], tolerance = 1e-9): void {
  assert.equal(found.length, expected.length);
  for (const [place, number] of expected.entries()) {
    assert.ok(
      Math.abs(found[place]! - number) <= tolerance * Math.max(1, Math.abs(number)),
      `${found} and ${expected}`,
    );
  }
}

const seed = Number(process.env.WEFT_SEED ?? 7);
const numRuns = 30;

describe("std/matrices", () => {
  it("inverts matrices, several at once, however they are scaled", async () => {
    const built = await model;
    const scales = fc.constantFrom(1e-4, 0.1, 1, 30, 1e4);
    fc.assert(
      fc.property(numbers(18, 0.3), scales, (entries, scale) => {
        // Heavy on the diagonal, so that they are far from singular.
        const a = entries.map((entry, place) => scale * (entry + ((place % 9) % 4 === 0 ? 1 : 0)));
        const both = [a.slice(0, 9), a.slice(9)].map((part) => dense.rowsOf(part, 3));
        assertNear(
          run(built, "inverses", { a }).output!.map((entry) => scale * entry),
          both.flatMap((part) => dense.scale(dense.inverse(part), scale).flat()),
          1e-7,
        );
      }),
      { seed, numRuns },
    );
  });

  it("squares what is missing with each step", async () => {
    const built = await model;
    const a = [1, 0.5, 0, -0.5, 1, 0.25, 0, -0.25, 1];
    const residual = dense.add(
      dense.identity(3),
      dense.scale(dense.multiply(dense.rowsOf(a, 3), dense.rowsOf(run(built, "few_steps", { a }).output!, 3)), -1),
    );
    // The smallest singular value is 1, and no row or column sums up to more than 1.75.
    const promised = (1 - 1 / 1.75 ** 2) ** (2 ** 6);
    assert.ok(Math.max(...residual.flat().map(Math.abs)) <= promised);
    assert.ok(promised < 1e-10);
  });

  it("inverts triangular matrices with ones on the diagonal exactly, upper or lower", async () => {
    const built = await model;
    fc.assert(
      fc.property(numbers(49), fc.boolean(), (entries, upper) => {
        const a = dense.matrix(7, 7, (row, column) =>
          row === column ? 1 : upper === column > row ? entries[row * 7 + column]! : 0,
        );
        assertNear(run(built, "triangular", { a: a.flat() }).output!, dense.inverse(a).flat());
      }),
      { seed, numRuns },
    );
    assert.deepEqual(run(built, "single", { a: [1] }).output, [1]);
  });

  it("makes skew-symmetric matrices and the rotations that go with them", async () => {
    const built = await model;
    fc.assert(
      fc.property(numbers(12, 0.8), (above) => {
        const parts = [above.slice(0, 6), above.slice(6)].map((part) => dense.skew(part, 4));
        assertNear(run(built, "skews", { above }).output!, parts.flat(2));
        const turns = run(built, "rotations", { above }).output!;
        assertNear(
          turns,
          parts.flatMap((part) => dense.cayley(part).flat()),
        );
        const first = dense.rowsOf(turns.slice(0, 16), 4);
        assertNear(dense.multiply(first, dense.transpose(first)).flat(), dense.identity(4).flat());
      }),
      { seed, numRuns },
    );
    assert.deepEqual(run(built, "rotations", { above: new Array(12).fill(0) }).output, [
      ...dense.identity(4).flat(),
      ...dense.identity(4).flat(),
    ]);
    assert.deepEqual(run(built, "eye", {}).output, dense.identity(3).flat());
  });

  it("reflects at all rows, the last one first", async () => {
    const built = await model;
    fc.assert(
      fc.property(numbers(6), numbers(15), (x, entries) => {
        const v = entries.map((entry, place) => (place % 3 === 0 ? 2 + entry : entry));
        const rows = dense.rowsOf(v, 3);
        const all = dense.multiply(...rows.map(dense.reflection));
        assertNear(
          run(built, "reflected", { x, v }).output!,
          dense.multiply(dense.rowsOf(x, 3), dense.transpose(all)).flat(),
          1e-6,
        );
      }),
      { seed, numRuns },
    );
  });
});
