/** Strides of views: how storage looks through reshapes and other movements, in both directions. */
import type { Node } from "../../graph/node.js";
import { contiguousStrides, elementCount, type Shape } from "../../graph/shape.js";
import type { BufferId } from "../../kernels/record.js";

/** Where a value's elements are: a buffer, an element offset, and a stride per axis. */
export interface Storage {
  readonly buffer: BufferId;
  readonly offset: number;
  readonly strides: readonly number[];
}

export const contiguousStorage = (buffer: BufferId, shape: Shape): Storage => ({
  buffer,
  offset: 0,
  strides: contiguousStrides(shape),
});

/** Runs of axes of two shapes that hold the same elements; axes of size 1 belong to none. Undefined for empty tensors. */
export function matchAxes(
  from: Shape,
  to: Shape,
): readonly { readonly from: readonly number[]; readonly to: readonly number[] }[] | undefined {
  if (elementCount(from) === 0) return undefined;
  const axes = (shape: Shape) => [...shape.keys()].filter((axis) => shape[axis] !== 1);
  const [left, right] = [axes(from), axes(to)];
  const groups: { from: number[]; to: number[] }[] = [];
  let [i, j] = [0, 0];
  while (i < left.length) {
    const group = { from: [left[i]!], to: [right[j]!] };
    let [a, b] = [from[left[i++]!]!, to[right[j++]!]!];
    while (a !== b) {
      if (a < b) {
        group.from.push(left[i]!);
        a *= from[left[i++]!]!;
      } else {
        group.to.push(right[j]!);
        b *= to[right[j++]!]!;
      }
    }
    groups.push(group);
  }
  return groups;
}

/** Strides of the same memory seen with another shape; undefined where no strides say it. Axes of size 1 get stride 0. */
export function reshapeStrides(from: Shape, strides: readonly number[], to: Shape): number[] | undefined {
  const groups = matchAxes(from, to);
  if (!groups) return contiguousStrides(to);
  const result = new Array<number>(to.length).fill(0);
  for (const group of groups) {
    for (let place = 0; place + 1 < group.from.length; place++) {
      const [outer, inner] = [group.from[place]!, group.from[place + 1]!];
      if (strides[outer] !== strides[inner]! * from[inner]!) return undefined;
    }
    let stride = strides[group.from.at(-1)!]!;
    for (const axis of group.to.toReversed()) {
      result[axis] = stride;
      stride *= to[axis]!;
    }
  }
  return result;
}

/** Storage of a view node's result, given that of its operand; undefined where strides cannot say it (and for pads). */
export function throughView(node: Node, storage: Storage, from: Shape, to: Shape): Storage | undefined {
  switch (node.primitive) {
    case "transpose":
      return { ...storage, strides: node.attributes.permutation.map((axis) => storage.strides[axis]!) };
    case "broadcast": {
      const strides = new Array<number>(to.length).fill(0);
      node.attributes.axes.forEach((axis, place) => {
        strides[axis] = storage.strides[place]!;
      });
      return { ...storage, strides };
    }
    case "slice": {
      const { starts, steps } = node.attributes;
      const offset = starts.reduce((sum, start, axis) => sum + start * storage.strides[axis]!, storage.offset);
      return { ...storage, offset, strides: storage.strides.map((stride, axis) => stride * steps[axis]!) };
    }
    case "pad":
      return undefined;
    default: {
      // Reshapes, and what is one: stop_gradient, reductions over axes of size 1, concat of one piece.
      const strides = reshapeStrides(from, storage.strides, to);
      return strides && { ...storage, strides };
    }
  }
}

/** Storage that a view node's operand must have for its result to stand in `storage`; undefined where there is none, or no such view. */
export function beforeView(node: Node, storage: Storage, from: Shape, to: Shape): Storage | undefined {
  switch (node.primitive) {
    case "transpose": {
      const strides = new Array<number>(from.length).fill(0);
      node.attributes.permutation.forEach((axis, place) => {
        strides[axis] = storage.strides[place]!;
      });
      return { ...storage, strides };
    }
    case "broadcast":
    case "slice":
    case "pad":
      return undefined;
    default: {
      const strides = reshapeStrides(to, storage.strides, from);
      return strides && { ...storage, strides };
    }
  }
}
