/** Turns a contraction so that inner loops walk memory in order. */
import { elementCount } from "../../src/graph/shape.js";
import type { Access, ContractionKernel, Operand, Product } from "../../src/kernels/record.js";
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

/** Fewer columns leave most lanes of the narrowest tile empty; so many rows would fill several tiles. */
const fewColumns = 8;
const manyRows = 48;

/** Whether the left operands are contiguous in k: as columns they would have to be transposed while they are packed. */
function leftAlongReduced(record: ContractionKernel): boolean {
  const rank = record.batch.length + record.rows.length + record.columns.length;
  return record.products.some((product) =>
    product.lhs.accesses.some((access) => Math.abs(innerStride(access.strides, product.reduced, rank)) === 1),
  );
}

/**
 * Whether rows and columns should change places. Lanes lie along the columns: there should be enough of them, and stores should be
 * contiguous along them.
 */
function shouldTranspose(record: ContractionKernel): boolean {
  const { batch, rows, columns, stores } = record;
  const [rowCount, columnCount] = [elementCount(rows), elementCount(columns)];
  if (rowCount <= fewColumns && columnCount >= manyRows) return false;
  if (columnCount <= fewColumns && rowCount >= manyRows) return columnCount <= 2 || !leftAlongReduced(record);
  if (rowCount === 1) return false;
  const contiguous = (extents: readonly number[], first: number) =>
    stores.filter((store) => innerStride(store.access.strides, extents, first) === 1).length;
  return contiguous(rows, batch.length) > contiguous(columns, batch.length + rows.length);
}

interface Orders {
  readonly batch: Order;
  readonly rows: Order;
  readonly columns: Order;
}

/** The dimensions inside batch, rows and columns in the order in which the first store walks memory. */
function storeOrders({ batch, rows, columns, stores }: ContractionKernel): Orders {
  const strides = stores[0]?.access.strides;
  return {
    batch: byStride(strides, 0, batch.length),
    rows: byStride(strides, batch.length, rows.length),
    columns: byStride(strides, batch.length + rows.length, columns.length),
  };
}

/**
 * The same contraction with the dimensions inside batch, rows, columns and reduced in the order in which memory is walked. Sums over
 * several reduced dimensions may change their order.
 */
export const inMemoryOrder = (record: ContractionKernel): ContractionKernel =>
  inOrder(record, storeOrders(record), false);

/** The same, with rows and columns exchanged where that suits the CPU's register tiles better. */
export function oriented(record: ContractionKernel): ContractionKernel {
  const sorted = inMemoryOrder(record);
  if (!shouldTranspose(sorted)) return sorted;
  const { batch, rows, columns } = storeOrders(record);
  return inOrder(record, { batch, rows: columns, columns: rows }, true);
}

function inOrder(record: ContractionKernel, orders: Orders, transposed: boolean): ContractionKernel {
  const extents = [...record.batch, ...record.rows, ...record.columns];
  const outer = [...orders.batch, ...orders.rows, ...orders.columns];
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
    batch: pick(extents, orders.batch),
    rows: pick(extents, orders.rows),
    columns: pick(extents, orders.columns),
    products: record.products.map(turnedProduct),
    accesses: record.accesses.map((access) => turnedAccess(access, outer)),
    epilogue: turnedProgram(record.epilogue, outer),
    stores: record.stores.map((store) => ({ ...store, access: turnedAccess(store.access, outer) })),
  };
}
