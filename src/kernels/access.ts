/** What kernel records read and write. */
import type { Access, BufferId, KernelRecord, Store } from "./record.js";

/** Every view that a record loads from. */
export function readsOf(record: KernelRecord): readonly Access[] {
  switch (record.archetype) {
    case "elementwise":
    case "reduction":
      return record.accesses;
    case "contraction":
      return [...record.products.flatMap(({ lhs, rhs }) => [...lhs.accesses, ...rhs.accesses]), ...record.accesses];
    case "attention":
      return [record.q, record.k, record.v, ...(record.mask ? [record.mask] : [])];
    case "attention_backward": {
      const { q, k, v, mask, output, logSum, cotangent } = record;
      return [q, k, v, ...(mask ? [mask] : []), output, logSum, cotangent];
    }
    case "scatter_add":
      return [record.indices, record.source];
    case "sort":
      return [record.keys];
    case "grouped_contraction":
    case "grouped_sum":
      return [record.order, record.offsets, record.lhs, record.rhs];
  }
}

/** Every view that a record stores to. */
export function writesOf(record: KernelRecord): readonly Access[] {
  switch (record.archetype) {
    case "elementwise":
    case "reduction":
    case "contraction":
      return record.stores.map(({ access }) => access);
    case "attention":
      return [record.output, record.logSum];
    case "attention_backward":
      return [record.dq, record.dk, record.dv];
    case "scatter_add":
      return [record.target];
    case "sort":
      return [record.order];
    case "grouped_contraction":
    case "grouped_sum":
      return [record.output];
  }
}

/** Distinct buffers that a record binds. */
export function buffersOf(record: KernelRecord): Set<BufferId> {
  return new Set([...readsOf(record), ...writesOf(record)].map(({ buffer }) => buffer));
}

/** A record with every view replaced, in the order in which they are printed. */
export function mapAccesses(
  record: KernelRecord,
  read: (access: Access) => Access,
  write: (access: Access) => Access,
): KernelRecord {
  switch (record.archetype) {
    case "elementwise":
    case "reduction":
      return { ...record, ...pointwise(record, read, write) };
    case "contraction": {
      const products = record.products.map((product) => ({
        ...product,
        lhs: { ...product.lhs, accesses: product.lhs.accesses.map(read) },
        rhs: { ...product.rhs, accesses: product.rhs.accesses.map(read) },
      }));
      return { ...record, products, ...pointwise(record, read, write) };
    }
    case "attention":
    case "attention_backward": {
      const operands = {
        q: read(record.q),
        k: read(record.k),
        v: read(record.v),
        ...(record.mask && { mask: read(record.mask) }),
      };
      if (record.archetype === "attention") {
        return { ...record, ...operands, output: write(record.output), logSum: write(record.logSum) };
      }
      return {
        ...record,
        ...operands,
        output: read(record.output),
        logSum: read(record.logSum),
        cotangent: read(record.cotangent),
        dq: write(record.dq),
        dk: write(record.dk),
        dv: write(record.dv),
      };
    }
    case "scatter_add":
      return { ...record, indices: read(record.indices), source: read(record.source), target: write(record.target) };
    case "sort":
      return { ...record, keys: read(record.keys), order: write(record.order) };
    case "grouped_contraction":
    case "grouped_sum": {
      const { order, offsets, lhs, rhs, output } = record;
      const operands = { order: read(order), offsets: read(offsets), lhs: read(lhs), rhs: read(rhs) };
      return { ...record, ...operands, output: write(output) };
    }
  }
}

const pointwise = (
  record: { readonly accesses: readonly Access[]; readonly stores: readonly Store[] },
  read: (access: Access) => Access,
  write: (access: Access) => Access,
) => ({
  accesses: record.accesses.map(read),
  stores: record.stores.map((store) => ({ ...store, access: write(store.access) })),
});
