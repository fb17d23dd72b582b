/**
 * Where values must be stored whatever is fused: results in their homes, and the pieces of an assembly (concat, interior padding) in
 * their part of the whole. A piece is written there by the kernel that computes it; what already has a place is copied.
 */
import type { Dtype } from "../../graph/dtype.js";
import type { NodeOf, ValueId } from "../../graph/node.js";
import { elementCount } from "../../graph/shape.js";
import type { ParameterLayout } from "../../kernels/layout.js";
import type { Buffer, BufferHome, BufferId } from "../../kernels/record.js";
import { tableKey } from "../../kernels/table-key.js";
import { elementsOf, type Facts, shapeOfValue, typeOf } from "./facts.js";
import { type StoredPlaces, stackedGradients, stretchHome } from "./stacks.js";
import { beforeView, contiguousStorage, type Storage } from "./strides.js";

/** Homes of results by name; a result that is not named here has the home its kind suggests. */
export interface FuseHomes {
  /** Default: segment `outputs`, by name. */
  readonly outputs?: Readonly<Record<string, BufferHome>>;
  /** Default: the home of the leaf of that name. */
  readonly updates?: Readonly<Record<string, BufferHome>>;
  /** Where stored tensors are, so that several of them can be seen as one. */
  readonly layout?: ParameterLayout;
}

/** The buffers of a kernel list under construction. */
export class Buffers {
  readonly list: Buffer[] = [];
  readonly #leaves = new Map<string, BufferId>();

  add(dtype: Dtype, elements: number, home: BufferHome): BufferId {
    return this.list.push({ dtype, elements, home }) - 1;
  }

  /** The one buffer of a home that is read. */
  leaf(dtype: Dtype, elements: number, home: BufferHome): BufferId {
    const key = home.segment === "constants" ? tableKey(dtype, home.values) : `${elements} ${JSON.stringify(home)}`;
    let buffer = this.#leaves.get(key);
    if (buffer === undefined) {
      buffer = this.add(dtype, elements, home);
      this.#leaves.set(key, buffer);
    }
    return buffer;
  }
}

/** A value to be written to a second place, or zeros (`value` undefined) to be written over a whole buffer first. */
export interface CopyRequest {
  readonly value: ValueId | undefined;
  readonly storage: Storage;
  /** Shape and dtype of what is written. */
  readonly like: ValueId;
  /** Whether it must come after the request before it. */
  readonly after?: true;
}

export interface Placement {
  readonly buffers: Buffers;
  readonly storage: Map<ValueId, Storage>;
  /** Copies that an assembly needs, by its value. */
  readonly copies: ReadonlyMap<ValueId, readonly CopyRequest[]>;
  /** Copies that results need. */
  readonly finalCopies: readonly CopyRequest[];
  /** Leaves that a result replaces, by themselves, and the value that is stored in their place: one buffer when it is written in place. */
  readonly replacedBy: ReadonlyMap<ValueId, ValueId>;
}

/** Homes that outlive a submission and can be read and written. */
export const isKept = (home: BufferHome): boolean =>
  home.segment === "parameters" || home.segment === "gradients" || home.segment === "range";

type LeafName = "input" | "parameter" | "range" | "scalar" | "table" | "instance_index";
export type LeafNode = { [P in LeafName]: NodeOf<P> }[LeafName];

/** Home of a leaf node's buffer. */
export function leafHome(node: LeafNode): BufferHome {
  switch (node.primitive) {
    case "input":
      return { segment: "inputs", name: node.attributes.name };
    case "parameter":
      return { segment: "parameters", path: node.attributes.path };
    case "range":
      return { segment: "range", of: node.attributes.segment, offset: node.attributes.offset };
    case "scalar":
      return { segment: "scalars", name: node.attributes.name };
    case "table":
      return { segment: "constants", values: node.attributes.values };
    case "instance_index":
      // Of a graph that was not batched: its one instance stands at the batch's first row.
      return { segment: "scalars", name: "row_offset" };
  }
}

function defaultUpdateHome(facts: Facts, name: string): BufferHome {
  for (const node of facts.nodes) {
    if (node.primitive === "range" && node.attributes.name === name) return leafHome(node);
  }
  return { segment: "parameters", path: name };
}

/** How far views of a result are followed to find the product that reads it. */
const viewDepth = 8;

/**
 * Strides for a result of attention that make it a plain matrix for the product that reads it, as far as that is a view of it;
 * undefined where row-major is as good.
 */
export function stridesForProduct(facts: Facts, value: ValueId): readonly number[] | undefined {
  if (facts.roles[value] !== "attention") return undefined;
  const pending: ValueId[][] = [[value]];
  for (let chain = pending.pop(); chain; chain = pending.pop()) {
    const at = chain.at(-1)!;
    const consumers = facts.consumers[at]!;
    if (chain.length > 1 && consumers.some((node) => facts.roles[node.outputs[0]!] === "contraction")) {
      let storage: Storage | undefined = contiguousStorage(-1, shapeOfValue(facts, at));
      for (let place = chain.length - 1; place > 0 && storage; place--) {
        const [below, view] = [chain[place - 1]!, chain[place]!];
        const [from, to] = [shapeOfValue(facts, below), shapeOfValue(facts, view)];
        storage = beforeView(facts.producers[view]!, storage, from, to);
      }
      return storage?.strides;
    }
    if (chain.length > viewDepth) continue;
    for (const node of consumers) {
      if (node.primitive === "reshape" || node.primitive === "transpose") pending.push([...chain, node.outputs[0]!]);
    }
  }
  return undefined;
}

