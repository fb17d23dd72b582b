/**
 * Stored tensors that stand at equal distances in memory, as those of equal modules in a list do, and the stack of them that a graph reads or has the
 * gradients of: both are views, and nothing is copied.
 */
import { bytesPerElement } from "../../graph/dtype.js";
import type { Graph } from "../../graph/graph.js";
import type { Node, NodeOf, ValueId } from "../../graph/node.js";
import { elementCount, sameShape } from "../../graph/shape.js";
import { type ParameterLayout, type ParameterPlace, parameterChunks } from "../../kernels/layout.js";
import type { BufferHome } from "../../kernels/record.js";
import type { Target } from "../../target.js";
import { beforeView, contiguousStorage, type Storage } from "./strides.js";

/** Where stored tensors are, and what can be bound of them at once. */
export class StoredPlaces {
  readonly #places: ReadonlyMap<string, ParameterPlace>;
  readonly #chunks: readonly number[];

  constructor(layout: ParameterLayout, { limits }: Target) {
    this.#places = new Map(layout.places.map((place) => [place.path, place]));
    this.#chunks = layout.bytes > limits.bytesPerBinding ? parameterChunks(layout, limits.bytesPerBinding) : [0];
  }

  /** The stretch that the tensors of these paths span, one after the other at equal distances; undefined where they do not. */
  stretch(paths: readonly string[]): Stretch | undefined {
    const places = paths.map((path) => this.#places.get(path));
    const [first, second] = places;
    const last = places.at(-1);
    if (!first || !second || !last) return undefined;
    const size = bytesPerElement[first.dtype];
    const distance = second.offset - first.offset;
    const equal = places.every(
      (place, index) =>
        place?.dtype === first.dtype &&
        sameShape(place.shape, first.shape) &&
        place.offset === first.offset + index * distance,
    );
    const end = last.offset + size * elementCount(last.shape);
    if (!equal || distance <= 0 || this.#chunkOf(first.offset) !== this.#chunkOf(end - 1)) return undefined;
    return { offset: first.offset / size, distance: distance / size, elements: (end - first.offset) / size };
  }

  #chunkOf(byte: number): number {
    return this.#chunks.findLastIndex((start) => start <= byte);
  }
}

/** All in elements: where it starts in its segment, the distance of neighbours, and its length. */
export interface Stretch {
  readonly offset: number;
  readonly distance: number;
  readonly elements: number;
}

export const stretchHome = (of: "parameters" | "gradients", { offset }: Stretch): BufferHome => ({
  segment: "range",
  of,
  offset,
});

/** The stretches behind concatenations of stored tensors along a new first axis, by value. O(n). */
export function stackedParameters(graph: Graph, places: StoredPlaces): Map<ValueId, Stretch> {
  const producers: Node[] = [];
  const found = new Map<ValueId, Stretch>();
  for (const node of graph.nodes) {
    for (const output of node.outputs) producers[output] = node;
    if (node.primitive !== "concat" || node.attributes.axis !== 0) continue;
    const paths = node.inputs.map((input) => {
      const reshape = producers[input]!;
      const stored = reshape.primitive === "reshape" ? producers[reshape.inputs[0]!]! : reshape;
      return graph.types[input]!.shape[0] === 1 && stored.primitive === "parameter" ? stored.attributes.path : "";
    });
    const stretch = paths.includes("") ? undefined : places.stretch(paths);
    if (stretch) found.set(node.outputs[0]!, stretch);
  }
  return found;
}

/** A value whose slices along one axis are the gradients of stored tensors at equal distances. */
export interface StackedGradients {
  readonly value: ValueId;
  readonly stretch: Stretch;
  /** Strides of the value in the stretch. */
  readonly strides: readonly number[];
  /** Names of the outputs that are there when the value is. */
  readonly names: readonly string[];
}

interface Part {
  readonly name: string;
  readonly path: string;
  readonly cut: NodeOf<"slice">;
  /** Strides of the slice for the gradient to be row-major. */
  readonly strides: readonly number[];
}

/** Stacks of gradients among a graph's outputs; `pathOf` says whose gradient an output is. O(n log n). */
export function stackedGradients(
  graph: Graph,
  producers: readonly Node[],
  pathOf: (output: string) => string | undefined,
  places: StoredPlaces,
): StackedGradients[] {
  const parts = new Map<ValueId, Part[]>();
  for (const { name, value } of graph.outputs) {
    const path = pathOf(name);
    const part = path === undefined ? undefined : partOf(graph, producers, name, path, value);
    if (!part) continue;
    const source = part.cut.inputs[0]!;
    const list = parts.get(source);
    if (list) list.push(part);
    else parts.set(source, [part]);
  }
  return [...parts].flatMap(([value, list]) => stackOf(graph, value, list, places) ?? []);
}

/** The slice that a gradient is a view of. */
function partOf(
  graph: Graph,
  producers: readonly Node[],
  name: string,
  path: string,
  value: ValueId,
): Part | undefined {
  let at = value;
  let storage: Storage | undefined = contiguousStorage(-1, graph.types[value]!.shape);
  for (;;) {
    const node: Node = producers[at]!;
    if (node.primitive === "slice") return { name, path, cut: node, strides: storage.strides };
    if (node.primitive !== "reshape" && node.primitive !== "transpose") return undefined;
    const input = node.inputs[0]!;
    storage = beforeView(node, storage, graph.types[input]!.shape, graph.types[at]!.shape);
    if (!storage) return undefined;
    at = input;
  }
}

function stackOf(
  graph: Graph,
  value: ValueId,
  parts: readonly Part[],
  places: StoredPlaces,
): StackedGradients | undefined {
  const { shape } = graph.types[value]!;
  const [first] = parts as readonly [Part, ...Part[]];
  const axis = first.cut.attributes.limits.findIndex(
    (limit, axis) => limit - first.cut.attributes.starts[axis]! < shape[axis]!,
  );
  if (axis < 0 || parts.length !== shape[axis]) return undefined;
  const ordered = parts.toSorted((a, b) => a.cut.attributes.starts[axis]! - b.cut.attributes.starts[axis]!);
  const regular = ordered.every(({ cut: { attributes }, strides }, index) =>
    shape.every((size, other) => {
      const [start, limit] = [attributes.starts[other], attributes.limits[other]];
      if (other === axis) return start === index && limit === index + 1;
      return start === 0 && limit === size && attributes.steps[other] === 1 && strides[other] === first.strides[other];
    }),
  );
  const stretch = regular ? places.stretch(ordered.map(({ path }) => path)) : undefined;
  if (!stretch) return undefined;
  return { value, stretch, strides: first.strides.with(axis, stretch.distance), names: parts.map(({ name }) => name) };
}
