/** Random contraction records: all ways an operand can be laid out, and fused prologues and epilogues. */
import type { Access, Buffer, ContractionKernel, Operand, Store } from "../../src/kernels/record.js";
import type { ScalarInstruction } from "../../src/kernels/scalar.js";

export type Random = () => number;

/** Mulberry32: the same numbers for the same seed. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

export const pick = <T>(random: Random, choices: readonly T[]): T => choices[Math.floor(random() * choices.length)]!;

function shuffled(random: Random, values: readonly number[]): number[] {
  const result = [...values];
  for (let last = result.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [result[last], result[other]] = [result[other]!, result[last]!];
  }
  return result;
}

/** Strides of a dense array whose axes are the dimensions `used`, in a random order, each padded at random; 0 for the others. */
export function randomLayout(
  random: Random,
  extents: readonly number[],
  used: readonly number[],
): { readonly strides: readonly number[]; readonly elements: number } {
  const strides = extents.map(() => 0);
  const order = random() < 0.5 ? [...used] : shuffled(random, used);
  let size = 1;
  for (const dimension of [...order].reverse()) {
    strides[dimension] = size;
    size *= extents[dimension]! + (random() < 0.15 ? 3 : 0);
  }
  return { strides, elements: size };
}

export interface RandomRecord {
  readonly record: ContractionKernel;
  readonly buffers: readonly Buffer[];
  /** Buffers that are read. */
  readonly inputs: readonly number[];
}

export interface Wishes {
  /** Extents of each dimension are drawn from these. */
  readonly sizes: readonly number[];
  readonly reducedSizes: readonly number[];
  readonly fused: boolean;
}

const range = (from: number, count: number) => Array.from({ length: count }, (_, position) => from + position);

export function randomContraction(random: Random, { sizes, reducedSizes, fused }: Wishes): RandomRecord {
  const buffers: Buffer[] = [];
  const inputs: number[] = [];
  const addBuffer = (dtype: Buffer["dtype"], elements: number, input: boolean): number => {
    const name = `b${buffers.length}`;
    if (input) inputs.push(buffers.length);
    return buffers.push({ dtype, elements, home: input ? { segment: "inputs", name } : { segment: "scratch" } }) - 1;
  };
  const dimensions = (most: number, from: readonly number[]) =>
    Array.from({ length: Math.floor(random() * (most + 1)) }, () => pick(random, from));
  const batch = dimensions(2, [1, 2, 3]);
  const rows = dimensions(2, sizes);
  const columns = dimensions(2, sizes);
  const outer = [...batch, ...rows, ...columns];
  const ofRows = range(batch.length, rows.length);
  const ofColumns = range(batch.length + rows.length, columns.length);

  const load = (
    extents: readonly number[],
    used: readonly number[],
    dtype: Buffer["dtype"],
    bounded: boolean,
  ): Access => {
    const { strides, elements } = randomLayout(random, extents, used);
    const offset = pick(random, [0, 0, 5]);
    const buffer = addBuffer(dtype, elements + offset, true);
    const dimension = used.length > 0 ? pick(random, used) : undefined;
    if (!bounded || dimension === undefined) return { buffer, offset, strides };
    const along = extents.map((_, other) => (other === dimension ? 1 : 0));
    return { buffer, offset, strides, bounds: [{ offset: -1, strides: along, size: extents[dimension]! - 1 }] };
  };
  const operand = (extents: readonly number[], side: readonly number[], reduced: readonly number[]): Operand => {
    const withBatch = range(0, batch.length).filter(() => random() < 0.7);
    const used = [...withBatch, ...side, ...reduced];
    const accesses = [load(extents, used, "f32", fused && random() < 0.3)];
    const body: ScalarInstruction[] = [{ kind: "load", access: 0, dtype: "f32" }];
    if (fused && random() < 0.5) {
      accesses.push(load(extents, random() < 0.5 ? side : reduced, "f32", false));
      body.push(
        { kind: "load", access: 1, dtype: "f32" },
        {
          kind: "index",
          offset: 1,
          strides: extents.map((_, dimension) => (used.includes(dimension) ? 1 : 0)),
          dtype: "i32",
        },
        { kind: "cast", operand: 2, dtype: "f32" },
        { kind: "constant", value: 0.05, dtype: "f32" },
        { kind: "binary", operation: "multiply", left: 3, right: 4, dtype: "f32" },
        { kind: "binary", operation: "add", left: 0, right: 5, dtype: "f32" },
        { kind: "binary", operation: "multiply", left: 6, right: 1, dtype: "f32" },
      );
    }
    return { accesses, body };
  };
  const products = Array.from({ length: pick(random, [1, 1, 2, 3]) }, () => {
    const reduced = dimensions(2, reducedSizes);
    const extents = [...outer, ...reduced];
    const ofReduced = range(outer.length, reduced.length);
    return { reduced, lhs: operand(extents, ofRows, ofReduced), rhs: operand(extents, ofColumns, ofReduced) };
  });

  const store = (value: number, dtype: Buffer["dtype"]): Store => {
    const { strides, elements } = randomLayout(random, outer, range(0, outer.length));
    return { access: { buffer: addBuffer(dtype, elements, false), offset: 0, strides }, value };
  };
  const epilogue: ScalarInstruction[] = [{ kind: "accumulator", dtype: "f32" }];
  const accesses: Access[] = [];
  const stores = [store(0, "f32")];
  if (fused && random() < 0.6) {
    accesses.push(load(outer, ofColumns, "f32", false), load(outer, range(0, outer.length), "f32", random() < 0.4));
    epilogue.push(
      { kind: "load", access: 0, dtype: "f32" },
      { kind: "load", access: 1, dtype: "f32" },
      { kind: "binary", operation: "add", left: 0, right: 1, dtype: "f32" },
      { kind: "unary", operation: "logistic", operand: 3, dtype: "f32" },
      { kind: "binary", operation: "multiply", left: 4, right: 2, dtype: "f32" },
    );
    stores.push(store(5, "f32"));
    if (random() < 0.5) {
      epilogue.push({ kind: "binary", operation: "less", left: 0, right: 1, dtype: "bool" });
      stores.push(store(6, "bool"));
      if (random() < 0.5) stores.shift();
    }
  }
  const record: ContractionKernel = {
    archetype: "contraction",
    origins: [],
    label: "random",
    batch,
    rows,
    columns,
    products,
    accesses,
    epilogue,
    stores,
  };
  return { record, buffers, inputs };
}
