import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { emitKernels as emitC } from "../../codegen/c/index.js";
import { emitKernels as emitWgsl } from "../../codegen/wgsl/index.js";
import type { Buffer, ElementwiseKernel, KernelRecord, ReductionKernel } from "../../src/kernels/record.js";
import type { ScalarInstruction } from "../../src/kernels/scalar.js";
import { input, output } from "./kernel-runs.js";

const emitters = { c: emitC, wgsl: emitWgsl } as const;
type Language = keyof typeof emitters;

/** Compares with the golden file; WEFT_GOLDEN=write replaces it. */
function assertGolden(language: Language, name: string, text: string): void {
  const folder = join(import.meta.dirname, "..", "golden", language);
  const path = join(folder, `${name}.${language}`);
  if (process.env.WEFT_GOLDEN === "write") {
    mkdirSync(folder, { recursive: true });
    writeFileSync(path, text);
  }
  assert.equal(text, readFileSync(path, "utf8"));
}

const load = (access: number): ScalarInstruction => ({ kind: "load", access, dtype: "f32" });
const constant = (value: number): ScalarInstruction => ({ kind: "constant", value, dtype: "f32" });
const unary = (operation: "exp" | "erf" | "rsqrt", operand: number): ScalarInstruction => ({
  kind: "unary",
  operation,
  operand,
  dtype: "f32",
});
const binary = (
  operation: "add" | "subtract" | "multiply" | "divide",
  left: number,
  right: number,
): ScalarInstruction => ({
  kind: "binary",
  operation,
  left,
  right,
  dtype: "f32",
});
const reduce = (reduction: "sum" | "maximum", operand: number): ScalarInstruction => ({
  kind: "reduce",
  reduction,
  operand,
  dtype: "f32",
});
const view = (buffer: number, ...strides: number[]) => ({ buffer, offset: 0, strides });

interface Sample {
  readonly name: string;
  /** What its kernels show, in the languages in which they show something. */
  readonly shows: Readonly<Partial<Record<Language, string>>>;
  readonly buffers: readonly Buffer[];
  readonly record: KernelRecord;
}

const elementwise = (
  parts: Pick<ElementwiseKernel, "extents" | "accesses" | "body" | "stores">,
): ElementwiseKernel => ({
  archetype: "elementwise",
  origins: [],
  label: "sample",
  ...parts,
});
const reduction = (
  parts: Pick<ReductionKernel, "extents" | "reduced" | "accesses" | "body" | "stores">,
): ReductionKernel => ({
  archetype: "reduction",
  origins: [],
  label: "sample",
  ...parts,
});

