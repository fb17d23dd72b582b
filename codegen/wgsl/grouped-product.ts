/**
 * Products of rows by group: a workgroup for every tile of the result. How many rows a group has is known only on the device, so that a
 * tile finds its group there, and some workgroups find nothing left to do.
 */
import { elementCount } from "../../src/graph/shape.js";
import type { Access, Buffer, GroupedContractionKernel, GroupedSumKernel } from "../../src/kernels/record.js";
import type { EmittedKernel } from "../emitted.js";
import { plainView } from "./plain-view.js";
import { openResults, type Side, tileSide, writeSums, writeThread } from "./tile.js";
import { type Coordinates, KernelWriter } from "./writer.js";

type Record = GroupedContractionKernel | GroupedSumKernel;

/**
 * Emits the kernels of a product by group: one, or none when its result is empty. Sums run over the rows of a group in order.
 * @throws RangeError for numbers that are no f32.
 */
export function emitGroupedProduct(record: Record, buffers: readonly Buffer[]): readonly EmittedKernel[] {
  const { archetype, rows, groups, batch, lines, columns } = record;
  const lead = archetype === "grouped_sum" ? groups : rows;
  if (elementCount([...lead, ...batch, ...lines, ...columns]) === 0) return [];
  for (const { buffer } of [record.lhs, record.rhs, record.output]) {
    const { dtype } = buffers[buffer]!;
    if (dtype !== "f32") throw new RangeError(`a product by group of ${dtype}; the kernel multiplies f32`);
  }
  return [archetype === "grouped_sum" ? emitSum(record, buffers) : emitContraction(record, buffers)];
}

/** What both kernels write with: a writer and the names of what is the same for all threads. */
class GroupWriter {
  readonly writer: KernelWriter;

  constructor(
    readonly record: Record,
    buffers: readonly Buffer[],
  ) {
    this.writer = new KernelWriter(buffers, [record.output.buffer]);
    // The tile's group, where its rows start in the order, and how many lines or k they come to.
    this.writer.declare("var<private> group_of: i32;");
    this.writer.declare("var<private> start: i32;");
    this.writer.declare("var<private> extent: i32;");
    this.writer.declare("var<workgroup> found: vec3<i32>;");
  }

  count(key: "lines" | "columns" | "reduced"): string {
    return this.writer.integer(key, elementCount(this.record[key]));
  }

  /** A number of the order or of the offsets. */
  integer(name: string, access: Access, at: string): string {
    return this.writer.let(name, this.writer.read(name, plainView(access), new Map([[0, at]]))());
  }

  /** Coordinates of dimensions from one number for each list, in order. */
  coordinates(...lists: readonly (readonly [key: keyof Record & string, number: string])[]): Coordinates {
    const all = lists.flatMap(([key, number]) => {
      const dimensions = (this.record[key] as readonly number[]).map((extent, dimension) => ({ dimension, extent }));
      return [...this.writer.coordinates(dimensions, number, `extent.${key}`).values()];
    });
    return new Map(all.entries());
  }

  /** The row of a line that is counted over the rows of the tile's group, as a number over all rows. */
  row(line: string, perRow: string): string {
    return this.integer("order", this.record.order, `(start + ${line} / ${perRow})`);
  }

  /** Defines an operand as a function of batch, line and k, zero where there is no such line or k. */
  operand(name: "lhs" | "rhs", lines: string, ks: string, coordinates: () => Coordinates, alongLines: boolean) {
    const { writer, record } = this;
    writer.defineFunction(`fn ${name}(batch: i32, line: i32, k: i32) -> f32`, () => {
      writer.line(`if (line >= ${lines} || k >= ${ks}) { return 0.0f; }`);
      writer.line(`return ${writer.read(name, plainView(record[name]), coordinates())()};`);
    });
    return { name, alongLines };
  }

  /** Makes what the first thread found known to all, and that it is the same for all. */
  share(): void {
    this.writer.line("let shared_by_all = workgroupUniformLoad(&found);", "group_of = shared_by_all.x;");
  }

  store(ofRows: Side, ofColumns: Side, coordinates: () => Coordinates): void {
    const { writer, record } = this;
    const sum = openResults(writer, ofRows, ofColumns);
    writer.write("output", plainView(record.output), coordinates(), sum);
    writer.close();
    writer.close();
  }
}

/** Whether neighbours in memory lie along a group of dimensions that ends at stride number `last`. */
const isContiguous = (access: Access, last: number, count: number): boolean =>
  count > 0 && access.strides[last - 1] === 1;

