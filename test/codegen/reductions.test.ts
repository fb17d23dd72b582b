import assert from "node:assert/strict";
import { emitReduction } from "../../codegen/wgsl/reduction.js";
import type { TensorData } from "../../runtime/device.js";
import type { Dtype } from "../../src/graph/dtype.js";
import type { ReductionKernel } from "../../src/kernels/record.js";
import type { Reduction, ScalarInstruction } from "../../src/kernels/scalar.js";
import { describeOnDevices } from "./devices.js";
import { input, type KernelCase, listOf, output, runOnDevice, together } from "./kernel-runs.js";
import { randomNumbers } from "./random-records.js";

/** Rows of points: each row in one stretch of memory, or side by side. */
interface Table {
  readonly rows: number;
  readonly points: number;
  readonly layout: "along" | "across";
}

const tables: readonly Table[] = (
  [
    [300, 3],
    [40, 50],
    [5, 700],
    [70, 1000],
    [1, 70_000],
    [3, 20_001],
  ] as const
).flatMap(([rows, points]) => (["along", "across"] as const).map((layout) => ({ rows, points, layout })));

const nameOf = ({ rows, points, layout }: Table) => `${rows} rows of ${points}, ${layout}`;

/** Element of the row and point in memory. */
const place = ({ rows, points, layout }: Table, row: number, point: number): number =>
  layout === "along" ? row * points + point : point * rows + row;

/** A kernel with one output for each reduction, and the contents of its table. */
function caseOf(
  table: Table,
  reductions: readonly Reduction[],
  dtype: Dtype,
  number: (row: number, point: number) => number,
): KernelCase {
  const { rows, points, layout } = table;
  const values = new Array<number>(rows * points);
  for (let row = 0; row < rows; row++) {
    for (let point = 0; point < points; point++) values[place(table, row, point)] = number(row, point);
  }
  const body: ScalarInstruction[] = [{ kind: "load", access: 0, dtype }];
  const buffers = [input("x", rows * points, dtype)];
  const stores = reductions.map((reduction) => {
    const result = reduction === "argmax" ? "i32" : dtype;
    const value = body.push({ kind: "reduce", reduction, operand: 0, dtype: result }) - 1;
    const buffer = buffers.push(output(reduction, rows, result)) - 1;
    return { access: { buffer, offset: 0, strides: [1, 0] }, value };
  });
  const kernel: ReductionKernel = {
    archetype: "reduction",
    origins: [],
    label: nameOf(table),
    extents: [rows, points],
    reduced: 1,
    accesses: [{ buffer: 0, offset: 0, strides: layout === "along" ? [points, 1] : [1, rows] }],
    body,
    stores,
  };
  return { list: listOf(buffers, [kernel]), contents: { x: values } };
}

