/** The state of clustering, and what all its steps do to it: order, membership, and what a value costs to compute again. */
import type { Node, ValueId } from "../../graph/node.js";
import type { Target } from "../../target.js";
import type { Cluster, ClusterRefusal, Root } from "./cluster.js";
import { expressionLimit, loadWeight, operationWeight, repeatedSpareWeight, smallLoadWeight } from "./cost.js";
import { constantOf, elementsOf, type Facts, nodeName } from "./facts.js";
import type { Dimensions, Layout } from "./space.js";

export interface Forming {
  readonly facts: Facts;
  readonly dimensions: Dimensions;
  readonly target: Target;
  /** Values that will be stored, as far as known. */
  readonly stored: (value: ValueId) => boolean;
  /** Leaves that a stored value replaces, and that value. */
  readonly replacedBy: ReadonlyMap<ValueId, ValueId>;
  readonly clusters: Cluster[];
  readonly owners: (Cluster | undefined)[];
  readonly layouts: (Layout | undefined)[];
  /** Buffers that evaluating a value in place reads: itself once it is in a cluster. */
  readonly loads: (readonly ValueId[])[];
  /** Operations of evaluating a value in place, and the weight of what it loads. */
  readonly operations: number[];
  readonly traffic: number[];
  /** Nodes of the expression of a value, shared ones counted each time. */
  readonly sizes: number[];
  readonly tooLarge: Set<ValueId>;
  /** The last elementwise cluster that reads a tensor as large as its own space, and the last reduction that does. */
  readonly readers: Map<ValueId, Cluster>;
  readonly foldReaders: Map<ValueId, Cluster>;
  readonly refusals: ClusterRefusal[];
  now: number;
}

/** The cluster that a cluster has become. */
export function current(cluster: Cluster): Cluster {
  let at = cluster;
  while (at.into) at = at.into;
  // Later look-ups are short.
  for (let step = cluster; step !== at; ) {
    const next = step.into!;
    step.into = at;
    step = next;
  }
  return at;
}

export function ownerOf(forming: Forming, value: ValueId): Cluster | undefined {
  const owner = forming.owners[value];
  return owner && current(owner);
}

/** Negative where `a` runs before `b`. */
export const compareOrder = (a: Cluster, b: Cluster): number => a.position - b.position || a.tie - b.tie;

export function createCluster(forming: Forming, root: Root): Cluster {
  const cluster: Cluster = {
    id: forming.clusters.length,
    root,
    position: ++forming.now,
    tie: -1,
    limit: Number.POSITIVE_INFINITY,
    into: undefined,
    members: [],
    loads: new Set(),
    copies: [],
    size: 0,
    stores: 0,
  };
  forming.clusters.push(cluster);
  return cluster;
}

export function refuse(forming: Forming, cluster: Cluster, node: Node, reason: string): void {
  forming.refusals.push({ cluster, node: nodeName(node), reason });
}

/** Makes a value part of a cluster. From then on others load it, or compute it again from what they load. */
export function own(forming: Forming, cluster: Cluster, value: ValueId, layout: Layout | undefined): void {
  forming.owners[value] = cluster;
  forming.layouts[value] = layout;
  forming.loads[value] = [numberBehind(forming, cluster, value) ?? value];
  forming.operations[value] = 0;
  forming.traffic[value] = loadWeight;
  forming.sizes[value] = 1;
  cluster.members.push(value);
  if (forming.stored(value)) cluster.stores++;
}

/** For a single number that is hardly more than another one of its cluster (a comparison, a sign): that one, which is loaded instead. */
function numberBehind(forming: Forming, cluster: Cluster, value: ValueId): ValueId | undefined {
  const { facts } = forming;
  const node = facts.producers[value]!;
  if (elementsOf(facts, value) !== 1 || facts.roles[value] !== "elementwise") return undefined;
  if (operationWeight(node) >= repeatedSpareWeight) return undefined;
  const operands = node.inputs.filter((input) => constantOf(facts, input) === undefined);
  const [only] = operands;
  if (only === undefined || operands.length > 1 || ownerOf(forming, only) !== cluster) return undefined;
  return forming.loads[only]![0];
}

