/** Contractions: a table for the C runtime's driver, and functions for what is fused before and after the products. */
import { elementCount } from "../../src/graph/shape.js";
import type { Buffer, ContractionKernel, Operand } from "../../src/kernels/record.js";
import type { EmittedKernel } from "../emitted.js";
import { contractionUnits } from "../schedules/contraction.js";
import { oriented } from "../schedules/contraction-orientation.js";
import { withoutDimensions } from "../schedules/groups.js";
import { printEpilogue, printFill } from "./contraction-hooks.js";
import { viewTable } from "./walk.js";
import { KernelWriter } from "./writer.js";

/** WEFT_PRODUCTS of runtime/cpu/native/contraction.h. */
const mostProducts = 16;
const headerLength = 8;

/** A view the driver reads itself: one f32 load without bounds. */
function isPlain(operand: Operand, buffers: readonly Buffer[]): boolean {
  const only = operand.body[0];
  if (operand.body.length !== 1 || only?.kind !== "load") return false;
  const access = operand.accesses[only.access]!;
  return buffers[access.buffer]!.dtype === "f32" && !access.bounds?.length;
}

/** Whether the sums themselves are stored, once, as f32. */
function storesPlainly(record: ContractionKernel, buffers: readonly Buffer[]): boolean {
  const [store] = record.stores;
  if (record.stores.length !== 1 || !store) return false;
  return record.epilogue[store.value]!.kind === "accumulator" && buffers[store.access.buffer]!.dtype === "f32";
}

/**
 * Emits the kernels of a contraction: one, or none when its result is empty.
 * @throws RangeError when there are more products than the driver takes.
 */
export function emitContraction(record: ContractionKernel, buffers: readonly Buffer[]): readonly EmittedKernel[] {
  if (record.products.length > mostProducts) {
    throw new RangeError(`a contraction of ${record.products.length} products; the C driver takes ${mostProducts}`);
  }
  const turned = oriented(record);
  const { batch, rows, columns, products } = turned;
  const shape = {
    batches: elementCount(batch),
    rows: elementCount(rows),
    columns: elementCount(columns),
    reduced: products.reduce((sum, product) => sum + elementCount(product.reduced), 0),
  };
  if (shape.batches * shape.rows * shape.columns === 0 || record.stores.length === 0) return [];
  const units = contractionUnits(shape);
  const writer = new KernelWriter(buffers);
  const helpers: string[] = ['#include "contraction.h"\n'];
  const fills: string[] = [];
  const views: number[] = [];
  const header = headerLength + 3 * products.length;

  const place = (view: readonly number[]): number => header + views.push(...view) - view.length;
  const operandReference = (operand: Operand, lines: readonly number[], reduced: readonly number[]): number => {
    if (isPlain(operand, buffers)) {
      const groups = [
        { extents: batch, at: 0 },
        { extents: lines, at: batch.length },
        { extents: reduced, at: batch.length + lines.length },
      ];
      return place(viewTable(writer, operand.accesses[plainAccess(operand)]!, groups, "read"));
    }
    const fill = printFill(writer, `KERNEL_fill${fills.length}`, operand, [batch, lines, reduced]);
    helpers.push(fill.text);
    return -fills.push(fill.entry);
  };
  const entries = products.flatMap(({ lhs, rhs, reduced }) => [
    elementCount(reduced),
    operandReference(withoutDimensions(lhs, batch.length + rows.length, columns.length), rows, reduced),
    operandReference(withoutDimensions(rhs, batch.length, rows.length), columns, reduced),
  ]);

  const plain = storesPlainly(turned, buffers);
  let store = 0;
  if (plain) {
    const groups = [
      { extents: batch, at: 0 },
      { extents: rows, at: batch.length },
      { extents: columns, at: batch.length + rows.length },
    ];
    store = place(viewTable(writer, turned.stores[0]!.access, groups, "write"));
  } else helpers.push(printEpilogue(writer, "KERNEL_epilogue", turned, (buffer) => writer.dtype(buffer)));

  if (fills.length > 0 || !plain) {
    if (fills.length > 0) helpers.push(`static const weft_filled KERNEL_fills[] = {${fills.join(", ")}};\n`);
    const hooks = [fills.length > 0 ? "KERNEL_fills" : "0", plain ? "0" : "KERNEL_epilogue"];
    helpers.push(`static const weft_contraction_hooks KERNEL_hooks = {${hooks.join(", ")}};\n`);
  }
  const table = writer.table([
    shape.batches,
    shape.rows,
    shape.columns,
    units.rows,
    units.columns,
    products.length,
    store,
    0,
    ...entries,
    ...views,
  ]);
  const hooks = fills.length > 0 || !plain ? "&KERNEL_hooks" : "0";
  writer.line(`weft_contraction(arguments, arguments->integers + ${table}, ${hooks}, begin, end, workspace);`);
  return [writer.finish(units.count, units.cost, helpers.join("\n"))];
}

function plainAccess(operand: Operand): number {
  const only = operand.body[0];
  if (only?.kind !== "load") throw new Error("not a plain view");
  return only.access;
}
