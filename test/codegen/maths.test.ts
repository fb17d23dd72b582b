import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { cPrelude } from "../../codegen/c/prelude.js";
import { findToolchain } from "../../runtime/cpu/toolchain.js";
import type { ScalarInstruction } from "../../src/kernels/scalar.js";
import { erf } from "../../src/primitives/erf.js";
import type { UnaryName } from "../../src/primitives/names.js";
import { normalsFromWords, philox, uniformFromWord } from "../../src/primitives/philox.js";
import { temporaryFolder } from "../cpu/open-device.js";
import { describeOnDevices, type Language } from "./devices.js";
import { input, listOf, output, runOnDevice } from "./kernel-runs.js";

/** Distance between neighbouring f32 numbers at `value`. */
function ulp(value: number): number {
  const exponent = Math.floor(Math.log2(Math.max(Math.abs(value), 2 ** -126)));
  return 2 ** (exponent - 23);
}

/** `count` numbers from low to high, rounded to f32. */
const sweep = (low: number, high: number, count = 40_000): number[] =>
  Array.from({ length: count }, (_, place) => Math.fround(low + ((high - low) * place) / (count - 1)));

/** The same with equal ratios: the small numbers too. */
const ratios = (low: number, high: number, count = 20_000): number[] =>
  sweep(Math.log(low), Math.log(high), count).map((value) => Math.fround(Math.exp(value)));

const load = (access: number): ScalarInstruction => ({ kind: "load", access, dtype: "f32" });

/** The most an error may be, in ulp. */
interface Limit {
  readonly operation: UnaryName;
  readonly where: string;
  readonly limit: Readonly<Record<Language, number>>;
  readonly xs: readonly number[];
  /** Operands or results are denormal, which WGSL may take for zero: what it may then give instead. */
  readonly flushed?: number;
}

const limitOf = (
  operation: UnaryName,
  where: string,
  limit: number | Readonly<Record<Language, number>>,
  xs: readonly number[],
  flushed?: number,
): Limit => ({
  operation,
  where,
  limit: typeof limit === "number" ? { C: limit, WGSL: limit } : limit,
  xs,
  ...(flushed !== undefined && { flushed }),
});

