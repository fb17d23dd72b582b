import assert from "node:assert/strict";
import { wgslDialect } from "../../codegen/scalar/dialect.js";
import { printFunction } from "../../codegen/scalar/functions.js";
import { remainder } from "../../codegen/scalar/maths.js";
import type { ElementwiseKernel } from "../../src/kernels/record.js";
import { randomFrom } from "../kernels/random-contraction.js";
import { describeOnDevices } from "./devices.js";
import { assertClose, input, listOf, output, runOnDevice } from "./kernel-runs.js";

const access = (buffer: number) => ({ buffer, offset: 0, strides: [1] });

/** Whole numbers and multiples of them, of both signs, and numbers that are far from every multiple. */
function cases(): (readonly [x: number, y: number])[] {
  const all: (readonly [number, number])[] = [];
  for (let y = 1; y <= 100; y++) {
    for (const factor of [0, 1, 2, 3, 7, 41, 999])
      all.push([factor * y, y], [-factor * y, y], [factor * y, -y], [-factor * y, -y]);
  }
  const random = randomFrom(2);
  for (let number = 0; number < 500; number++) {
    const y = Math.fround(4 * random() - 2);
    const x = Math.fround(y * (Math.floor(40 * random()) - 20 + 0.1 + 0.8 * random()));
    all.push([x, y]);
  }
  return all;
}

const expected = (x: number, y: number): number => x - Math.floor(x / y) * y;

describeOnDevices("remainders of floats", (device) => {
  it("are zero for multiples, and have the sign of the divisor", async () => {
    const pairs = cases();
    const kernel: ElementwiseKernel = {
      archetype: "elementwise",
      origins: [],
      label: "remainder",
      extents: [pairs.length],
      accesses: [access(0), access(1)],
      body: [
        { kind: "load", access: 0, dtype: "f32" },
        { kind: "load", access: 1, dtype: "f32" },
        { kind: "binary", operation: "remainder", left: 0, right: 1, dtype: "f32" },
      ],
      stores: [{ access: access(2), value: 2 }],
    };
    const list = listOf([input("x", pairs.length), input("y", pairs.length), output("r", pairs.length)], [kernel]);
    const contents = { x: pairs.map(([x]) => x), y: pairs.map(([, y]) => y) };
    const { r } = await runOnDevice(device(), list, contents);
    assertClose(
      r!,
      pairs.map(([x, y]) => expected(x, y)),
      "remainder",
      { absolute: 2e-5 },
    );
  });
});

describe("remainders of floats where WGSL divides as loosely as it may", () => {
  /** The function's text as JavaScript over f32, with a division that is so many steps of f32 off. */
  function looseRemainder(steps: number): (x: number, y: number) => number {
    const text = printFunction(remainder, wgslDialect);
    const rounded = (expression: string): string =>
      expression
        .replace(/\bx \/ y\b/g, "divide(x, y)")
        .replace(/(\d\.\d)f/g, "$1")
        .replace(/\((whole \+ 1\.0)\) \* y/g, "fround(fround($1) * y)");
    const lines = text.split("\n").slice(1, -1);
    const body = lines.map((line) =>
      rounded(line.trim()).replace(/^let (\w+): (?:f32|bool) = (.*);$/, "const $1 = round($2);"),
    );
    const divide = (x: number, y: number): number => {
      const quotient = Math.fround(x / y);
      return Math.fround(quotient * (1 + (steps / 2) * 2 ** -23));
    };
    const round = (value: number | boolean) => (typeof value === "number" ? Math.fround(value) : value);
    const select = (otherwise: unknown, then: unknown, condition: boolean) => (condition ? then : otherwise);
    const made = new Function(
      "divide",
      "round",
      "fround",
      "select",
      "floor",
      `return (x, y) => { ${body.join("\n")} };`,
    );
    return made(divide, round, Math.fround, select, Math.floor);
  }

  for (const steps of [-5, -2, 0, 2, 5]) {
    it(`are the same with quotients ${steps} half steps off`, () => {
      const loose = looseRemainder(steps);
      for (const [x, y] of cases()) {
        const [actual, wanted] = [loose(x, y), expected(x, y)];
        assert.ok(Math.abs(actual - wanted) <= 2e-5, `${x} modulo ${y} is ${actual}, not ${wanted}`);
      }
    });
  }
});