/** Notes that a cluster reads buffers: their clusters must stay before it. */
export function consume(forming: Forming, cluster: Cluster, values: Iterable<ValueId>): void {
  for (const value of values) {
    cluster.loads.add(value);
    const owner = ownerOf(forming, value);
    if (owner && owner !== cluster) owner.limit = Math.min(owner.limit, cluster.position);
  }
}

/** The latest of the clusters whose values are read. */
export function latestOwner(forming: Forming, values: Iterable<ValueId>): Cluster | undefined {
  let latest: Cluster | undefined;
  for (const value of values) {
    const owner = ownerOf(forming, value);
    if (owner && (!latest || compareOrder(owner, latest) > 0)) latest = owner;
  }
  return latest;
}

/** Makes sure that `cluster` runs after `other`, moving it down when nothing in between needs it. */
export function moveAfter(forming: Forming, cluster: Cluster, other: Cluster | undefined): boolean {
  if (!other || compareOrder(other, cluster) < 0) return true;
  if (cluster.limit <= other.position) return false;
  const position = cluster.limit === Number.POSITIVE_INFINITY ? ++forming.now : (other.position + cluster.limit) / 2;
  if (!(position > other.position && position < cluster.limit)) return false;
  cluster.position = position;
  return true;
}

/** Whether a cluster may read more buffers, and store one more value. */
export function hasRoom(forming: Forming, cluster: Cluster, values: Iterable<ValueId>, stored?: ValueId): boolean {
  const loads = new Set(cluster.loads);
  for (const value of values) loads.add(value);
  const written = Math.max(1, cluster.stores + cluster.copies.length + (stored === undefined ? 0 : 1));
  let inPlace = 0;
  for (const load of loads) {
    const successor = forming.replacedBy.get(load);
    if (successor !== undefined && (successor === stored || ownerOf(forming, successor) === cluster)) inPlace++;
  }
  return loads.size + written - inPlace <= forming.target.limits.buffersPerKernel;
}

/** Records what evaluating a node in place costs, from what its operands cost. */
export function noteInline(forming: Forming, node: Node, value: ValueId): void {
  const { facts } = forming;
  const loads = new Set<ValueId>();
  let operations = operationWeight(node);
  let traffic = 0;
  let size = 1;
  const elements = elementsOf(facts, value);
  for (const input of node.inputs) {
    for (const load of forming.loads[input]!) loads.add(load);
    operations += forming.operations[input]!;
    const small = elementsOf(facts, input) * 4 <= elements;
    traffic += small ? Math.min(forming.traffic[input]!, smallLoadWeight) : forming.traffic[input]!;
    size += forming.sizes[input]!;
  }
  forming.loads[value] = [...loads];
  forming.operations[value] = operations;
  forming.traffic[value] = traffic;
  forming.sizes[value] = size;
}

/** Number of nodes of a value's expression, shared ones counted once; stops counting beyond the limit. */
export function expressionSize(forming: Forming, value: ValueId): number {
  if (forming.sizes[value]! <= expressionLimit) return forming.sizes[value]!;
  return countNodes(forming, [value]);
}

/** Size of an elementwise cluster with one more expression, what they share counted once where the sum would be too much. */
export function sizeTogether(forming: Forming, cluster: Cluster, value: ValueId, size: number): number {
  const sum = cluster.size + size;
  return sum <= expressionLimit ? sum : countNodes(forming, [...cluster.members, value]);
}

/** Nodes that values are computed from in place; stops counting beyond the limit. */
function countNodes(forming: Forming, values: readonly ValueId[]): number {
  const roots = new Set(values);
  const seen = new Set<ValueId>();
  const pending = [...values];
  while (pending.length > 0 && seen.size <= expressionLimit) {
    const at = pending.pop()!;
    if (seen.has(at)) continue;
    seen.add(at);
    if (roots.has(at) || !forming.owners[at]) pending.push(...forming.facts.producers[at]!.inputs);
  }
  return seen.size;
}
