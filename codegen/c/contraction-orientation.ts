/** Turns a contraction so that the C driver's inner loops walk memory in order. */
import { elementCount } from "../../src/graph/shape.js";
import type { Access, ContractionKernel, Operand, Product, Store } from "../../src/kernels/record.js";
import type { ScalarProgram } from "../../src/kernels/scalar.js";

/** Dimension i of the result is dimension order[i]. */
type Order = readonly number[];

const pick = (values: readonly number[], order: Order): readonly number[] =>
  order.map((dimension) => values[dimension]!);

function turnedAccess(access: Access, order: Order): Access {
  const bounds = access.bounds?.map((bound) => ({ ...bound, strides: pick(bound.strides, order) }));
  return { ...access, strides: pick(access.strides, order), ...(bounds ? { bounds } : {}) };
}

const turnedProgram = (program: ScalarProgram, order: Order): ScalarProgram =>
  program.map((instruction) =>
    instruction.kind === "index" ? { ...instruction, strides: pick(instruction.strides, order) } : instruction,
  );

const turnedOperand = (operand: Operand, order: Order): Operand => ({
  accesses: operand.accesses.map((access) => turnedAccess(access, order)),
  body: turnedProgram(operand.body, order),
});

/** `count` dimensions from `first` on, those with the longest strides first. */
function byStride(strides: readonly number[] | undefined, first: number, count: number): Order {
  const dimensions = Array.from({ length: count }, (_, position) => first + position);
  if (!strides) return dimensions;
  return dimensions.sort((a, b) => Math.abs(strides[b]!) - Math.abs(strides[a]!) || a - b);
}

/** The stride of the last dimension that is longer than 1; 1 when there is none. */
function innerStride(strides: readonly number[], extents: readonly number[], first: number): number {
  for (let position = extents.length - 1; position >= 0; position--) {
    if (extents[position] !== 1) return strides[first + position]!;
  }
  return 1;
}

/** Whether rows and columns should change places: stores should be contiguous along the columns. */
function shouldTranspose(record: ContractionKernel, stores: readonly Store[]): boolean {
  const { batch, rows, columns } = record;
  const alongRows = (access: Access) => innerStride(access.strides, rows, batch.length);
  const alongColumns = (access: Access) => innerStride(access.strides, columns, batch.length + rows.length);
  if (elementCount(rows) === 1) return false;
  if (elementCount(columns) === 1) {
    // One column: row by row is best where the rows of the left operand are contiguous in k.
    const rank = batch.length + rows.length + columns.length;
    return record.products.every((product) =>
      product.lhs.accesses.every((access) => Math.abs(innerStride(access.strides, product.reduced, rank)) !== 1),
    );
  }
  const contiguous = (stride: (access: Access) => number) =>
    stores.filter((store) => stride(store.access) === 1).length;
  return contiguous(alongRows) > contiguous(alongColumns);
}

/**
 * The same contraction with the dimensions inside batch, rows, columns and reduced in the order in which memory is walked, and with rows
 * and columns exchanged when the stores are contiguous along the rows. Sums over several reduced dimensions may change their order.
 */
export function oriented(record: ContractionKernel): ContractionKernel {
  const { batch, rows, columns } = record;
  const strides = record.stores[0]?.access.strides;
  const batchOrder = byStride(strides, 0, batch.length);
  const rowOrder = byStride(strides, batch.length, rows.length);
  const columnOrder = byStride(strides, batch.length + rows.length, columns.length);
  const sorted = inOrder(record, batchOrder, rowOrder, columnOrder, false);
  if (!shouldTranspose(sorted, sorted.stores)) return sorted;
  return inOrder(record, batchOrder, columnOrder, rowOrder, true);
}

function inOrder(
  record: ContractionKernel,
  batchOrder: Order,
  rowOrder: Order,
  columnOrder: Order,
  transposed: boolean,
): ContractionKernel {
  const extents = [...record.batch, ...record.rows, ...record.columns];
  const outer = [...batchOrder, ...rowOrder, ...columnOrder];
  const turnedProduct = (product: Product): Product => {
    const lhs = transposed ? product.rhs : product.lhs;
    const rhs = transposed ? product.lhs : product.rhs;
    const first = lhs.accesses[0]?.strides ?? [];
    const reducedOrder = byStride(first, extents.length, product.reduced.length);
    const order = [...outer, ...reducedOrder];
    return {
      reduced: pick([...extents, ...product.reduced], reducedOrder),
      lhs: turnedOperand(lhs, order),
      rhs: turnedOperand(rhs, order),
    };
  };
  return {
    ...record,
    batch: pick(extents, batchOrder),
    rows: pick(extents, rowOrder),
    columns: pick(extents, columnOrder),
    products: record.products.map(turnedProduct),
    accesses: record.accesses.map((access) => turnedAccess(access, outer)),
    epilogue: turnedProgram(record.epilogue, outer),
    stores: record.stores.map((store) => ({ ...store, access: turnedAccess(store.access, outer) })),
  };
}
