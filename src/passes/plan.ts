/** Gives every buffer of a kernel list its place: fixed homes by the parameter layout, scratch by liveness. */
import { bytesPerElement } from "../graph/dtype.js";
import { mapAccesses } from "../kernels/access.js";
import { type MemoryPlan, type ParameterLayout, pieceBytes, segmentAlignment, withinPiece } from "../kernels/layout.js";
import type { Access, Buffer, BufferHome, BufferId, KernelList } from "../kernels/record.js";
import { tableKey } from "../kernels/table-key.js";
import type { ScalarName } from "../primitives/names.js";
import { livesOf, successors } from "./plan/liveness.js";
import { align, pack } from "./plan/pack.js";

/** Order of the `scalars` segment: each number has an aligned place of its own. */
export const scalarOrder: readonly ScalarName[] = ["seed", "step", "learning_rate", "row_offset"];

const bytesOf = (buffer: Buffer): number => buffer.elements * bytesPerElement[buffer.dtype];

/**
 * Byte offsets of all buffers in their segments, 256-aligned where they are free. Inputs and outputs stand in the order in which the
 * lists name them. The lists run one after the other; the plan numbers the buffers of all of them in a row. What is placed here lies
 * within one piece of a segment of a target that binds `bytesPerBinding` at once. Throws when a path is not in the layout, or a buffer
 * larger than a piece.
 */
export function plan(
  lists: readonly KernelList[],
  layout: ParameterLayout,
  bytesPerBinding = Number.MAX_SAFE_INTEGER,
): MemoryPlan {
  const list = joined(lists);
  const piece = pieceBytes(bytesPerBinding);
  const places = new Map(layout.places.map((place) => [place.path, place.offset]));
  const ends = { inputs: 0, outputs: 0, constants: 0, prepared: 0 };
  const known = new Map<string, number>();
  /** Next place of a segment; buffers with one home have one place. */
  const appended = (segment: keyof typeof ends, key: string, bytes: number): number => {
    const before = known.get(key);
    if (before !== undefined) return before;
    const offset = withinPiece(ends[segment], bytes, piece);
    ends[segment] = offset + align(bytes, segmentAlignment);
    known.set(key, offset);
    return offset;
  };
  const fixed = (home: BufferHome, buffer: Buffer, id: BufferId): number => {
    switch (home.segment) {
      case "parameters":
      case "gradients": {
        const offset = places.get(home.path);
        if (offset === undefined) throw new Error(`the parameter layout has no ${home.path}`);
        return offset;
      }
      case "range":
        return home.offset * bytesPerElement[buffer.dtype];
      case "scalars":
        return scalarOrder.indexOf(home.name) * segmentAlignment;
      case "inputs":
      case "outputs":
        return appended(home.segment, `${home.segment} ${home.name}`, bytesOf(buffer));
      case "constants":
        return appended("constants", tableKey(buffer.dtype, home.values), bytesOf(buffer));
      case "prepared":
        return appended("prepared", `prepared ${id}`, bytesOf(buffer));
      case "scratch":
        return 0;
    }
  };
  const offsets = list.buffers.map((buffer, id) => fixed(buffer.home, buffer, id));
  const scratch = planScratch(list, offsets, piece);
  return { offsets, pieceBytes: piece, ...scratch, preparedBytes: ends.prepared, constantBytes: ends.constants };
}

/** Several lists as one. */
function joined(lists: readonly KernelList[]): KernelList {
  const [only] = lists;
  if (only && lists.length === 1) return only;
  const buffers: Buffer[] = [];
  const kernels = lists.flatMap((list) => {
    const first = buffers.length;
    buffers.push(...list.buffers);
    const shift = (access: Access): Access => ({ ...access, buffer: access.buffer + first });
    return list.kernels.map((kernel) => mapAccesses(kernel, shift, shift));
  });
  return { buffers, kernels, refusals: [] };
}

/** Packs scratch buffers into `offsets`. Buffers that follow each other in place are one stretch. */
function planScratch(list: KernelList, offsets: number[], piece: number): { scratchBytes: number; lowerBound: number } {
  const lives = livesOf(list);
  const next = successors(list, lives);
  const followers = new Set(next.values());
  const chains = [...lives.keys()]
    .filter((buffer) => list.buffers[buffer]!.home.segment === "scratch" && !followers.has(buffer))
    .map((start) => {
      const chain = [start];
      for (let at = next.get(start); at !== undefined; at = next.get(at)) chain.push(at);
      return chain;
    });
  const packing = pack(
    chains.map((chain) => ({
      bytes: bytesOf(list.buffers[chain[0]!]!),
      first: lives.get(chain[0]!)!.first,
      last: lives.get(chain.at(-1)!)!.last,
    })),
    segmentAlignment,
    piece,
  );
  chains.forEach((chain, place) => {
    for (const buffer of chain) offsets[buffer] = packing.offsets[place]!;
  });
  return { scratchBytes: packing.bytes, lowerBound: packing.lowerBound };
}