function emitContraction(record: GroupedContractionKernel, buffers: readonly Buffer[]): EmittedKernel {
  const { rows, groups, batch, lines, columns, reduced } = record;
  const [rowCount, groupCount, batches, lineCount] = [rows, groups, batch, lines].map(elementCount) as [
    number,
    number,
    number,
    number,
  ];
  const shared = new GroupWriter(record, buffers);
  const { writer } = shared;
  const [perRow, columnCount, length] = [shared.count("lines"), shared.count("columns"), shared.count("reduced")];
  const ofRows = tileSide(writer, "row", (rowCount * lineCount) / groupCount, "extent");
  const ofColumns = tileSide(writer, "column", elementCount(columns), columnCount);
  const columnTiles = Math.ceil(elementCount(columns) / ofColumns.lines);
  // Every group may end in the middle of a tile.
  const rowTiles = Math.ceil((rowCount * lineCount) / ofRows.lines) + groupCount;
  writer.line(
    `let first_column = unit % ${writer.integer("column_tiles", columnTiles)} * ${ofColumns.lines};`,
    `let other_tiles = unit / ${writer.integer("column_tiles", columnTiles)};`,
    `let batch = other_tiles % ${writer.integer("batches", batches)};`,
  );
  writer.open("if (lane == 0) {");
  writer.line(
    `var tile = other_tiles / ${writer.integer("batches", batches)};`,
    "var candidate = 0;",
    "found = vec3<i32>(-1, 0, 0);",
  );
  const first = shared.integer("offsets", record.offsets, "0");
  writer.line(`var from_row = ${first};`);
  writer.open(`for (; candidate < ${writer.integer("groups", groupCount)}; candidate++) {`);
  const next = shared.integer("offsets", record.offsets, "(candidate + 1)");
  writer.line(`let tiles = ((${next} - from_row) * ${perRow} + ${ofRows.lines - 1}) / ${ofRows.lines};`);
  writer.line(`if (tile < tiles) { found = vec3<i32>(candidate, from_row, tile); break; }`);
  writer.line("tile -= tiles;", `from_row = ${next};`);
  writer.close();
  writer.close();
  shared.share();
  writer.line("if (shared_by_all.x < 0) { return; }", "start = shared_by_all.y;");
  writer.line(`let first_row = shared_by_all.z * ${ofRows.lines};`);
  const end = shared.integer("offsets", record.offsets, "(group_of + 1)");
  writer.line(`extent = (${end} - start) * ${perRow};`);
  writeThread(writer, ofRows, ofColumns);

  const lhs = shared.operand(
    "lhs",
    "extent",
    length,
    () =>
      shared.coordinates(
        ["rows", shared.row("line", perRow)],
        ["batch", "batch"],
        ["lines", `line % ${perRow}`],
        ["reduced", "k"],
      ),
    false,
  );
  const beforeReduced = groups.length + batch.length + columns.length;
  const rhs = shared.operand(
    "rhs",
    columnCount,
    length,
    () => shared.coordinates(["groups", "group_of"], ["batch", "batch"], ["columns", "line"], ["reduced", "k"]),
    isContiguous(record.rhs, beforeReduced, columns.length) &&
      !isContiguous(record.rhs, beforeReduced + reduced.length, reduced.length),
  );
  writeSums(writer, length, lhs, rhs, ofRows, ofColumns);
  shared.store(ofRows, ofColumns, () =>
    shared.coordinates(
      ["rows", shared.row("row", perRow)],
      ["batch", "batch"],
      ["lines", `row % ${perRow}`],
      ["columns", "column"],
    ),
  );
  const products = rowCount * batches * lineCount * elementCount(columns) * elementCount(reduced);
  return writer.finish(rowTiles * columnTiles * batches, products / 20 + rowTiles);
}

function emitSum(record: GroupedSumKernel, buffers: readonly Buffer[]): EmittedKernel {
  const { rows, groups, batch, lines, columns, reduced } = record;
  const [rowCount, groupCount, batches] = [rows, groups, batch].map(elementCount) as [number, number, number];
  const shared = new GroupWriter(record, buffers);
  const { writer } = shared;
  const [lineCount, columnCount, perRow] = [shared.count("lines"), shared.count("columns"), shared.count("reduced")];
  const ofRows = tileSide(writer, "row", elementCount(lines), lineCount);
  const ofColumns = tileSide(writer, "column", elementCount(columns), columnCount);
  const rowTiles = Math.ceil(elementCount(lines) / ofRows.lines);
  const columnTiles = Math.ceil(elementCount(columns) / ofColumns.lines);
  writer.line(
    `let first_column = unit % ${writer.integer("column_tiles", columnTiles)} * ${ofColumns.lines};`,
    `let other_tiles = unit / ${writer.integer("column_tiles", columnTiles)};`,
    `let first_row = other_tiles % ${writer.integer("row_tiles", rowTiles)} * ${ofRows.lines};`,
    `let batch = other_tiles / ${writer.integer("row_tiles", rowTiles)} % ${writer.integer("batches", batches)};`,
  );
  writer.open("if (lane == 0) {");
  const group = writer.let(
    "candidate",
    `other_tiles / ${writer.integer("row_tiles", rowTiles)} / ${writer.integer("batches", batches)}`,
  );
  const from = shared.integer("offsets", record.offsets, group);
  const to = shared.integer("offsets", record.offsets, `(${group} + 1)`);
  writer.line(`found = vec3<i32>(${group}, ${from}, (${to} - ${from}) * ${perRow});`);
  writer.close();
  shared.share();
  writer.line("start = shared_by_all.y;", "extent = shared_by_all.z;");
  writeThread(writer, ofRows, ofColumns);

  const operand = (name: "lhs" | "rhs", side: "lines" | "columns", count: string) =>
    shared.operand(
      name,
      count,
      "extent",
      () =>
        shared.coordinates(
          ["rows", shared.row("k", perRow)],
          ["batch", "batch"],
          [side, "line"],
          ["reduced", `k % ${perRow}`],
        ),
      isContiguous(record[name], rows.length + batch.length + record[side].length, record[side].length),
    );
  const [lhs, rhs] = [operand("lhs", "lines", lineCount), operand("rhs", "columns", columnCount)];
  writeSums(writer, "shared_by_all.z", lhs, rhs, ofRows, ofColumns);
  shared.store(ofRows, ofColumns, () =>
    shared.coordinates(["groups", "group_of"], ["batch", "batch"], ["lines", "row"], ["columns", "column"]),
  );
  const products = rowCount * batches * elementCount([...lines, ...columns, ...reduced]);
  return writer.finish(groupCount * batches * rowTiles * columnTiles, products / 20 + groupCount);
}
