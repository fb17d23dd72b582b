/** Random sorts and products by group with contents, for comparing code generators with the evaluator. */
import { contiguousStrides, elementCount } from "../../src/graph/shape.js";
import type { Access, KernelRecord } from "../../src/kernels/record.js";
import { type KernelCase, listOf } from "./kernel-runs.js";
import { CaseBuilder } from "./random-records.js";

/** A view without bounds, its dimensions in a random order in memory, and now and then one that repeats. */
function plainView(builder: CaseBuilder, extents: readonly number[], segment: "inputs" | "outputs"): Access {
  const dimensions = [...extents.keys()];
  const order = builder.chance(0.5) ? dimensions : builder.shuffled(dimensions);
  const repeats = segment === "inputs" && builder.chance(0.1) ? builder.pick(dimensions) : -1;
  const kept = order.filter((dimension) => dimension !== repeats);
  const contiguous = contiguousStrides(kept.map((dimension) => extents[dimension]!));
  const strides = extents.map((_, dimension) => (dimension === repeats ? 0 : contiguous[kept.indexOf(dimension)]!));
  const elements = elementCount(kept.map((dimension) => extents[dimension]!));
  const offset = builder.integer(0, 3);
  const name = `${segment === "inputs" ? "in" : "out"}${builder.buffers.length}`;
  const buffer = builder.buffers.push({ dtype: "f32", elements: elements + offset, home: { segment, name } }) - 1;
  if (segment === "inputs")
    builder.contents[name] = Array.from({ length: elements + offset }, () => builder.number("f32"));
  return { buffer, offset, strides };
}

function integers(builder: CaseBuilder, values: readonly number[]): Access {
  const name = `in${builder.buffers.length}`;
  const home = { segment: "inputs", name } as const;
  const buffer = builder.buffers.push({ dtype: "i32", elements: values.length, home }) - 1;
  builder.contents[name] = [...values];
  return { buffer, offset: 0, strides: [1] };
}

const caseOf = (builder: CaseBuilder, record: KernelRecord): KernelCase => ({
  list: listOf(builder.buffers, [record]),
  contents: builder.contents,
});

/** Floats and integers, many of them equal. */
export function randomSort(seed: number): KernelCase {
  const builder = new CaseBuilder(seed);
  const batch = builder.extents(builder.integer(0, 2), 4);
  const length = builder.chance(0.2) ? builder.integer(1, 3) : builder.integer(1, 300);
  const extents = [...batch, length];
  const dtype = builder.pick(["f32", "i32"] as const);
  const keys = plainView(builder, extents, "inputs");
  const order = plainView(builder, extents, "outputs");
  builder.buffers[keys.buffer] = { ...builder.buffers[keys.buffer]!, dtype };
  builder.buffers[order.buffer] = { ...builder.buffers[order.buffer]!, dtype: "i32" };
  const { home } = builder.buffers[keys.buffer]!;
  const name = "name" in home ? home.name : "";
  const special =
    dtype === "i32" ? [2 ** 31 - 1, -(2 ** 31)] : [-0, Number.POSITIVE_INFINITY, -1e30, 1e-30, Number.NaN];
  builder.contents[name] = builder.contents[name]!.map(() =>
    builder.chance(0.1) ? builder.pick(special) : builder.number(dtype),
  );
  return caseOf(builder, { archetype: "sort", origins: [], label: `case ${seed}`, batch, length, keys, order });
}

/** Groups of very different sizes, some of them empty. */
export function randomGroupedProduct(seed: number): KernelCase {
  const builder = new CaseBuilder(seed);
  const archetype = builder.pick(["grouped_contraction", "grouped_sum"] as const);
  const isSum = archetype === "grouped_sum";
  const rows = [builder.integer(1, builder.chance(0.3) ? 100 : 20), ...builder.extents(builder.integer(0, 1), 3)];
  const count = elementCount(rows);
  const groups = builder.extents(builder.integer(1, 2), 5);
  const groupCount = elementCount(groups);
  const batch = builder.chance(0.3) ? [builder.integer(1, 3)] : [];
  const lines = builder.extents(builder.integer(0, 2), 4);
  const columns = builder.extents(builder.integer(0, 2), 5);
  const reduced = builder.extents(builder.integer(0, 2), 6);
  // Now and then more columns than a block has, or a sum of several passes.
  const small = count * elementCount([...batch, ...lines, ...columns, ...reduced]) < 1000;
  if (small && builder.chance(0.5)) columns.push(builder.integer(60, 400));
  else if (small) reduced.push(builder.integer(150, 700));
  const favourite = builder.integer(0, groupCount - 1);
  const index = Array.from({ length: count }, () =>
    builder.chance(0.4) ? favourite : builder.integer(0, groupCount - 1),
  );
  const order = [...index.keys()].sort((a, b) => index[a]! - index[b]! || a - b);
  const offsets = Array.from({ length: groupCount + 1 }, (_, group) => index.filter((other) => other < group).length);
  return caseOf(builder, {
    archetype,
    origins: [],
    label: `case ${seed}`,
    rows,
    groups,
    batch,
    lines,
    columns,
    reduced,
    order: integers(builder, order),
    offsets: integers(builder, offsets),
    lhs: plainView(builder, [...rows, ...batch, ...lines, ...reduced], "inputs"),
    rhs: plainView(builder, [...(isSum ? rows : groups), ...batch, ...columns, ...reduced], "inputs"),
    output: plainView(builder, [...(isSum ? groups : rows), ...batch, ...lines, ...columns], "outputs"),
  });
}
