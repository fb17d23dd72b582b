/**
 * Views whose axes consist of several parts, each with a stride of its own: what reshapes show that plain strides cannot say, such as the
 * joined axes of a slot that stands in its tokens part by part.
 */
import type { Node, ValueId } from "../../graph/node.js";
import type { Shape } from "../../graph/shape.js";
import type { BufferId } from "../../kernels/record.js";
import type { Cluster } from "./cluster.js";
import { shapeOfValue } from "./facts.js";
import type { LoweringContext } from "./lowering.js";
import type { Storage } from "./strides.js";

export interface Part {
  readonly extent: number;
  readonly stride: number;
}

export interface AxisView {
  readonly buffer: BufferId;
  readonly offset: number;
  /** The parts of each axis, outermost first; none for an axis of size 1. */
  readonly axes: readonly (readonly Part[])[];
}

/** A value as it is seen in memory before `cluster` runs; one that cannot be seen is stored first. */
export function axisViewOrStore(context: LoweringContext, value: ValueId, cluster: Cluster): AxisView {
  const chain: ValueId[] = [];
  let at = value;
  let storage = context.viewOf(at, cluster);
  while (!storage && context.facts.roles[at] === "view" && context.owner(at) !== cluster) {
    chain.push(at);
    at = context.facts.producers[at]!.inputs[0]!;
    storage = context.viewOf(at, cluster);
  }
  let view = storage && plainView(storage, shapeOfValue(context.facts, at));
  for (const above of chain.toReversed()) {
    view = view && throughNode(context.facts.producers[above]!, view, shapeOfValue(context.facts, above));
  }
  return view ?? plainView(context.viewOrStore(value, cluster), shapeOfValue(context.facts, value));
}

export const plainView = ({ buffer, offset, strides }: Storage, shape: Shape): AxisView => ({
  buffer,
  offset,
  axes: shape.map((extent, axis) => (extent === 1 ? [] : [{ extent, stride: strides[axis]! }])),
});

/** A view of a view; undefined where its axes are no parts of the other's. */
function throughNode(node: Node, { buffer, offset, axes }: AxisView, shape: Shape): AxisView | undefined {
  switch (node.primitive) {
    case "transpose":
      return { buffer, offset, axes: node.attributes.permutation.map((axis) => axes[axis]!) };
    case "broadcast": {
      const from = node.attributes.axes;
      const repeated = (extent: number): Part[] => (extent === 1 ? [] : [{ extent, stride: 0 }]);
      return {
        buffer,
        offset,
        axes: shape.map((extent, axis) => (from.includes(axis) ? axes[from.indexOf(axis)]! : repeated(extent))),
      };
    }
    case "slice": {
      const { starts, steps } = node.attributes;
      let start = offset;
      const cut = axes.map((parts, axis): readonly Part[] | undefined => {
        const [part] = parts;
        const extent = shape[axis]!;
        if (!part || (parts.length > 1 && extent < parts.reduce((size, { extent }) => size * extent, 1))) {
          return part ? undefined : [];
        }
        if (parts.length > 1) return parts;
        start += starts[axis]! * part.stride;
        return extent === 1 ? [] : [{ extent, stride: part.stride * steps[axis]! }];
      });
      return cut.some((parts) => !parts) ? undefined : { buffer, offset: start, axes: cut as Part[][] };
    }
    case "pad":
    case "concat":
      return undefined;
    default: {
      const dealt = dealOut(axes.flat(), shape);
      return dealt && { buffer, offset, axes: dealt };
    }
  }
}

/** Parts in row-major order, dealt out to the axes of a shape; undefined where an axis would end inside a part that cannot be cut. */
function dealOut(parts: readonly Part[], shape: Shape): Part[][] | undefined {
  const left = parts.toReversed();
  const axes: Part[][] = [];
  for (const size of shape) {
    const own: Part[] = [];
    for (let missing = size; missing > 1; ) {
      const part = left.pop();
      if (!part) return undefined;
      const taken = Math.min(part.extent, missing);
      if (part.extent % taken !== 0 || missing % taken !== 0) return undefined;
      own.push({ extent: taken, stride: part.stride * (part.extent / taken) });
      if (taken < part.extent) left.push({ extent: part.extent / taken, stride: part.stride });
      missing /= taken;
    }
    axes.push(own);
  }
  return axes;
}

/** Extents into which all of some lists of parts can be cut, where they are of one axis; undefined where there are none. */
export function commonExtents(lists: readonly (readonly Part[])[]): number[] | undefined {
  const left = lists.map((parts) => parts.map(({ extent }) => extent).reverse());
  const extents: number[] = [];
  while (left.some((list) => list.length > 0)) {
    const heads = left.map((list) => list.pop());
    const smallest = Math.min(...heads.map((head) => head ?? 0));
    if (smallest < 2 || heads.some((head) => head! % smallest !== 0)) return undefined;
    extents.push(smallest);
    heads.forEach((head, place) => {
      if (head! > smallest) left[place]!.push(head! / smallest);
    });
  }
  return extents;
}

/** Strides of the parts of an axis cut to these extents. */
export function stridesOf(parts: readonly Part[], extents: readonly number[]): number[] {
  const dealt = dealOut(parts, extents);
  if (!dealt) throw new Error("an axis is not cut where it was said to be");
  return dealt.map(([part]) => part!.stride);
}
