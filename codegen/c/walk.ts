/** Tables of integers by which the C runtime's fixed drivers are told where operands are. See runtime/cpu/native/contraction.h. */
import type { Access } from "../../src/kernels/record.js";
import type { KernelWriter } from "./writer.js";

/** A group of dimensions counted by one joined index: their extents, and where their strides stand in an access. */
export interface Group {
  readonly extents: readonly number[];
  /** Position of the first one among the access's strides. */
  readonly at: number;
}

/**
 * An access's way along a group: the number of dimensions, then extent and stride of each, outermost first. Extents of 1 are left out and
 * neighbours that are walked as one are joined, so that what is contiguous looks so.
 */
export function walkOf(access: Access, group: Group): readonly number[] {
  const pairs: [extent: number, stride: number][] = [];
  for (const [position, extent] of group.extents.entries()) {
    if (extent === 1) continue;
    const stride = access.strides[group.at + position]!;
    const last = pairs[pairs.length - 1];
    if (last && last[1] === stride * extent) pairs[pairs.length - 1] = [last[0] * extent, stride];
    else pairs.push([extent, stride]);
  }
  return [pairs.length, ...pairs.flat()];
}

/** A whole view: binding, offset in elements, and its walk along each group. */
export function viewTable(
  writer: KernelWriter,
  access: Access,
  groups: readonly Group[],
  use: "read" | "write",
): readonly number[] {
  if (access.bounds?.length) throw new Error("a plain view has no bounds");
  return [writer.binding(access.buffer, use), access.offset, ...groups.flatMap((group) => walkOf(access, group))];
}
