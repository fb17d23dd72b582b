/**
 * Which values are stored: given clusters, walks the graph from its results back and notes which kernels need each value from outside.
 * What several kernels would compute at some cost is stored, what is cheap is computed again. These are preferences: lowering stores
 * more where it must.
 */
import type { Node, ValueId } from "../../graph/node.js";
import type { Target } from "../../target.js";
import type { Cluster, Clustering } from "./cluster.js";
import {
  dearWeight,
  loadWeight,
  operationWeight,
  repeatedSpareWeight,
  repeatedWeight,
  smallLoadWeight,
  sparedStoreWeight,
} from "./cost.js";
import { elementsOf, type Facts } from "./facts.js";
import type { Placement } from "./placement.js";

const nobody = -1;
const several = -2;

interface Deciding {
  readonly facts: Facts;
  readonly clustering: Clustering;
  readonly target: Target;
  readonly forced: (value: ValueId) => boolean;
  /** The kernel that needs a value from outside: a cluster's id, another number for a kernel to be, `several` or `nobody`. */
  readonly users: Int32Array;
  /** Needed by a product's operand, as a plain view, by more points than it has numbers. */
  readonly byProduct: Uint8Array;
  readonly asView: Uint8Array;
  readonly repeated: Uint8Array;
  readonly stored: Set<ValueId>;
}

/** Values to store besides the forced ones. O(n). */
export function decideStores(facts: Facts, clustering: Clustering, placement: Placement, target: Target): Set<ValueId> {
  const count = facts.graph.types.length;
  const deciding: Deciding = {
    facts,
    clustering,
    target,
    forced: (value) => placement.storage.has(value),
    users: new Int32Array(count).fill(nobody),
    byProduct: new Uint8Array(count),
    asView: new Uint8Array(count),
    repeated: new Uint8Array(count),
    stored: new Set([...placement.storage.keys(), ...clustering.tooLarge]),
  };
  const clusters = clustering.clusters.length;
  // Kernels that only copy need what they copy.
  for (const cluster of clustering.clusters) {
    for (const { request } of cluster.copies)
      if (request.value !== undefined) need(deciding, request.value, cluster.id);
  }
  const spare: ValueId[] = [];
  for (const node of facts.nodes.toReversed()) decide(deciding, node, clusters, spare);
  spare.reverse();
  dropSpare(deciding, spare);
  storeCommonSource(deciding, spare);
  return deciding.stored;
}

function need(deciding: Deciding, value: ValueId, user: number, from?: ValueId): void {
  const { users, byProduct, asView, repeated } = deciding;
  if (deciding.clustering.owner(value)?.id === user || user === nobody) return;
  users[value] = users[value] === nobody || users[value] === user ? user : several;
  if (from === undefined) return;
  byProduct[value] = byProduct[value]! | byProduct[from]!;
  asView[value] = asView[value]! | asView[from]!;
  const grows = elementsOf(deciding.facts, from) >= 4 * elementsOf(deciding.facts, value);
  if (repeated[from] || grows) repeated[value] = 1;
}

/** What a node's kernel, or the kernels that evaluate it in place, need in turn. */
function decide(deciding: Deciding, node: Node, clusters: number, spare: ValueId[]): void {
  const { facts, clustering, users, stored } = deciding;
  const value = node.outputs[0]!;
  const owner = clustering.owner(value);
  switch (facts.roles[value]!) {
    case "leaf":
    case "generated":
      if (deciding.forced(value)) stored.add(value);
      return;
    case "contraction":
      for (const input of node.inputs) {
        need(deciding, input, owner!.id);
        deciding.byProduct[input] = 1;
      }
      storeUsed(deciding, node);
      return;
    case "attention":
    case "indexed":
      for (const input of node.inputs) {
        need(deciding, input, owner!.id);
        deciding.asView[input] = 1;
      }
      storeUsed(deciding, node);
      return;
    case "reduction":
      for (const input of node.inputs) need(deciding, input, owner!.id);
      storeUsed(deciding, node);
      return;
    case "assembly":
      // Its pieces have their places, or kernels that copy them.
      storeUsed(deciding, node);
      return;
    case "view":
    case "elementwise":
    case "gather":
      break;
  }
  const user = users[value]!;
  if (owner) {
    for (const input of node.inputs) need(deciding, input, owner.id);
    if (user === nobody) return;
    if (deciding.forced(value) || storeMember(deciding, node, owner, spare)) {
      stored.add(value);
      return;
    }
  } else if (deciding.forced(value) || (user !== nobody && storeFloating(deciding, node))) {
    stored.add(value);
    for (const input of node.inputs) need(deciding, input, clusters + value);
    if (node.primitive === "gather") deciding.asView[node.inputs[0]!] = 1;
    return;
  }
  for (const input of node.inputs) need(deciding, input, user, value);
  if (node.primitive === "gather") deciding.asView[node.inputs[0]!] = 1;
}

function storeUsed(deciding: Deciding, node: Node): void {
  for (const output of node.outputs) if (deciding.users[output] !== nobody) deciding.stored.add(output);
}

/** Whether a value that no cluster computes is stored, rather than evaluated by each of its users. */
function storeFloating(deciding: Deciding, node: Node): boolean {
  const { facts, clustering, target } = deciding;
  const value = node.outputs[0]!;
  if (facts.roles[value] === "view") return false;
  if (deciding.asView[value]) return true;
  if (deciding.byProduct[value] && !target.contractionPrologue) return true;
  // A few numbers for the whole tensor: any kernel computes them on the side.
  if (elementsOf(facts, value) === 1) return false;
  if (deciding.repeated[value] && clustering.operations(value) >= repeatedWeight) return true;
  return deciding.users[value] === several && clustering.operations(value) + clustering.traffic(value) >= dearWeight;
}