describeOnDevices("reductions", (device) => {
  /** Results of all cases; those of case n are named `n/REDUCTION`. */
  async function results(cases: readonly KernelCase[]): Promise<Record<string, TensorData>> {
    const { list, contents } = together(cases);
    return runOnDevice(device(), list, contents);
  }

  /** Rows of every kind: with a NaN, with several, with equal numbers, with infinities, of nothing but -infinity. */
  function strange(table: Table): (row: number, point: number) => number {
    const random = randomNumbers(table.rows + table.points);
    const marked = Array.from({ length: table.rows }, () =>
      [random(), random()].map((x) => Math.floor(x * table.points)),
    );
    return (row, point) => {
      const isMarked = marked[row]!.includes(point);
      const number = Math.fround(random() * 4 - 2);
      switch (row % 6) {
        case 0:
          return number;
        case 1:
          return point === marked[row]![0] ? Number.NaN : number;
        case 2:
          return isMarked ? Number.NaN : number;
        case 3:
          return isMarked ? 3 : Math.round(number);
        case 4:
          return isMarked ? Infinity : -Infinity;
        default:
          return -Infinity;
      }
    };
  }

  it("keep NaN in extremes, and find the first NaN or else the first of the largest", async () => {
    const cases = tables.flatMap((table) => [
      caseOf(table, ["maximum", "minimum"], "f32", strange(table)),
      caseOf(table, ["argmax"], "f32", strange(table)),
    ]);
    const actual = await results(cases);
    for (const [number, table] of tables.entries()) {
      const values = cases[2 * number]!.contents.x!;
      for (let row = 0; row < table.rows; row++) {
        const points = Array.from({ length: table.points }, (_, point) => values[place(table, row, point)]!);
        let [largest, least, first] = [-Infinity, Infinity, 0];
        for (const [point, value] of points.entries()) {
          if (value > points[first]! || (Number.isNaN(value) && !Number.isNaN(points[first]!))) first = point;
          largest = Math.max(largest, value);
          least = Math.min(least, value);
        }
        const what = `row ${row} of ${nameOf(table)}`;
        assert.deepEqual(actual[`${2 * number}/maximum`]![row], largest, `maximum of ${what}`);
        assert.deepEqual(actual[`${2 * number}/minimum`]![row], least, `minimum of ${what}`);
        assert.deepEqual(actual[`${2 * number + 1}/argmax`]![row], first, `argmax of ${what}`);
      }
    }
  });

  it("add up many numbers of one sign without losing the last ones", async () => {
    const long: readonly Table[] = [
      { rows: 1, points: 70_000, layout: "along" },
      { rows: 33, points: 60_000, layout: "along" },
      { rows: 4200, points: 800, layout: "across" },
      { rows: 20, points: 20_000, layout: "across" },
    ];
    const random = randomNumbers(4);
    const cases = long.map((table) => caseOf(table, ["sum"], "f32", () => Math.fround(0.1 + random())));
    const actual = await results(cases);
    for (const [number, table] of long.entries()) {
      const values = cases[number]!.contents.x!;
      for (let row = 0; row < table.rows; row++) {
        let sum = 0;
        for (let point = 0; point < table.points; point++) sum += values[place(table, row, point)]!;
        const error = Math.abs(actual[`${number}/sum`]![row]! - sum) / sum;
        assert.ok(error <= 2e-6, `row ${row} of ${nameOf(table)} is off by a share of ${error}`);
      }
    }
  });

  it("wrap sums of integers to 32 bits", async () => {
    const signed = (row: number, point: number) => (Math.imul(row + 1, 0x9e3779b1) * (point + 1)) | 0;
    const unsigned = (row: number, point: number) => signed(row, point) >>> 0;
    const cases = tables.flatMap((table) => [
      caseOf(table, ["sum", "maximum"], "i32", signed),
      caseOf(table, ["sum", "maximum"], "u32", unsigned),
    ]);
    const actual = await results(cases);
    for (const [number, one] of cases.entries()) {
      const table = tables[number >> 1]!;
      const isSigned = number % 2 === 0;
      for (let row = 0; row < table.rows; row++) {
        let [sum, largest] = [0, -Infinity];
        for (let point = 0; point < table.points; point++) {
          const value = one.contents.x![place(table, row, point)]!;
          sum = (sum + value) | 0;
          largest = Math.max(largest, value);
        }
        const what = `row ${row} of ${nameOf(table)}, ${isSigned ? "i32" : "u32"}`;
        assert.equal(actual[`${number}/sum`]![row], isSigned ? sum : sum >>> 0, `sum of ${what}`);
        assert.equal(actual[`${number}/maximum`]![row], largest, `maximum of ${what}`);
      }
    }
  });

  it("bind no more than eight buffers where that leaves no room for partial results", async () => {
    const points = 70_000;
    const random = randomNumbers(5);
    const contents: Record<string, readonly number[]> = {};
    const names = ["a", "b", "c", "d", "e", "f", "g"];
    for (const name of names) contents[name] = Array.from({ length: points }, () => Math.fround(0.1 + random()));
    const buffers = [...names.map((name) => input(name, points)), output("y", 1)];
    const body: ScalarInstruction[] = names.map((_, access) => ({ kind: "load", access, dtype: "f32" }));
    const binary = (operation: "add" | "multiply", left: number, right: number): number =>
      body.push({ kind: "binary", operation, left, right, dtype: "f32" }) - 1;
    const sum = (operand: number): number => body.push({ kind: "reduce", reduction: "sum", operand, dtype: "f32" }) - 1;
    const sums = [binary("multiply", 0, 1), binary("multiply", 2, 3), binary("multiply", 4, binary("add", 5, 6))].map(
      sum,
    );
    const value = binary("add", sums[0]!, binary("add", sums[1]!, sums[2]!));
    const kernel: ReductionKernel = {
      archetype: "reduction",
      origins: [],
      label: "three sums",
      extents: [points],
      reduced: 1,
      accesses: names.map((_, buffer) => ({ buffer, offset: 0, strides: [1] })),
      body,
      stores: [{ access: { buffer: names.length, offset: 0, strides: [0] }, value }],
    };
    for (const { bindings } of emitReduction(kernel, buffers)) assert.ok(bindings.length <= 8, `${bindings.length}`);
    const { y } = await runOnDevice(device(), listOf(buffers, [kernel]), contents);
    const [a, b, c, d, e, f, g] = names.map((name) => contents[name]!);
    let expected = 0;
    for (let at = 0; at < points; at++)
      expected += a![at]! * b![at]! + c![at]! * d![at]! + e![at]! * (f![at]! + g![at]!);
    assert.ok(Math.abs(y![0]! / expected - 1) < 1e-5, `${y![0]} instead of ${expected}`);
  });

  it("say whether any or all of some truth values hold", async () => {
    const cases = tables.map((table) =>
      caseOf(table, ["maximum", "minimum"], "bool", (row, point) => {
        const usual = row % 2;
        return row % 4 < 2 || point !== (row * 7) % table.points ? usual : 1 - usual;
      }),
    );
    const actual = await results(cases);
    for (const [number, table] of tables.entries()) {
      for (let row = 0; row < table.rows; row++) {
        const what = `row ${row} of ${nameOf(table)}`;
        const [usual, mixed] = [row % 2, row % 4 >= 2];
        assert.equal(actual[`${number}/maximum`]![row], usual || mixed ? 1 : 0, `any of ${what}`);
        assert.equal(actual[`${number}/minimum`]![row], usual && !mixed ? 1 : 0, `all of ${what}`);
      }
    }
  });

  it("give of nothing what changes nothing", async () => {
    const wanted = [
      ["f32", 0, -Infinity, Infinity],
      ["i32", 0, -(2 ** 31), 2 ** 31 - 1],
      ["u32", 0, 0, 2 ** 32 - 1],
    ] as const;
    const cases = wanted.map(([dtype]) =>
      caseOf({ rows: 3, points: 0, layout: "along" }, ["sum", "maximum", "minimum"], dtype, () => 0),
    );
    const actual = await results(cases);
    for (const [number, [dtype, sum, largest, least]] of wanted.entries()) {
      for (const [reduction, value] of [
        ["sum", sum],
        ["maximum", largest],
        ["minimum", least],
      ] as const) {
        assert.deepEqual([...actual[`${number}/${reduction}`]!], [value, value, value], `${reduction} of no ${dtype}`);
      }
    }
  });
});
