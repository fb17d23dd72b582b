/** Small programs with known results, for testing devices. */
import type { ProgramParts } from "../../codegen/assemble.js";
import type { Program } from "../../codegen/program.js";
import { trusted } from "../../codegen/trust.js";
import type { ParameterLayout } from "../../src/kernels/layout.js";
import type { Buffer, ElementwiseKernel } from "../../src/kernels/record.js";
import type { ScalarInstruction } from "../../src/kernels/scalar.js";
import { input, listOf, output, planOf } from "../codegen/kernel-runs.js";

export const layout: ParameterLayout = {
  places: [
    { path: "a", dtype: "f32", shape: [4], offset: 0 },
    { path: "b", dtype: "f32", shape: [2, 2], offset: 256 },
  ],
  bytes: 512,
};

const load = (access: number): ScalarInstruction => ({ kind: "load", access, dtype: "f32" });
const binary = (operation: "add" | "multiply" | "divide", left: number, right: number): ScalarInstruction => ({
  kind: "binary",
  operation,
  left,
  right,
  dtype: "f32",
});

function elementwise(
  label: string,
  count: number,
  reads: readonly number[],
  body: readonly ScalarInstruction[],
  to: number,
): ElementwiseKernel {
  const strides = [1];
  return {
    archetype: "elementwise",
    origins: [{ path: "model", span: { file: "a.weft", start: 3, end: 9 } }],
    label,
    extents: [count],
    accesses: reads.map((buffer) => ({ buffer, offset: 0, strides })),
    body: [...reads.map((_, access) => load(access)), ...body],
    stores: [{ access: { buffer: to, offset: 0, strides }, value: reads.length + body.length - 1 }],
  };
}

/** What turns kernels into a program of a device's language. */
export type Generate = (parts: ProgramParts) => Program;

/** The programs in the language of a device. */
export function programsOf(generate: Generate) {
  const build = (
    buffers: readonly Buffer[],
    kernels: readonly ElementwiseKernel[],
    places: readonly number[],
  ): Program => {
    const list = listOf(buffers, kernels);
    const plan = planOf(list);
    const offsets = plan.offsets.map((offset, buffer) => places[buffer] ?? offset);
    return generate({
      lists: [list],
      plan: { ...plan, offsets },
      layout,
      graphs: [],
      target: "test",
      batch: 1,
      key: "test",
    });
  };

  /** y = x + z. */
  const sum = (): Program =>
    build(
      [input("x", 4), input("z", 4), output("y", 4)],
      [elementwise("add", 4, [0, 1], [binary("add", 0, 1)], 2)],
      [],
    );

  /** y = x * a. */
  const scale = (): Program =>
    build(
      [input("x", 4), { dtype: "f32", elements: 4, home: { segment: "parameters", path: "a" } }, output("y", 4)],
      [elementwise("multiply", 4, [0, 1], [binary("multiply", 0, 1)], 2)],
      [],
    );

  /** a = a + x, in place, and the optimiser's first state likewise. */
  const accumulate = (): Program => {
    const parameter: Buffer = { dtype: "f32", elements: 4, home: { segment: "parameters", path: "a" } };
    const state: Buffer = { dtype: "f32", elements: 4, home: { segment: "range", of: "optimizer", offset: 0 } };
    return build(
      [input("x", 4), parameter, state],
      [
        elementwise("add", 4, [1, 0], [binary("add", 0, 1)], 1),
        elementwise("add to state", 4, [2, 0], [binary("add", 0, 1)], 2),
      ],
      [0, 0, 0],
    );
  };

  /** y = x / z over many numbers, so that a run takes a while; then w = y + y. */
  const long = (count: number): Program =>
    build(
      [input("x", count), output("y", count), output("w", count)],
      [
        elementwise(
          "slow power",
          count,
          [0, 0],
          [{ kind: "binary", operation: "power", left: 0, right: 1, dtype: "f32" }],
          1,
        ),
        elementwise("double", count, [1, 1], [binary("add", 0, 1)], 2),
      ],
      [],
    );

  /** q = x / z, then a = a + q: not finite where z is 0. */
  const quotient = (): Program => {
    const parameter: Buffer = { dtype: "f32", elements: 4, home: { segment: "parameters", path: "a" } };
    const scratch: Buffer = { dtype: "f32", elements: 4, home: { segment: "scratch" } };
    return build(
      [input("x", 4), input("z", 4), scratch, parameter],
      [
        elementwise("quotient", 4, [0, 1], [binary("divide", 0, 1)], 2),
        elementwise("update", 4, [3, 2], [binary("add", 0, 1)], 3),
      ],
      [0, 256, 0, 0],
    );
  };

  /** prepared = a + a, whenever parameters changed; y = x * prepared. */
  const prepared = (): Program => {
    const parameter: Buffer = { dtype: "f32", elements: 4, home: { segment: "parameters", path: "a" } };
    const doubled: Buffer = { dtype: "f32", elements: 4, home: { segment: "prepared" } };
    const program = build(
      [parameter, doubled, input("x", 4), output("y", 4)],
      [
        elementwise("double", 4, [0, 0], [binary("add", 0, 1)], 1),
        elementwise("multiply", 4, [2, 1], [binary("multiply", 0, 1)], 3),
      ],
      [],
    );
    return trusted({ ...program, prepare: program.step.slice(0, 1), step: program.step.slice(1) });
  };

  /** h = x in f16, b = y in bf16, t = z in bool: odd numbers of elements that are narrower than a word. */
  const narrow = (): Program => {
    const copies = [
      { from: input("x", 3, "f16"), to: output("h", 3, "f16") },
      { from: input("y", 5, "bf16"), to: output("b", 5, "bf16") },
      { from: input("z", 7, "bool"), to: output("t", 7, "bool") },
    ];
    return build(
      copies.flatMap(({ from, to }) => [from, to]),
      copies.map(({ from }, number) => ({
        ...elementwise("copy", from.elements, [2 * number], [], 2 * number + 1),
        body: [{ kind: "load", access: 0, dtype: from.dtype }],
      })),
      [],
    );
  };

  /** y = x + z, where x has no elements and is zero outside them. */
  const empty = (): Program => {
    const kernel = elementwise("add", 4, [0, 1], [binary("add", 0, 1)], 2);
    const [x, z] = kernel.accesses;
    return build(
      [input("x", 0), input("z", 4), output("y", 4)],
      [{ ...kernel, accesses: [{ ...x!, bounds: [{ offset: 0, strides: [1], size: 0 }] }, z!] }],
      [],
    );
  };

  /** Every scalar as an output of its name. */
  const scalars = (): Program => {
    const given = [
      { name: "seed", dtype: "u32" },
      { name: "step", dtype: "u32" },
      { name: "row_offset", dtype: "i32" },
      { name: "learning_rate", dtype: "f32" },
    ] as const;
    return build(
      given.flatMap(({ name, dtype }) => [
        { dtype, elements: 1, home: { segment: "scalars", name } } as const,
        output(name, 1, dtype),
      ]),
      given.map(({ dtype }, number) => ({
        ...elementwise("copy", 1, [2 * number], [], 2 * number + 1),
        body: [{ kind: "load", access: 0, dtype }],
      })),
      [],
    );
  };

  return { sum, scale, accumulate, long, quotient, prepared, narrow, empty, scalars };
}

export type Programs = ReturnType<typeof programsOf>;