describeOnDevices("portable maths", (device, language) => {
  async function compute(operation: UnaryName, xs: readonly number[]): Promise<Float32Array> {
    const access = { buffer: 0, offset: 0, strides: [1] };
    const body: ScalarInstruction[] = [load(0), { kind: "unary", operation, operand: 0, dtype: "f32" }];
    const stores = [{ access: { buffer: 1, offset: 0, strides: [1] }, value: 1 }];
    const list = listOf(
      [input("x", xs.length), output("y", xs.length)],
      [
        {
          archetype: "elementwise",
          origins: [],
          label: operation,
          extents: [xs.length],
          accesses: [access],
          body,
          stores,
        },
      ],
    );
    return (await runOnDevice(device(), list, { x: xs })).y as Float32Array;
  }

  const reference: Partial<Record<UnaryName, (x: number) => number>> = {
    exp: Math.exp,
    log: Math.log,
    sin: Math.sin,
    cos: Math.cos,
    tanh: Math.tanh,
    erf,
    logistic: (x) => 1 / (1 + Math.exp(-x)),
    rsqrt: (x) => 1 / Math.sqrt(x),
    sqrt: Math.sqrt,
  };

  // In WGSL a quotient may be off by 2.5 ulp, and a root, being 1 / inverseSqrt(x), by 4.5.
  const limits: readonly Limit[] = [
    limitOf("exp", "its range", 1.1, sweep(-87.3, 88.72)),
    limitOf("exp", "denormal results", 1.1, sweep(-103.9, -87.34), 0),
    limitOf("log", "all normal magnitudes", 1, ratios(1.2e-38, 3e38)),
    limitOf("log", "denormal numbers", 1, ratios(1e-44, 1.17e-38), -Infinity),
    limitOf("log", "near 1", 1, sweep(0.5, 2)),
    limitOf("sin", "|x| to 10,000", 2.5, [...sweep(-1e4, 1e4), ...sweep(-4, 4)]),
    limitOf("cos", "|x| to 10,000", 2.5, [...sweep(-1e4, 1e4), ...sweep(-4, 4)]),
    limitOf(
      "sin",
      "multiples of pi/2",
      2.5,
      sweep(1, 6366, 6366).map((n) => Math.fround((n * Math.PI) / 2)),
    ),
    limitOf("sin", "near 0", 1.5, ratios(1e-37, 1)),
    limitOf("tanh", "its range", { C: 1.5, WGSL: 2.5 }, [...sweep(-10, 10), ...ratios(1e-37, 1)]),
    limitOf("erf", "its range", 1.5, [...sweep(-5, 5), ...ratios(1e-37, 1)]),
    limitOf("logistic", "its range", { C: 3, WGSL: 5 }, sweep(-87, 90)),
    limitOf("rsqrt", "all magnitudes", { C: 2, WGSL: 8 }, ratios(1.2e-38, 1e38)),
    limitOf("sqrt", "all magnitudes", { C: 0.5, WGSL: 5 }, ratios(1.2e-38, 1e38)),
  ];
  for (const { operation, where, limit, xs, flushed } of limits) {
    it(`keeps ${operation} within ${limit[language]} ulp over ${where}`, async () => {
      const values = await compute(operation, xs);
      let worst = { error: 0, x: 0 };
      xs.forEach((x, place) => {
        if (language === "WGSL" && values[place] === flushed) return;
        const exact = reference[operation]!(x);
        const error = Math.abs(values[place]! - exact) / ulp(exact);
        if (!(error <= worst.error)) worst = { error, x };
      });
      assert.ok(worst.error <= limit[language], `${operation}(${worst.x}) is off by ${worst.error} ulp`);
    });
  }

  const special: readonly (readonly [UnaryName, readonly (readonly [number, number])[]])[] = [
    [
      "exp",
      [
        [Number.NaN, Number.NaN],
        [Infinity, Infinity],
        [-Infinity, 0],
        [-1000, 0],
        [1000, Infinity],
        [0, 1],
        [-0, 1],
      ],
    ],
    [
      "log",
      [
        [0, -Infinity],
        [-0, -Infinity],
        [-1, Number.NaN],
        [-Infinity, Number.NaN],
        [Infinity, Infinity],
        [Number.NaN, Number.NaN],
        [1, 0],
      ],
    ],
    [
      "sin",
      [
        [Number.NaN, Number.NaN],
        [Infinity, Number.NaN],
        [-Infinity, Number.NaN],
        [0, 0],
      ],
    ],
    [
      "cos",
      [
        [Number.NaN, Number.NaN],
        [Infinity, Number.NaN],
        [0, 1],
      ],
    ],
    [
      "tanh",
      [
        [Number.NaN, Number.NaN],
        [Infinity, 1],
        [-Infinity, -1],
        [50, 1],
        [-0, -0],
      ],
    ],
    [
      "erf",
      [
        [Number.NaN, Number.NaN],
        [Infinity, 1],
        [-Infinity, -1],
        [7, 1],
        [-0, -0],
      ],
    ],
    [
      "logistic",
      [
        [Number.NaN, Number.NaN],
        [Infinity, 1],
        [-Infinity, 0],
        [200, 1],
        [-200, 0],
        [0, 0.5],
      ],
    ],
    [
      "rsqrt",
      [
        [Number.NaN, Number.NaN],
        [Infinity, 0],
        [0, Infinity],
        [-1, Number.NaN],
      ],
    ],
    [
      "sign",
      [
        [Number.NaN, Number.NaN],
        [Infinity, 1],
        [-Infinity, -1],
        [-3, -1],
        [0, 0],
        [-0, -0],
      ],
    ],
    [
      "floor",
      [
        [Number.NaN, Number.NaN],
        [Infinity, Infinity],
        [-1.5, -2],
        [-0, -0],
      ],
    ],
  ];
  for (const [operation, cases] of special) {
    it(`gives the right bits of ${operation} for what is not finite`, async () => {
      // Repeated, so that both the vectors and the rest of the loop see every case.
      const xs = Array.from({ length: 37 * cases.length }, (_, place) => cases[place % cases.length]![0]);
      const values = await compute(operation, xs);
      xs.forEach((x, place) => {
        const wanted = cases[place % cases.length]![1];
        assert.ok(Object.is(values[place], wanted), `${operation}(${x}) is ${values[place]}, not ${wanted}`);
      });
    });
  }

  async function powers(pairs: readonly (readonly [number, number])[]): Promise<Float32Array> {
    const count = pairs.length;
    const access = (buffer: number) => ({ buffer, offset: 0, strides: [1] });
    const body: ScalarInstruction[] = [
      load(0),
      load(1),
      { kind: "binary", operation: "power", left: 0, right: 1, dtype: "f32" },
    ];
    const list = listOf(
      [input("x", count), input("y", count), output("z", count)],
      [
        {
          archetype: "elementwise",
          origins: [],
          label: "power",
          extents: [count],
          accesses: [access(0), access(1)],
          body,
          stores: [{ access: access(2), value: 2 }],
        },
      ],
    );
    return (await runOnDevice(device(), list, { x: pairs.map(([x]) => x), y: pairs.map(([, y]) => y) }))
      .z as Float32Array;
  }

  it("keeps power within 3 ulp, also for large exponents", async () => {
    const pairs = ratios(1e-30, 1e30).map((x, place) => [x, Math.fround(Math.sin(place) * 3)] as const);
    pairs.push(...sweep(0.5, 2, 20_000).map((x, place) => [x, Math.fround(Math.sin(place) * 120)] as const));
    const values = await powers(pairs);
    let compared = 0;
    pairs.forEach(([x, y], place) => {
      const exact = x ** y;
      if (!(exact > 1.2e-38 && exact < 3.3e38)) return;
      compared++;
      const error = Math.abs(values[place]! - exact) / ulp(exact);
      assert.ok(error <= 3, `${x} ** ${y} is off by ${error} ulp`);
    });
    assert.ok(compared > 30_000);
  });

  it("gives power its limits", async () => {
    const cases: readonly (readonly [number, number, number])[] = [
      [0, 1, 0],
      [0, -1, Infinity],
      [0, 0, 1],
      [Infinity, 1, Infinity],
      [Infinity, -1, 0],
      [-2, 2, 4],
      [-2, 3, -8],
      [-2, 0.5, Number.NaN],
      [-2, -3, -0.125],
      [Number.NaN, 1, Number.NaN],
      [Number.NaN, 0, 1],
      [2, Infinity, Infinity],
      [2, -Infinity, 0],
      [0.5, Infinity, 0],
      [2, Number.NaN, Number.NaN],
      [-Infinity, 3, -Infinity],
      [-Infinity, 2, Infinity],
      [3, 1000, Infinity],
      [3, -1000, 0],
    ];
    const values = await powers(cases.map(([x, y]) => [x, y] as const));
    cases.forEach(([x, y, wanted], place) => {
      assert.ok(Object.is(values[place], wanted), `${x} ** ${y} is ${values[place]}, not ${wanted}`);
    });
  });

  async function draws(
    distribution: "uniform" | "normal",
    key: number,
    seed: number,
    step: number,
  ): Promise<Float32Array> {
    const [rows, elements] = [3, 1003];
    const index = (strides: readonly number[]): ScalarInstruction => ({
      kind: "index",
      offset: 0,
      strides,
      dtype: "i32",
    });
    const scalar = (access: number): ScalarInstruction => ({ kind: "load", access, dtype: "u32" });
    const body: ScalarInstruction[] = [
      scalar(0),
      scalar(1),
      index([1, 0]),
      index([0, 1]),
      { kind: "random", distribution, key, seed: 0, step: 1, row: 2, element: 3, dtype: "f32" },
    ];
    const list = listOf(
      [
        { dtype: "u32", elements: 1, home: { segment: "scalars", name: "seed" } },
        { dtype: "u32", elements: 1, home: { segment: "scalars", name: "step" } },
        output("z", rows * elements),
      ],
      [
        {
          archetype: "elementwise",
          origins: [],
          label: "random",
          extents: [rows, elements],
          accesses: [0, 1].map((buffer) => ({ buffer, offset: 0, strides: [0, 0] })),
          body,
          stores: [{ access: { buffer: 2, offset: 0, strides: [elements, 1] }, value: 4 }],
        },
      ],
    );
    return (await runOnDevice(device(), list, { seed: [seed], step: [step] })).z as Float32Array;
  }

  it("draws the uniform numbers of the reference, bit for bit", async () => {
    const [key, seed, step] = [0xdeadbeef, 4_000_000_007, 17];
    const values = await draws("uniform", key, seed, step);
    values.forEach((value, place) => {
      const [row, element] = [Math.floor(place / 1003), place % 1003];
      const words = philox([element >>> 2, row, step, 0], [seed, key]);
      assert.equal(value, uniformFromWord(words[element & 3]!), `row ${row}, element ${element}`);
    });
  });

  // Roots in WGSL may be off by 4.5 ulp, and the largest normal is a root of 33.
  it("draws the normal numbers of the reference", async () => {
    const [key, seed, step] = [12, 3, 4_294_967_295];
    const values = await draws("normal", key, seed, step);
    values.forEach((value, place) => {
      const [row, element] = [Math.floor(place / 1003), place % 1003];
      const words = philox([element >>> 2, row, step, 0], [seed, key]);
      const all = [...normalsFromWords(words[0], words[1]), ...normalsFromWords(words[2], words[3])];
      const wanted = all[element & 3]!;
      const most = language === "C" ? 2e-6 : 5e-6;
      assert.ok(Math.abs(value - wanted) <= most, `row ${row}, element ${element}: ${value}, not ${wanted}`);
    });
  });
});

