/** Products of rows by group: a thread for every element of the result, which goes over the sum. */
import { elementCount } from "../../src/graph/shape.js";
import type { Access, Buffer, GroupedContractionKernel, GroupedSumKernel } from "../../src/kernels/record.js";
import type { EmittedKernel } from "../emitted.js";
import { plainView } from "./plain-view.js";
import { type Coordinates, KernelWriter, workgroupSize } from "./writer.js";

/**
 * Emits the kernels of a product by group: one, or none when its result is empty. Sums run over the rows of a group in order.
 * @throws RangeError for numbers that are no f32.
 */
export function emitGroupedProduct(
  record: GroupedContractionKernel | GroupedSumKernel,
  buffers: readonly Buffer[],
): readonly EmittedKernel[] {
  const { rows, groups, batch, lines, columns, reduced } = record;
  const isSum = record.archetype === "grouped_sum";
  const [count, groupCount] = [elementCount(rows), elementCount(groups)];
  const each = [...batch, ...lines, ...columns];
  const elements = (isSum ? groupCount : count) * elementCount(each);
  if (elements === 0) return [];
  for (const { buffer } of [record.lhs, record.rhs, record.output]) {
    const { dtype } = buffers[buffer]!;
    if (dtype !== "f32") throw new RangeError(`a product by group of ${dtype}; the kernel multiplies f32`);
  }
  const writer = new KernelWriter(buffers, [record.output.buffer]);
  writer.line(
    `let element = unit * ${workgroupSize} + lane;`,
    `if (element >= ${writer.integer("elements", elements)}) { return; }`,
  );
  // Dimension 0 is the row's place in the order, or the group; then come those of the product.
  const lead = isSum ? groupCount : count;
  const whole = writer.coordinates(
    [lead, ...each].map((extent, dimension) => ({ dimension, extent })),
    "element",
  );
  const side = (first: number, length: number) => Array.from({ length }, (_, place) => whole.get(first + place)!);
  const ofBatch = side(1, batch.length);
  const ofLines = side(1 + batch.length, lines.length);
  const ofColumns = side(1 + batch.length + lines.length, columns.length);
  const numbered = (...lists: readonly (readonly string[])[]): Coordinates => new Map([...lists.flat().entries()]);
  const integer = (key: string, access: Access, at: string) =>
    writer.let(key, writer.read(key, plainView(access), numbered([at]))());
  /** Coordinates of dimensions that are numbered together. */
  const opened = (extents: readonly number[], number: string, key: string) => {
    const dimensions = extents.map((extent, dimension) => ({ dimension, extent }));
    return [...writer.coordinates(dimensions, number, key).values()];
  };

  writer.line("var sum = 0.0f;");
  const length = elementCount(reduced);
  const addProducts = (left: readonly string[], right: readonly string[]) => {
    writer.open(`for (var k = 0; k < ${writer.integer("reduced", length)}; k++) {`);
    const inner = opened(reduced, "k", "reduced");
    const lhs = writer.read("lhs", plainView(record.lhs), numbered(left, ofBatch, ofLines, inner))();
    const rhs = writer.read("rhs", plainView(record.rhs), numbered(right, ofBatch, ofColumns, inner))();
    writer.line(`sum = fma(${lhs}, ${rhs}, sum);`);
    writer.close();
  };
  const first = whole.get(0)!;
  if (isSum) {
    const start = integer("start", record.offsets, first);
    const end = integer("end", record.offsets, `(${first} + 1)`);
    writer.open(`for (var place = ${start}; place < ${end}; place++) {`);
    const row = opened(rows, integer("row", record.order, "place"), "rows");
    addProducts(row, row);
    writer.close();
    writer.write(
      "output",
      plainView(record.output),
      numbered(opened(groups, first, "group"), ofBatch, ofLines, ofColumns),
      "sum",
    );
  } else {
    const row = opened(rows, integer("row", record.order, first), "rows");
    // The last group that starts at or before this place: empty ones start where the next one does.
    writer.line("var group_of = 0;", `var above = ${writer.integer("groups", groupCount)};`);
    writer.open("while (above - group_of > 1) {");
    writer.line("let middle = (group_of + above) / 2;");
    const start = integer("start", record.offsets, "middle");
    writer.line(`if (${start} <= ${first}) { group_of = middle; } else { above = middle; }`);
    writer.close();
    addProducts(row, opened(groups, "group_of", "group"));
    writer.write("output", plainView(record.output), numbered(row, ofBatch, ofLines, ofColumns), "sum");
  }
  const products = count * elementCount(each) * length;
  return [writer.finish(Math.ceil(elements / workgroupSize), products * 0.3 + elements)];
}
