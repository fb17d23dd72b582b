/**
 * The last step of fusion: results that replace what the graph also reads. A result whose old value nobody reads later is written in
 * place; others go to scratch and are copied when all is done.
 */
import { buffersOf, mapAccesses, readsOf, writesOf } from "../../kernels/access.js";
import type {
  Access,
  Buffer,
  BufferHome,
  BufferId,
  ElementwiseKernel,
  KernelList,
  KernelRecord,
} from "../../kernels/record.js";
import { isKept } from "./placement.js";
import { sameList } from "./space.js";

/** Settles updates and drops buffers that nobody uses. */
export function finishList(
  buffers: readonly Buffer[],
  kernels: readonly KernelRecord[],
  refusals: KernelList["refusals"],
): KernelList {
  const readers = new Map<BufferId, number[]>();
  const writers = new Map<BufferId, number[]>();
  const note = (map: Map<BufferId, number[]>, accesses: readonly Access[], kernel: number) => {
    for (const buffer of new Set(accesses.map((access) => access.buffer))) {
      const list = map.get(buffer);
      if (list) list.push(kernel);
      else map.set(buffer, [kernel]);
    }
  };
  kernels.forEach((kernel, place) => {
    note(readers, readsOf(kernel), place);
    note(writers, writesOf(kernel), place);
  });

  const all = [...buffers];
  const renamed = new Map<BufferId, BufferId>();
  const copies: ElementwiseKernel[] = [];
  const kept = [...buffers.keys()].filter((buffer) => isKept(buffers[buffer]!.home));
  const results = kept.filter((buffer) => writers.has(buffer));
  const leaves = kept.filter((buffer) => !writers.has(buffer) && readers.has(buffer));
  for (const result of results) {
    const { home, elements, dtype } = buffers[result]!;
    const written = writers.get(result)!;
    const touched = leaves.filter((leaf) => overlap(buffers[leaf]!, buffers[result]!));
    const same = touched.find((leaf) => sameHome(buffers[leaf]!.home, home));
    const safe = touched.every((leaf) =>
      readers
        .get(leaf)!
        .every(
          (kernel) =>
            kernel < written[0]! ||
            (leaf === same && written.length === 1 && kernel === written[0] && inPlace(kernels[kernel]!, leaf, result)),
        ),
    );
    if (safe) {
      if (same !== undefined) renamed.set(result, same);
      continue;
    }
    const target = same ?? all.push(buffers[result]!) - 1;
    all[result] = { dtype, elements, home: { segment: "scratch" } };
    const access = (buffer: BufferId): Access => ({ buffer, offset: 0, strides: [1] });
    copies.push({
      archetype: "elementwise",
      origins: kernels[written[0]!]!.origins,
      label: "copy",
      extents: [elements],
      accesses: [access(result)],
      body: [{ kind: "load", access: 0, dtype }],
      stores: [{ access: access(target), value: 0 }],
    });
  }
  return compact(all, [...kernels, ...copies], renamed, refusals);
}

const sameHome = (a: BufferHome, b: BufferHome): boolean => JSON.stringify(a) === JSON.stringify(b);

/**
 * Buffers that a kernel will bind when what it replaces is written in place. `later` are the kernels that run after it; those before it
 * do not matter.
 */
export function bindingCount(buffers: readonly Buffer[], kernel: KernelRecord, later: ReadonlySet<BufferId>): number {
  const bound = [...buffersOf(kernel)];
  const written = new Set(writesOf(kernel).map(({ buffer }) => buffer));
  const replaced = [...written].filter((result) => {
    if (!isKept(buffers[result]!.home)) return false;
    const old = bound.filter((leaf) => !written.has(leaf) && overlap(buffers[leaf]!, buffers[result]!));
    return (
      old.length === 1 &&
      sameHome(buffers[old[0]!]!.home, buffers[result]!.home) &&
      inPlace(kernel, old[0]!, result) &&
      !later.has(old[0]!)
    );
  });
  return bound.length - replaced.length;
}

/** Whether two stored tensors may share memory. Where a path stands in its segment is not known here. */
function overlap(a: Buffer, b: Buffer): boolean {
  if (a.home.segment === "range" && b.home.segment === "range") {
    const [x, y] = [a.home, b.home];
    return x.of === y.of && x.offset < y.offset + b.elements && y.offset < x.offset + a.elements;
  }
  if (a.home.segment === "range") return a.home.of === b.home.segment;
  if (b.home.segment === "range") return b.home.of === a.home.segment;
  return sameHome(a.home, b.home);
}

/** Whether a kernel reads the old value of a tensor only at the very points where it writes the new one. */
function inPlace(kernel: KernelRecord, old: BufferId, result: BufferId): boolean {
  if (kernel.archetype !== "elementwise" && kernel.archetype !== "reduction" && kernel.archetype !== "contraction") {
    return false;
  }
  const store = kernel.stores.filter(({ access }) => access.buffer === result);
  if (store.length !== 1) return false;
  const { offset, strides } = store[0]!.access;
  const reads = readsOf(kernel).filter(({ buffer }) => buffer === old);
  const own = kernel.accesses.filter(({ buffer }) => buffer === old);
  const indexed = (kernel.archetype === "contraction" ? kernel.epilogue : kernel.body).some(
    (instruction) => instruction.kind === "load_indexed" && kernel.accesses[instruction.access]!.buffer === old,
  );
  return (
    !indexed &&
    reads.length === own.length &&
    own.every((access) => !access.bounds && access.offset === offset && sameList(access.strides, strides))
  );
}

function compact(
  buffers: readonly Buffer[],
  kernels: readonly KernelRecord[],
  renamed: ReadonlyMap<BufferId, BufferId>,
  refusals: KernelList["refusals"],
): KernelList {
  const places = new Map<BufferId, BufferId>();
  const list: Buffer[] = [];
  const rename = (access: Access): Access => {
    const buffer = renamed.get(access.buffer) ?? access.buffer;
    let place = places.get(buffer);
    if (place === undefined) {
      place = list.push(buffers[buffer]!) - 1;
      places.set(buffer, place);
    }
    return place === access.buffer ? access : { ...access, buffer: place };
  };
  const finished = kernels.map((kernel) => mapAccesses(kernel, rename, rename));
  return { buffers: list, kernels: finished, refusals };
}