const samples: readonly Sample[] = [
  {
    name: "gelu-of-biased",
    shows: {
      c: "a broadcast operand, and a vector loop over the last dimension",
      wgsl: "a broadcast operand, and a thread for every point",
    },
    buffers: [input("x", 64 * 96), input("bias", 96), output("y", 64 * 96)],
    record: elementwise({
      extents: [64, 96],
      accesses: [view(0, 96, 1), view(1, 0, 1)],
      body: [
        load(0),
        load(1),
        binary("add", 0, 1),
        constant(Math.SQRT1_2),
        binary("multiply", 2, 3),
        unary("erf", 4),
        constant(1),
        binary("add", 5, 6),
        constant(0.5),
        binary("multiply", 2, 8),
        binary("multiply", 9, 7),
      ],
      stores: [{ access: view(2, 96, 1), value: 10 }],
    }),
  },
  {
    name: "padded-sum",
    shows: { c: "bounds as predicates, and a long joined dimension cut into blocks", wgsl: "bounds as conditions" },
    buffers: [input("x", 90_000), input("z", 100_000), output("y", 100_000)],
    record: elementwise({
      extents: [100, 1000],
      accesses: [
        { buffer: 0, offset: -5000, strides: [1000, 1], bounds: [{ offset: -5000, strides: [1000, 1], size: 90_000 }] },
        view(1, 1000, 1),
      ],
      body: [load(0), load(1), binary("add", 0, 1)],
      stores: [{ access: view(2, 1000, 1), value: 2 }],
    }),
  },
  {
    name: "transpose",
    shows: { c: "tiles, where a load runs across the store's direction" },
    buffers: [input("x", 300 * 200), output("y", 300 * 200)],
    record: elementwise({
      extents: [200, 300],
      accesses: [view(0, 1, 200)],
      body: [load(0)],
      stores: [{ access: view(1, 300, 1), value: 0 }],
    }),
  },
  {
    name: "softmax-of-rows",
    shows: {
      c: "three walks over a row; exponentials are kept for the last",
      wgsl: "three walks of a workgroup over a row",
    },
    buffers: [input("x", 32 * 200), output("y", 32 * 200)],
    record: reduction({
      extents: [32, 200],
      reduced: 1,
      accesses: [view(0, 200, 1)],
      body: [
        load(0),
        reduce("maximum", 0),
        binary("subtract", 0, 1),
        unary("exp", 2),
        reduce("sum", 3),
        binary("divide", 3, 4),
      ],
      stores: [{ access: view(1, 200, 1), value: 5 }],
    }),
  },
  {
    name: "sum-of-columns",
    shows: {
      c: "a bias gradient: neighbouring columns in vector lanes",
      wgsl: "a bias gradient: neighbouring threads take neighbouring columns",
    },
    buffers: [input("x", 128 * 5000), output("y", 5000)],
    record: reduction({
      extents: [5000, 128],
      reduced: 1,
      accesses: [view(0, 1, 5000)],
      body: [load(0), reduce("sum", 0)],
      stores: [{ access: view(1, 1, 0), value: 1 }],
    }),
  },
  {
    name: "norm-of-everything",
    shows: {
      c: "partial results in private scratch, then their reduction",
      wgsl: "partial results in private scratch, then their reduction",
    },
    buffers: [input("x", 1_000_003), output("y", 1)],
    record: reduction({
      extents: [1_000_003],
      reduced: 1,
      accesses: [view(0, 1)],
      body: [load(0), binary("multiply", 0, 0), reduce("sum", 1), unary("rsqrt", 2)],
      stores: [{ access: view(1, 0), value: 3 }],
    }),
  },
  {
    name: "product-with-bias",
    shows: { wgsl: "tiles of both operands in workgroup memory, a prologue and an epilogue" },
    buffers: [input("x", 100 * 64), input("w", 48 * 64), input("bias", 48), output("y", 100 * 48), input("gain", 64)],
    record: {
      archetype: "contraction",
      origins: [],
      label: "sample",
      batch: [],
      rows: [100],
      columns: [48],
      products: [
        {
          reduced: [64],
          lhs: { accesses: [view(0, 64, 0, 1), view(4, 0, 0, 1)], body: [load(0), load(1), binary("multiply", 0, 1)] },
          rhs: { accesses: [view(1, 0, 64, 1)], body: [load(0)] },
        },
      ],
      accesses: [view(2, 0, 1)],
      epilogue: [{ kind: "accumulator", dtype: "f32" }, load(0), binary("add", 0, 1)],
      stores: [{ access: view(3, 48, 1), value: 2 }],
    },
  },
  {
    name: "masked-attention",
    shows: { wgsl: "scores, weights and sums of a query in one workgroup" },
    buffers: [
      input("q", 8 * 40 * 32),
      input("k", 4 * 40 * 32),
      input("v", 4 * 40 * 32),
      input("mask", 40, "bool"),
      output("o", 8 * 40 * 32),
      output("log sum", 8 * 40),
    ],
    record: {
      archetype: "attention",
      origins: [],
      label: "sample",
      batch: [2],
      heads: 4,
      group: 2,
      queries: 40,
      keys: 40,
      width: 32,
      valueWidth: 32,
      scale: 0.25,
      q: view(0, 5120, 1280, 32, 1),
      k: view(1, 2560, 1280, 32, 1),
      v: view(2, 2560, 1280, 32, 1),
      mask: view(3, 0, 0, 0, 1),
      output: view(4, 5120, 1280, 32, 1),
      logSum: view(5, 160, 40, 1),
    },
  },
  {
    name: "rows-by-expert",
    shows: { wgsl: "a tile that finds its group on the device, and rows where the order says" },
    buffers: [
      input("order", 200, "i32"),
      input("offsets", 5, "i32"),
      input("x", 200 * 32),
      input("w", 4 * 64 * 32),
      output("y", 200 * 64),
    ],
    record: {
      archetype: "grouped_contraction",
      origins: [],
      label: "sample",
      rows: [200],
      groups: [4],
      batch: [],
      lines: [],
      columns: [64],
      reduced: [32],
      order: view(0, 1),
      offsets: view(1, 1),
      lhs: view(2, 32, 1),
      rhs: view(3, 2048, 32, 1),
      output: view(4, 64, 1),
    },
  },
  {
    name: "sorted-rows",
    shows: { wgsl: "a thread for every key, which counts those before it" },
    buffers: [input("keys", 300, "i32"), output("order", 300, "i32")],
    record: {
      archetype: "sort",
      origins: [],
      label: "sample",
      batch: [3],
      length: 100,
      keys: view(0, 100, 1),
      order: view(1, 100, 1),
    },
  },
];

for (const language of ["c", "wgsl"] as const) {
  describe(`kernels as text in ${language === "c" ? "C" : "WGSL"}`, () => {
    for (const { name, shows, buffers, record } of samples) {
      if (shows[language] === undefined) continue;
      it(`show ${shows[language]}`, () => {
        const text = emitters[language](record, buffers)
          .map(({ source, bindings, integers, floats, units }) =>
            [
              `// units: ${units}`,
              `// integers: ${integers.join(" ")}`,
              ...(floats.length > 0 ? [`// floats: ${floats.join(" ")}`] : []),
              ...bindings.map((binding) =>
                "buffer" in binding
                  ? `// ${binding.access} buffer ${binding.buffer}`
                  : `// ${binding.access} private scratch: ${binding.private.bytes} bytes at ${binding.private.offset}`,
              ),
              source,
            ].join("\n"),
          )
          .join("\n");
        assertGolden(language, name, text);
      });
    }
  });
}
