/** Random scatter-add records, and contents for them. */
import type { Buffer, ScatterAddKernel } from "../../src/kernels/record.js";
import { pick, type Random, randomLayout } from "./random-contraction.js";

export interface RandomScatter {
  readonly record: ScatterAddKernel;
  readonly buffers: readonly Buffer[];
}

export function randomScatter(random: Random): RandomScatter {
  const dimensions = (most: number, sizes: readonly number[]) =>
    Array.from({ length: Math.floor(random() * (most + 1)) }, () => pick(random, sizes));
  const batch = dimensions(1, [1, 3]);
  const updates = dimensions(2, [1, 4, 9]);
  const rest = dimensions(2, [1, 5, 16, 70]);
  const size = pick(random, [1, 4, 11]);
  const buffers: Buffer[] = [];
  const view = (extents: readonly number[], dtype: Buffer["dtype"], segment: "inputs" | "outputs") => {
    const { strides, elements } = randomLayout(random, extents, [...extents.keys()]);
    const home = { segment, name: `b${buffers.length}` } as const;
    return { buffer: buffers.push({ dtype, elements, home }) - 1, offset: 0, strides };
  };
  const indices = view([...batch, ...updates], "i32", "inputs");
  const source = view([...batch, ...updates, ...rest], "f32", "inputs");
  const target = view([...batch, size, ...rest], "f32", "outputs");
  const common = { archetype: "scatter_add", origins: [], label: "random" } as const;
  return { record: { ...common, batch, updates, size, rest, indices, source, target }, buffers };
}

/** A number for a buffer that is read; indices are a little out of range on both sides, as gather clamps them. */
export const scatterNumber = (record: ScatterAddKernel, buffer: Buffer, random: Random): number =>
  buffer.dtype === "i32" ? Math.floor(random() * (record.size + 2)) - 1 : Math.fround(random() - 0.5);
