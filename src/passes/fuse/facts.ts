/** What fusion knows about a graph before it decides anything. */
import type { Graph } from "../../graph/graph.js";
import type { Node, NodeOf, ValueId } from "../../graph/node.js";
import { liveNodes } from "../../graph/rewrite.js";
import { elementCount, type Shape, type TensorType } from "../../graph/shape.js";
import { type StoredPlaces, type Stretch, stackedParameters } from "./stacks.js";

/**
 * How fusion treats a node:
 * leaf: a buffer that comes from outside; generated: computed from coordinates, or a sum over nothing, no operand is read; view: other coordinates of
 * its one operand; elementwise: one number of each operand per number of the result; gather: an elementwise read at a computed index;
 * reduction, contraction, attention, indexed (sorts, scatter-adds, products by group): the roots of kernels; assembly: put together from pieces that others write.
 */
export type Role =
  | "leaf"
  | "generated"
  | "view"
  | "elementwise"
  | "gather"
  | "reduction"
  | "contraction"
  | "attention"
  | "indexed"
  | "assembly";

export interface Facts {
  readonly graph: Graph;
  /** Live nodes in topological order; a node's place in it orders everything. */
  readonly nodes: readonly Node[];
  readonly producers: readonly Node[];
  readonly places: readonly number[];
  readonly roles: readonly Role[];
  /** Number of live uses of each value: operands, outputs and updates. */
  readonly uses: readonly number[];
  /** Stacks of stored tensors that are views of memory, and so leaves. */
  readonly stacks: ReadonlyMap<ValueId, Stretch>;
  /** Live nodes that take each value as an operand. */
  readonly consumers: readonly (readonly Node[])[];
}

/** Facts of the live part of a graph, indexed by value. O(n). */
export function gatherFacts(graph: Graph, stored?: StoredPlaces): Facts {
  const live = liveNodes(graph);
  const nodes = graph.nodes.filter((_, place) => live[place]);
  const producers: Node[] = [];
  const places: number[] = [];
  const roles: Role[] = [];
  const uses = new Array<number>(graph.types.length).fill(0);
  const consumers: Node[][] = [];
  const stacks = stored ? stackedParameters(graph, stored) : new Map<ValueId, Stretch>();
  nodes.forEach((node, place) => {
    const role = stacks.has(node.outputs[0]!) ? "leaf" : roleOf(node, graph);
    for (const output of node.outputs) {
      producers[output] = node;
      places[output] = place;
      roles[output] = role;
      consumers[output] = [];
    }
    for (const input of node.inputs) {
      uses[input]!++;
      consumers[input]!.push(node);
    }
  });
  for (const { value } of [...graph.outputs, ...graph.updates]) uses[value]!++;
  return { graph, nodes, producers, places, roles, uses, consumers, stacks };
}

function roleOf(node: Node, graph: Graph): Role {
  switch (node.primitive) {
    case "input":
    case "parameter":
    case "range":
    case "scalar":
    case "table":
    case "instance_index":
      return "leaf";
    case "constant":
    case "iota":
      return "generated";
    case "random":
      return "elementwise";
    case "reshape":
    case "transpose":
    case "broadcast":
    case "slice":
    case "stop_gradient":
      return "view";
    case "pad": {
      const { shape } = graph.types[node.inputs[0]!]!;
      return node.attributes.interior.some((zeros, axis) => zeros > 0 && shape[axis]! > 1) ? "assembly" : "view";
    }
    case "concat":
      return node.inputs.length === 1 ? "view" : "assembly";
    case "reduce_sum":
    case "reduce_max":
    case "reduce_min":
    case "argmax": {
      const folded = reduceSpace(node, graph).filter(({ reduced }) => reduced);
      if (folded.some(({ size }) => size === 0)) return "generated";
      if (folded.some(({ size }) => size !== 1)) return "reduction";
      return node.primitive === "argmax" ? "generated" : "view";
    }
    case "contraction": {
      const { lhs, rhs } = node.attributes;
      const space = reduceSpace(node, graph);
      if (space.some(({ reduced, size }) => reduced && size === 0)) return "generated";
      if (space.every(({ reduced, size }) => !reduced || size === 1)) return "elementwise";
      const inBoth = (label: number) => lhs.includes(label) && rhs.includes(label);
      return space.every(({ label, size }) => size === 1 || inBoth(label)) ? "reduction" : "contraction";
    }
    case "attention":
    case "attention_backward":
      return "attention";
    case "gather":
      return "gather";
    case "scatter_add":
    case "argsort":
    case "grouped_contraction":
    case "grouped_sum":
      return "indexed";
    default:
      return "elementwise";
  }
}

/** A node that folds axes: reductions, and contractions seen as sums of products. */
export type FoldNode = NodeOf<"reduce_sum" | "reduce_max" | "reduce_min" | "argmax"> | NodeOf<"contraction">;

/** One axis of the space a node folds over: those of the result in their order, then the folded ones. */
export interface FoldAxis {
  readonly label: number;
  readonly size: number;
  readonly reduced: boolean;
}

/** Labels of the axes of each operand of a folding node. */
export function foldLabels(node: Node, graph: Graph): readonly (readonly number[])[] {
  if (node.primitive === "contraction") return [node.attributes.lhs, node.attributes.rhs];
  return [graph.types[node.inputs[0]!]!.shape.map((_, axis) => axis)];
}

/** The space of a folding node: the axes of its result, then the folded axes in the order of its first operand. */
export function reduceSpace(node: Node, graph: Graph): FoldAxis[] {
  const labels = foldLabels(node, graph);
  const sizes = new Map<number, number>();
  labels.forEach((list, operand) => {
    const { shape } = graph.types[node.inputs[operand]!]!;
    list.forEach((label, axis) => {
      sizes.set(label, shape[axis]!);
    });
  });
  const kept = keptLabels(node, graph);
  const folded = [...sizes.keys()].filter((label) => !kept.includes(label));
  return [...kept, ...folded].map((label) => ({ label, size: sizes.get(label)!, reduced: folded.includes(label) }));
}

/** Labels of the result's axes. */
export function keptLabels(node: Node, graph: Graph): readonly number[] {
  switch (node.primitive) {
    case "contraction":
      return node.attributes.out;
    case "reduce_sum":
    case "reduce_max":
    case "reduce_min": {
      const { axes } = node.attributes;
      return foldLabels(node, graph)[0]!.filter((axis) => !axes.includes(axis));
    }
    case "argmax": {
      const { axis: folded } = node.attributes;
      return foldLabels(node, graph)[0]!.filter((axis) => axis !== folded);
    }
    default:
      throw new Error(`${node.primitive} folds nothing`);
  }
}

export const typeOf = (facts: Facts, value: ValueId): TensorType => facts.graph.types[value]!;
export const shapeOfValue = (facts: Facts, value: ValueId): Shape => facts.graph.types[value]!.shape;
export const elementsOf = (facts: Facts, value: ValueId): number => elementCount(facts.graph.types[value]!.shape);

/** The number that every element of a value equals, as far as it can be seen through views. */
export function constantOf(facts: Facts, value: ValueId): number | undefined {
  for (let at = value; ; ) {
    const node = facts.producers[at]!;
    switch (node.primitive) {
      case "constant":
        return node.attributes.value;
      case "reshape":
      case "transpose":
      case "broadcast":
      case "slice":
      case "stop_gradient":
        at = node.inputs[0]!;
        break;
      default:
        return undefined;
    }
  }
}

/** How a node is called in refusals. */
export const nodeName = (node: Node): string =>
  node.origin?.path ? `${node.primitive} of ${node.origin.path}` : node.primitive;
