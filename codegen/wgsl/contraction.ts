/** Contractions: a workgroup for every tile of the result; tiles of the operands pass through workgroup memory. */
import { elementCount } from "../../src/graph/shape.js";
import type { Buffer, ContractionKernel, Operand } from "../../src/kernels/record.js";
import type { EmittedKernel } from "../emitted.js";
import { inMemoryOrder } from "../schedules/contraction-orientation.js";
import { bodyCost } from "../schedules/cost.js";
import { contiguousLoads, type Joined, joinGroups, withoutDimensions } from "../schedules/groups.js";
import { writeValues } from "./body.js";
import { type Coordinates, KernelWriter, workgroupSize } from "./writer.js";

/** A workgroup's threads stand in a square; each sums every eighth row and column of the tile. */
const side = 8;
/** Length of the stretch of a sum whose operands are in workgroup memory at once. */
const depth = 16;

/** Rows or columns of one thread: few where a larger tile would mostly lie outside the result. */
const perThread = (extent: number): 1 | 4 => (extent > 2 * side ? 4 : 1);

/** One operand's part of a tile: rows of the left operand, or columns of the right one. Names are those of the kernel's text. */
interface Side {
  readonly perThread: number;
  /** Lines of a tile. */
  readonly lines: number;
  /** Elements from one k to the next in workgroup memory; odd, so that writing along k meets all banks. */
  readonly pitch: number;
  /** Workgroup memory. */
  readonly array: string;
  /** How many rows or columns the result has. */
  readonly count: string;
  /** The tile's first line, and a thread's place among its lines. */
  readonly first: string;
  readonly thread: string;
}

function sideOf(writer: KernelWriter, line: "row" | "column", count: number): Side {
  const lines = side * perThread(count);
  return {
    perThread: perThread(count),
    lines,
    pitch: lines + 1,
    array: line === "row" ? "left_tile" : "right_tile",
    count: writer.integer(`${line}s`, count),
    first: `first_${line}`,
    thread: `thread_${line}`,
  };
}

/** Emits the kernels of a contraction: one, or none when its result is empty. */
export function emitContraction(record: ContractionKernel, buffers: readonly Buffer[]): readonly EmittedKernel[] {
  const turned = inMemoryOrder(record);
  const { batch, rows, columns, products, stores } = turned;
  const [rowCount, columnCount] = [elementCount(rows), elementCount(columns)];
  const points = elementCount(batch) * rowCount * columnCount;
  if (points === 0 || stores.length === 0) return [];
  const writer = new KernelWriter(
    buffers,
    stores.map((store) => store.access.buffer),
  );
  const ofRows = sideOf(writer, "row", rowCount);
  const ofColumns = sideOf(writer, "column", columnCount);
  for (const { array, pitch } of [ofRows, ofColumns]) {
    writer.declare(`var<workgroup> ${array}: array<f32, ${depth * pitch}>;`);
  }
  const [rowTiles, columnTiles] = [Math.ceil(rowCount / ofRows.lines), Math.ceil(columnCount / ofColumns.lines)];
  writer.line(
    `let column_tile = unit % ${writer.integer("column_tiles", columnTiles)};`,
    `let other_tiles = unit / ${writer.integer("column_tiles", columnTiles)};`,
    `let row_tile = other_tiles % ${writer.integer("row_tiles", rowTiles)};`,
    `let batch = other_tiles / ${writer.integer("row_tiles", rowTiles)};`,
    `let first_row = row_tile * ${ofRows.lines};`,
    `let first_column = column_tile * ${ofColumns.lines};`,
    `let thread_row = lane / ${side};`,
    `let thread_column = lane % ${side};`,
    `var sums: array<f32, ${ofRows.perThread * ofColumns.perThread}>;`,
  );
  for (const [number, { reduced, lhs, rhs }] of products.entries()) {
    const left = withoutDimensions(lhs, batch.length + rows.length, columns.length);
    const right = withoutDimensions(rhs, batch.length, rows.length);
    const count = writer.integer(`reduced${number}`, elementCount(reduced));
    writer.open(`for (var first = 0; first < ${count}; first += ${depth}) {`);
    writeStaging(writer, `left${number}`, left, [batch, rows, reduced], ofRows, count);
    writeStaging(writer, `right${number}`, right, [batch, columns, reduced], ofColumns, count);
    writer.line("workgroupBarrier();");
    writeProducts(writer, ofRows, ofColumns);
    writer.line("workgroupBarrier();");
    writer.close();
  }
  writeEpilogue(writer, turned, ofRows, ofColumns);
  const reduced = products.reduce((sum, product) => sum + elementCount(product.reduced), 0);
  const units = elementCount(batch) * rowTiles * columnTiles;
  return [writer.finish(units, points * (reduced / 20 + bodyCost(turned.epilogue) + 0.2))];
}