/** Whether a value that a cluster computes on the way is stored for the kernels outside that need it. */
function storeMember(deciding: Deciding, node: Node, owner: Cluster, spare: ValueId[]): boolean {
  const { facts, clustering } = deciding;
  const value = node.outputs[0]!;
  if (facts.roles[value] === "view") return false;
  if (deciding.asView[value] || deciding.byProduct[value]) return true;
  // Recomputed from what is stored anyway outside, and from numbers per row.
  const cost = recomputation(deciding, value, owner, (input) => {
    if (clustering.owner(input)?.id !== owner.id) return "load";
    return elementsOf(facts, input) * 4 <= elementsOf(facts, value) ? "load" : "expand";
  });
  if (cost !== undefined && cost < dearWeight) return false;
  spare.push(value);
  return true;
}

/**
 * Weight of computing a cluster's value outside of it, from values that `take` says to load; undefined when that reads more than
 * `largest` tensors of its size, or needs a root.
 */
function recomputation(
  deciding: Deciding,
  value: ValueId,
  owner: Cluster,
  take: (value: ValueId) => "load" | "expand",
  largest = 1,
): number | undefined {
  const { facts, clustering } = deciding;
  const elements = elementsOf(facts, value);
  const seen = new Set<ValueId>([value]);
  const pending = [value];
  let weight = 0;
  let large = 0;
  while (pending.length > 0) {
    const at = pending.pop()!;
    const role = facts.roles[at];
    if (role !== "view" && role !== "elementwise") return undefined;
    const node = facts.producers[at]!;
    weight += operationWeight(node);
    if (weight > sparedStoreWeight || seen.size > 32) return undefined;
    for (const input of node.inputs) {
      if (seen.has(input)) continue;
      seen.add(input);
      if (take(input) === "load") {
        const small = elementsOf(facts, input) * 4 <= elements;
        // A value of another cluster is one load; what no cluster computes is evaluated here too.
        const traffic = clustering.owner(input) ? loadWeight : clustering.traffic(input);
        weight += clustering.owner(input) ? 0 : clustering.operations(input);
        if (small) weight += Math.min(traffic, smallLoadWeight);
        else large += traffic / loadWeight;
      } else if (clustering.owner(input)?.id === owner.id) {
        pending.push(input);
      }
    }
  }
  return large < largest + 0.75 ? weight : undefined;
}

/** Of stored values, in order, those that follow from one of their cluster that is stored before them are not. */
function dropSpare(deciding: Deciding, spare: readonly ValueId[]): void {
  const { clustering, stored, users } = deciding;
  for (const value of spare) {
    if (deciding.forced(value)) continue;
    const owner = clustering.owner(value)!;
    let beside = false;
    const cost = recomputation(deciding, value, owner, (input) => {
      const own = clustering.owner(input)?.id === owner.id;
      if (own && !stored.has(input)) return "expand";
      beside ||= own;
      return "load";
    });
    const limit = deciding.repeated[value]
      ? repeatedSpareWeight
      : beside && users[value] !== several
        ? sparedStoreWeight
        : dearWeight;
    if (cost !== undefined && cost < limit) stored.delete(value);
  }
}

/** How far back a common source is looked for. */
const sourceDepth = 12;

/** Of stored values that one kernel needs and that follow from one value of their cluster, that one value is stored instead. */
function storeCommonSource(deciding: Deciding, spare: readonly ValueId[]): void {
  const { facts, clustering, stored, users } = deciding;
  const groups = new Map<string, ValueId[]>();
  for (const value of spare) {
    if (!stored.has(value) || deciding.forced(value) || deciding.repeated[value] || users[value] === several) continue;
    const key = `${clustering.owner(value)!.id} ${users[value]} ${elementsOf(facts, value)}`;
    const group = groups.get(key);
    if (group) group.push(value);
    else groups.set(key, [value]);
  }
  for (const group of groups.values()) {
    if (group.length < 2) continue;
    const owner = clustering.owner(group[0]!)!;
    const expand = (source: ValueId) => (input: ValueId) =>
      input !== source && clustering.owner(input)?.id === owner.id ? "expand" : "load";
    const source = sourcesOf(deciding, group[0]!, owner).find((candidate) =>
      group.every((value) => {
        if (value === candidate) return true;
        const cost = recomputation(deciding, value, owner, expand(candidate), 2);
        return cost !== undefined && cost < sparedStoreWeight;
      }),
    );
    if (source === undefined) continue;
    for (const value of group) stored.delete(value);
    stored.add(source);
  }
}

/** Values of a cluster that a value is computed from, as large as it is, the last first. */
function sourcesOf(deciding: Deciding, value: ValueId, owner: Cluster): ValueId[] {
  const { facts, clustering } = deciding;
  const found = new Set<ValueId>([value]);
  for (const at of found) {
    if (found.size > sourceDepth) break;
    const role = facts.roles[at];
    if (role !== "view" && role !== "elementwise") continue;
    for (const input of facts.producers[at]!.inputs) {
      const same = clustering.owner(input)?.id === owner.id && elementsOf(facts, input) === elementsOf(facts, value);
      if (same && facts.roles[input] !== "view") found.add(input);
    }
  }
  return [...found].sort((a, b) => facts.places[b]! - facts.places[a]!);
}
