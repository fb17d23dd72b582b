/** When scratch buffers are alive, and which may follow another in its place. */
import { readsOf, writesOf } from "../../kernels/access.js";
import type { Access, BufferId, ElementwiseKernel, KernelList } from "../../kernels/record.js";

/** First and last kernel that touches a buffer. */
export interface Life {
  readonly first: number;
  readonly last: number;
}

/** Lives of all buffers that kernels touch. */
export function livesOf(list: KernelList): Map<BufferId, Life> {
  const lives = new Map<BufferId, Life>();
  list.kernels.forEach((kernel, place) => {
    for (const { buffer } of [...readsOf(kernel), ...writesOf(kernel)]) {
      lives.set(buffer, { first: lives.get(buffer)?.first ?? place, last: place });
    }
  });
  return lives;
}

/**
 * Pairs of scratch buffers of an elementwise kernel: the first dies there and is read only at the very points where the second, born
 * there, is written. No buffer is in two pairs on the same side.
 */
export function successors(list: KernelList, lives: ReadonlyMap<BufferId, Life>): Map<BufferId, BufferId> {
  const next = new Map<BufferId, BufferId>();
  list.kernels.forEach((kernel, place) => {
    if (kernel.archetype !== "elementwise") return;
    for (const { access } of kernel.stores) {
      const born = access.buffer;
      if (list.buffers[born]!.home.segment !== "scratch" || lives.get(born)!.first !== place) continue;
      if (kernel.stores.filter((store) => store.access.buffer === born).length > 1) continue;
      const dying = kernel.accesses.find(
        ({ buffer }) =>
          !next.has(buffer) &&
          list.buffers[buffer]!.home.segment === "scratch" &&
          lives.get(buffer)!.last === place &&
          lives.get(buffer)!.first < place &&
          list.buffers[buffer]!.dtype === list.buffers[born]!.dtype &&
          list.buffers[buffer]!.elements === list.buffers[born]!.elements &&
          readOnlyAt(kernel, buffer, access),
      );
      if (dying) next.set(dying.buffer, born);
    }
  });
  return next;
}

/** Whether a kernel touches a buffer only by reading it at the points of a store. */
function readOnlyAt(kernel: ElementwiseKernel, buffer: BufferId, store: Access): boolean {
  if (kernel.stores.some(({ access }) => access.buffer === buffer)) return false;
  const reads = kernel.accesses
    .map((access, place) => ({ access, place }))
    .filter(({ access }) => access.buffer === buffer);
  const indexed = new Set(
    kernel.body.flatMap((instruction) => (instruction.kind === "load_indexed" ? [instruction.access] : [])),
  );
  return reads.every(
    ({ access, place }) =>
      !indexed.has(place) &&
      !access.bounds &&
      access.offset === store.offset &&
      access.strides.every((stride, dimension) => stride === store.strides[dimension]),
  );
}