/** Every thread brings its share of an operand's tile to workgroup memory, neighbours along what is contiguous. */
function writeStaging(
  writer: KernelWriter,
  name: string,
  operand: Operand,
  groups: readonly [readonly number[], readonly number[], readonly number[]],
  tile: Side,
  count: string,
): void {
  const joined = joinGroups(groups, operand.accesses, operand.body, []);
  defineOperand(writer, name, operand, joined, tile.count, count);
  const alongLines = contiguousLoads(joined, 1) > contiguousLoads(joined, 2);
  const [near, far] = alongLines ? ["line", "k"] : ["k", "line"];
  const length = alongLines ? tile.lines : depth;
  writer.open(`for (var turn = 0; turn < ${(tile.lines * depth) / workgroupSize}; turn++) {`);
  writer.line(
    `let place = turn * ${workgroupSize} + lane;`,
    `let ${near} = place % ${length};`,
    `let ${far} = place / ${length};`,
    `${tile.array}[k * ${tile.pitch} + line] = ${name}(batch, ${tile.first} + line, first + k);`,
  );
  writer.close();
}

/** Defines an operand as a function of its batch, line and k, zero where there is no such line or k. */
function defineOperand(
  writer: KernelWriter,
  name: string,
  operand: Operand,
  joined: Joined,
  lines: string,
  count: string,
): void {
  writer.defineFunction(`fn ${name}(batch: i32, line: i32, k: i32) -> f32`, () => {
    writer.line(`if (line >= ${lines} || k >= ${count}) { return 0.0f; }`);
    const coordinates = groupCoordinates(writer, joined, ["batch", "line", "k"], `${name}.`);
    const last = operand.body.length - 1;
    const value = writeValues(writer, operand.body, joined.space, [last], coordinates, { scope: `${name}.` });
    writer.line(`return ${value(last)};`);
  });
}

/** Coordinates of all dimensions from one number for each group. */
function groupCoordinates(
  writer: KernelWriter,
  { space, members }: Joined,
  numbers: readonly string[],
  scope: string,
): Coordinates {
  const ofGroup = (group: readonly number[], number: string) =>
    writer.coordinates(
      group.map((dimension) => ({ dimension, extent: space.extents[dimension]! })),
      number,
      `${scope}extent`,
    );
  return new Map(members.flatMap((group, place) => [...ofGroup(group, numbers[place]!)]));
}

/** Adds the products of the staged stretch to a thread's sums. */
function writeProducts(writer: KernelWriter, ofRows: Side, ofColumns: Side): void {
  writer.open(`for (var k = 0; k < ${depth}; k++) {`);
  for (const { perThread: count, array, pitch, thread } of [ofRows, ofColumns]) {
    for (let line = 0; line < count; line++) {
      const place = line === 0 ? thread : `${thread} + ${line * side}`;
      writer.line(`let ${array}${line} = ${array}[k * ${pitch} + ${place}];`);
    }
  }
  for (let row = 0; row < ofRows.perThread; row++) {
    for (let column = 0; column < ofColumns.perThread; column++) {
      const sum = `sums[${row * ofColumns.perThread + column}]`;
      writer.line(`${sum} = fma(${ofRows.array}${row}, ${ofColumns.array}${column}, ${sum});`);
    }
  }
  writer.close();
}

/** Stores what becomes of a thread's sums. */
function writeEpilogue(writer: KernelWriter, record: ContractionKernel, ofRows: Side, ofColumns: Side): void {
  const { batch, rows, columns, accesses, epilogue, stores } = record;
  const joined = joinGroups([batch, rows, columns], accesses, epilogue, stores);
  writer.open(`for (var i = 0; i < ${ofRows.perThread}; i++) {`);
  writer.line(`let row = first_row + thread_row + i * ${side};`, `if (row >= ${ofRows.count}) { break; }`);
  writer.open(`for (var j = 0; j < ${ofColumns.perThread}; j++) {`);
  writer.line(
    `let column = first_column + thread_column + j * ${side};`,
    `if (column >= ${ofColumns.count}) { break; }`,
  );
  const coordinates = groupCoordinates(writer, joined, ["batch", "row", "column"], "");
  const wanted = stores.map((store) => store.value);
  const value = writeValues(writer, epilogue, joined.space, wanted, coordinates, {
    more: { accumulator: () => `sums[i * ${ofColumns.perThread} + j]` },
  });
  for (const [number, store] of stores.entries()) {
    writer.write(`store${number}`, joined.space.stores[number]!, coordinates, value(store.value));
  }
  writer.close();
  writer.close();
}
