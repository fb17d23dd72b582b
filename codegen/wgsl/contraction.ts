/** Contractions: a workgroup for every tile of the result; tiles of the operands pass through workgroup memory. */
import { elementCount } from "../../src/graph/shape.js";
import type { Buffer, ContractionKernel, Operand } from "../../src/kernels/record.js";
import type { EmittedKernel } from "../emitted.js";
import { inMemoryOrder } from "../schedules/contraction-orientation.js";
import { bodyCost } from "../schedules/cost.js";
import { contiguousLoads, type Joined, joinGroups, withoutDimensions } from "../schedules/groups.js";
import { writeValues } from "./body.js";
import { openResults, type Side, tileSide, writeSums, writeThread } from "./tile.js";
import { type Coordinates, KernelWriter } from "./writer.js";

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
  const ofRows = tileSide(writer, "row", rowCount, writer.integer("rows", rowCount));
  const ofColumns = tileSide(writer, "column", columnCount, writer.integer("columns", columnCount));
  const [rowTiles, columnTiles] = [Math.ceil(rowCount / ofRows.lines), Math.ceil(columnCount / ofColumns.lines)];
  writer.line(
    `let column_tile = unit % ${writer.integer("column_tiles", columnTiles)};`,
    `let other_tiles = unit / ${writer.integer("column_tiles", columnTiles)};`,
    `let row_tile = other_tiles % ${writer.integer("row_tiles", rowTiles)};`,
    `let batch = other_tiles / ${writer.integer("row_tiles", rowTiles)};`,
    `let first_row = row_tile * ${ofRows.lines};`,
    `let first_column = column_tile * ${ofColumns.lines};`,
  );
  writeThread(writer, ofRows, ofColumns);
  for (const [number, { reduced, lhs, rhs }] of products.entries()) {
    const left = withoutDimensions(lhs, batch.length + rows.length, columns.length);
    const right = withoutDimensions(rhs, batch.length, rows.length);
    const count = writer.integer(`reduced${number}`, elementCount(reduced));
    const staged = [
      defineOperand(writer, `left${number}`, left, [batch, rows, reduced], ofRows.count, count),
      defineOperand(writer, `right${number}`, right, [batch, columns, reduced], ofColumns.count, count),
    ] as const;
    writeSums(writer, count, ...staged, ofRows, ofColumns);
  }
  writeEpilogue(writer, turned, ofRows, ofColumns);
  const reduced = products.reduce((sum, product) => sum + elementCount(product.reduced), 0);
  const units = elementCount(batch) * rowTiles * columnTiles;
  return [writer.finish(units, points * (reduced / 20 + bodyCost(turned.epilogue) + 0.2))];
}

/** Defines an operand as a function of its batch, line and k, zero where there is no such line or k. */
function defineOperand(
  writer: KernelWriter,
  name: string,
  operand: Operand,
  groups: readonly [readonly number[], readonly number[], readonly number[]],
  lines: string,
  count: string,
): { readonly name: string; readonly alongLines: boolean } {
  const joined = joinGroups(groups, operand.accesses, operand.body, []);
  writer.defineFunction(`fn ${name}(batch: i32, line: i32, k: i32) -> f32`, () => {
    writer.line(`if (line >= ${lines} || k >= ${count}) { return 0.0f; }`);
    const coordinates = groupCoordinates(writer, joined, ["batch", "line", "k"], `${name}.`);
    const last = operand.body.length - 1;
    const value = writeValues(writer, operand.body, joined.space, [last], coordinates, { scope: `${name}.` });
    writer.line(`return ${value(last)};`);
  });
  return { name, alongLines: contiguousLoads(joined, 1) > contiguousLoads(joined, 2) };
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

/** Stores what becomes of a thread's sums. */
function writeEpilogue(writer: KernelWriter, record: ContractionKernel, ofRows: Side, ofColumns: Side): void {
  const { batch, rows, columns, accesses, epilogue, stores } = record;
  const joined = joinGroups([batch, rows, columns], accesses, epilogue, stores);
  const sum = openResults(writer, ofRows, ofColumns);
  const coordinates = groupCoordinates(writer, joined, ["batch", "row", "column"], "");
  const wanted = stores.map((store) => store.value);
  const value = writeValues(writer, epilogue, joined.space, wanted, coordinates, {
    more: { accumulator: () => sum },
  });
  for (const [number, store] of stores.entries()) {
    writer.write(`store${number}`, joined.space.stores[number]!, coordinates, value(store.value));
  }
  writer.close();
  writer.close();
}