/** Decides all forced places. O(n). */
export function placeResults(facts: Facts, homes: FuseHomes, places?: StoredPlaces): Placement {
  const buffers = new Buffers();
  const storage = new Map<ValueId, Storage>();
  const copies = new Map<ValueId, CopyRequest[]>();
  const finalCopies: CopyRequest[] = [];

  /** Gives `value`, or what it is a view of, the place `wanted`; says so in `into` when only a copy can do that. */
  const claim = (value: ValueId, wanted: Storage, into: CopyRequest[]): void => {
    let at = value;
    let place = wanted;
    for (;;) {
      const node = facts.producers[at]!;
      if (facts.roles[at] !== "view" || storage.has(at)) break;
      const input = node.inputs[0]!;
      const before = beforeView(node, place, shapeOfValue(facts, input), shapeOfValue(facts, at));
      if (!before) break;
      at = input;
      place = before;
    }
    // A view that has a place keeps the rest of the way to its operand for itself.
    if (storage.has(at) || facts.roles[at] === "leaf") into.push({ value, storage: wanted, like: value });
    else storage.set(at, place);
  };

  const result = (value: ValueId, home: BufferHome): void => {
    const { dtype, shape } = typeOf(facts, value);
    const buffer = buffers.add(dtype, elementCount(shape), home);
    claim(value, contiguousStorage(buffer, shape), finalCopies);
  };
  for (const { name, value } of facts.graph.updates) {
    result(value, homes.updates?.[name] ?? defaultUpdateHome(facts, name));
  }
  const stacked = new Set<string>();
  const gradientOf = (name: string) => {
    const home = homes.outputs?.[name];
    return home?.segment === "gradients" ? home.path : undefined;
  };
  for (const stack of places ? stackedGradients(facts.graph, facts.producers, gradientOf, places) : []) {
    if (facts.roles[stack.value] === "leaf" || storage.has(stack.value)) continue;
    const home = stretchHome("gradients", stack.stretch);
    const buffer = buffers.add(typeOf(facts, stack.value).dtype, stack.stretch.elements, home);
    claim(stack.value, { buffer, offset: 0, strides: stack.strides }, finalCopies);
    for (const name of stack.names) stacked.add(name);
  }
  for (const { name, value } of facts.graph.outputs) {
    if (!stacked.has(name)) result(value, homes.outputs?.[name] ?? { segment: "outputs", name });
  }

  for (const node of facts.nodes.toReversed()) {
    const value = node.outputs[0]!;
    if (facts.roles[value] !== "assembly") continue;
    let whole = storage.get(value);
    if (!whole) {
      const { dtype, shape } = typeOf(facts, value);
      whole = contiguousStorage(buffers.add(dtype, elementsOf(facts, value), { segment: "scratch" }), shape);
      storage.set(value, whole);
    }
    const own: CopyRequest[] = [];
    if (node.primitive === "concat") {
      const { axis } = node.attributes;
      let start = 0;
      for (const piece of node.inputs) {
        claim(piece, { ...whole, offset: whole.offset + start * whole.strides[axis]! }, own);
        start += shapeOfValue(facts, piece)[axis]!;
      }
    } else if (node.primitive === "pad") {
      const { low, interior } = node.attributes;
      const piece = node.inputs[0]!;
      const strides = whole.strides.map((stride, axis) => stride * (interior[axis]! + 1));
      const offset = whole.strides.reduce((sum, stride, axis) => sum + stride * low[axis]!, whole.offset);
      own.push({ value: undefined, storage: whole, like: value });
      own.push({ value: piece, storage: { ...whole, offset, strides }, like: piece, after: true });
    }
    copies.set(value, own);
  }
  return { buffers, storage, copies, finalCopies, replacedBy: replacements(facts, buffers, storage) };
}

/** The values that alone are stored in the home of a leaf, by leaf. */
function replacements(facts: Facts, buffers: Buffers, storage: ReadonlyMap<ValueId, Storage>): Map<ValueId, ValueId> {
  const writers = new Map<BufferId, ValueId[]>();
  for (const [value, { buffer }] of storage) {
    const list = writers.get(buffer);
    if (list) list.push(value);
    else writers.set(buffer, [value]);
  }
  const written = new Map<string, ValueId>();
  for (const [buffer, values] of writers) {
    const { home } = buffers.list[buffer]!;
    if (isKept(home) && values.length === 1) written.set(JSON.stringify(home), values[0]!);
  }
  const replaced = new Map<ValueId, ValueId>();
  for (const node of facts.nodes) {
    if (node.primitive !== "parameter" && node.primitive !== "range") continue;
    const writer = written.get(JSON.stringify(leafHome(node)));
    if (writer !== undefined) replaced.set(node.outputs[0]!, writer);
  }
  return replaced;
}
