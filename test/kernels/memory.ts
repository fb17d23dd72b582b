/** Memories that the record evaluator runs in. Every element is one float64, whatever its dtype. */
import { bytesPerElement } from "../../src/graph/dtype.js";
import type { MemoryPlan } from "../../src/kernels/layout.js";
import type { Buffer, BufferHome, BufferId, KernelList } from "../../src/kernels/record.js";

export interface KernelMemory {
  read(buffer: BufferId, element: number): number;
  write(buffer: BufferId, element: number, value: number): void;
  /** Names the place of an element: two elements with one address overlap. */
  address(buffer: BufferId, element: number): number;
}

/** Contents of a buffer before the run; undefined where nothing was written yet (reads then give NaN). */
export type InitialContents = (home: BufferHome, buffer: Buffer) => ArrayLike<number> | undefined;

function requireInside(list: KernelList, buffer: BufferId, element: number): void {
  const size = list.buffers[buffer]?.elements;
  if (size === undefined) throw new Error(`no buffer ${buffer}`);
  if (!(element >= 0 && element < size)) throw new Error(`element ${element} of buffer ${buffer} (${size} elements)`);
}

/** Every buffer by itself: what records mean, before any planning. Buffers with equal homes are one. */
export function separateMemory(list: KernelList, initial: InitialContents): KernelMemory {
  let size = 0;
  const starts: number[] = [];
  const known = new Map<string, number>();
  list.buffers.forEach((buffer, id) => {
    const { home } = buffer;
    const key = home.segment === "scratch" || home.segment === "prepared" ? `${id}` : JSON.stringify(home);
    const start = known.get(key) ?? size;
    known.set(key, start);
    starts[id] = start;
    if (start === size) size += buffer.elements;
  });
  const cells = new Float64Array(size).fill(Number.NaN);
  list.buffers.forEach((buffer, id) => {
    const contents = initial(buffer.home, buffer);
    if (contents) cells.set(Array.from(contents), starts[id]!);
  });
  return {
    read(buffer, element) {
      requireInside(list, buffer, element);
      return cells[starts[buffer]! + element]!;
    },
    write(buffer, element, value) {
      requireInside(list, buffer, element);
      cells[starts[buffer]! + element] = value;
    },
    address: (buffer, element) => starts[buffer]! + element,
  };
}

const segments = [
  "parameters",
  "gradients",
  "optimizer",
  "prepared",
  "constants",
  "inputs",
  "outputs",
  "scalars",
  "scratch",
] as const;

const segmentOf = (home: BufferHome) => (home.segment === "range" ? home.of : home.segment);

/**
 * One flat memory per segment, laid out by a plan; a cell per byte, of which an element uses the first and ruins the others. So a
 * buffer that is overwritten while it is still needed shows as a wrong number or NaN.
 */
export function plannedMemory(list: KernelList, plan: MemoryPlan, initial: InitialContents): KernelMemory {
  const sizes = new Map<string, number>();
  list.buffers.forEach((buffer, id) => {
    const name = segmentOf(buffer.home);
    const end = plan.offsets[id]! + buffer.elements * bytesPerElement[buffer.dtype];
    sizes.set(name, Math.max(sizes.get(name) ?? 0, end));
  });
  const bases = new Map<string, number>();
  let total = 0;
  for (const name of segments) {
    bases.set(name, total);
    total += sizes.get(name) ?? 0;
  }
  const cells = new Float64Array(total).fill(Number.NaN);
  const address = (buffer: BufferId, element: number) => {
    const { dtype, home } = list.buffers[buffer]!;
    return bases.get(segmentOf(home))! + plan.offsets[buffer]! + element * bytesPerElement[dtype];
  };
  const write = (buffer: BufferId, element: number, value: number) => {
    requireInside(list, buffer, element);
    const place = address(buffer, element);
    cells[place] = value;
    for (let byte = 1; byte < bytesPerElement[list.buffers[buffer]!.dtype]; byte++) cells[place + byte] = Number.NaN;
  };
  list.buffers.forEach((buffer, id) => {
    const contents = initial(buffer.home, buffer);
    if (contents) for (let element = 0; element < buffer.elements; element++) write(id, element, contents[element]!);
  });
  return {
    read(buffer, element) {
      requireInside(list, buffer, element);
      return cells[address(buffer, element)]!;
    },
    write,
    address,
  };
}

/** All elements of a buffer. */
export function contentsOf(list: KernelList, memory: KernelMemory, buffer: BufferId): Float64Array {
  return new Float64Array(list.buffers[buffer]!.elements).map((_, element) => memory.read(buffer, element));
}