describe("portable maths as C", function () {
  this.timeout(60_000);

  it("is vectorised by gcc in simd loops", async function () {
    const toolchain = await findToolchain();
    const scalars = !toolchain.flags.some((flag) => flag.startsWith("-march")) || !/gcc|cc \(/i.test(toolchain.version);
    if (scalars || process.arch !== "x64") this.skip();
    const folder = temporaryFolder();
    try {
      const loop = (name: string, parameters: string, call: string) =>
        `void ${name}(float *y, int n, ${parameters}) {\n#pragma omp simd\nfor (int32_t i = 0; i < n; i++) y[i] = ${call}; /* ${name} */\n}`;
      const names = ["exp", "log", "sin", "cos", "tanh", "erf", "logistic", "rsqrt"];
      const loops = [
        ...names.map((name) => loop(`loop_${name}`, "const float *x", `weft_${name}(x[i])`)),
        loop("loop_power", "const float *x", "weft_power(x[i], x[i])"),
        loop("loop_uniform", "uint32_t s", "weft_uniform(s, s, s, s, (uint32_t)i)"),
        loop("loop_normal", "uint32_t s", "weft_normal(s, s, s, s, (uint32_t)i)"),
      ];
      const headers = cPrelude.replaceAll(/#include "[^"]*"\n?/g, "");
      const text = [headers, ...loops].join("\n");
      const source = join(folder.path, "loops.c");
      writeFileSync(source, text);
      const args = [
        ...toolchain.flags,
        "-march=x86-64-v3",
        "-fopt-info-vec-optimized",
        "-c",
        "-o",
        join(folder.path, "loops.o"),
        source,
      ];
      const { stderr, status } = spawnSync(toolchain.command, args, { encoding: "utf8" });
      assert.equal(status, 0, stderr);
      const vectorised = new Set(
        [...stderr.matchAll(/loops\.c:(\d+):.*loop vectorized/g)].map((match) => Number(match[1])),
      );
      const lines = text.split("\n");
      for (const name of [...names, "power", "uniform", "normal"]) {
        const line = lines.findIndex((one) => one.includes(`/* loop_${name} */`)) + 1;
        assert.ok(vectorised.has(line), `the loop of ${name} is not vectorised`);
      }
    } finally {
      folder.remove();
    }
  });
});
