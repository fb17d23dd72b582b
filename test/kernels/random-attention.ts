/** Random attention records: grouped heads, masks with repeated axes, transposed layouts. */
import type { Access, AttentionBackwardKernel, AttentionKernel, Buffer } from "../../src/kernels/record.js";
import { pick, type Random, randomLayout } from "./random-contraction.js";

export interface AttentionCase {
  readonly forward: AttentionKernel;
  readonly backward: AttentionBackwardKernel;
  readonly buffers: readonly Buffer[];
  /** Buffers filled with random numbers before the forward pass. */
  readonly inputs: readonly number[];
  /** The mask's buffer. */
  readonly mask: number | undefined;
}

export interface AttentionSizes {
  readonly lines: readonly number[];
  /** Instead of `lines` for queries. */
  readonly queries?: readonly number[];
  readonly widths: readonly number[];
  /** Most axes of the batch, and most heads of keys. */
  readonly most: number;
}

const range = (count: number) => Array.from({ length: count }, (_, position) => position);

export function randomAttention(
  random: Random,
  { lines, queries: queryLines = lines, widths, most }: AttentionSizes,
): AttentionCase {
  const buffers: Buffer[] = [];
  const inputs: number[] = [];
  const batch = range(Math.min(most, pick(random, [0, 1, 2]))).map(() => pick(random, [1, 2, 3]));
  const group = pick(random, [1, 1, 2]);
  const heads = group * Math.min(most + 1, pick(random, [1, 2]));
  const queries = pick(random, queryLines);
  const keys = pick(random, lines);
  const width = pick(random, widths);
  const valueWidth = pick(random, widths);
  const view = (extents: readonly number[], kind: "input" | "mask" | "result"): Access => {
    const used = kind === "mask" ? range(extents.length).filter(() => random() < 0.7) : range(extents.length);
    const { strides, elements } = randomLayout(random, extents, used);
    const name = `b${buffers.length}`;
    const dtype = kind === "mask" ? "bool" : "f32";
    const buffer =
      buffers.push({
        dtype,
        elements,
        home: { segment: kind === "result" ? "scratch" : "inputs", name } as Buffer["home"],
      }) - 1;
    if (kind === "input") inputs.push(buffer);
    return { buffer, offset: 0, strides };
  };
  const q = view([...batch, heads, queries, width], "input");
  const k = view([...batch, heads / group, keys, width], "input");
  const v = view([...batch, heads / group, keys, valueWidth], "input");
  const mask = random() < 0.6 ? view([...batch, heads, queries, keys], "mask") : undefined;
  const output = view([...batch, heads, queries, valueWidth], "result");
  const logSum = view([...batch, heads, queries], "result");
  const cotangent = view([...batch, heads, queries, valueWidth], "input");
  const base = {
    origins: [],
    label: "random",
    batch,
    heads,
    group,
    queries,
    keys,
    width,
    valueWidth,
    scale: 1 / Math.sqrt(width),
    q,
    k,
    v,
    ...(mask ? { mask } : {}),
    output,
    logSum,
  };
  const dq = view([...batch, heads, queries, width], "result");
  const dk = view([...batch, heads / group, keys, width], "result");
  const dv = view([...batch, heads / group, keys, valueWidth], "result");
  return {
    forward: { ...base, archetype: "attention" },
    backward: { ...base, archetype: "attention_backward", cotangent, dq, dk, dv },
    buffers,
    inputs,
    mask: mask?.buffer,
  };
}
