/** What to do when a kernel would bind more buffers than the target allows: part of it is stored by a kernel of its own. */
import type { ValueId } from "../../graph/node.js";
import type { Cluster } from "./cluster.js";
import type { Expression } from "./expression.js";
import type { LoweringContext } from "./lowering.js";

/** Makes a kernel smaller; false where there is nothing to take out. */
export function relieve(
  context: LoweringContext,
  cluster: Cluster,
  stores: readonly ValueId[],
  expressions: readonly Expression[],
): boolean {
  const { root } = cluster;
  if (cluster.copies.length > 0 && stores.length + cluster.copies.length > 1) {
    context.evictCopy(cluster);
    return true;
  }
  const isRoot = (value: ValueId) =>
    (root.kind === "reduction" && root.folds.has(value)) || (root.kind === "contraction" && root.accumulator === value);
  const last = stores.findLast((value) => !isRoot(value) && context.facts.roles[value] !== "view");
  if (last !== undefined && (stores.length > 1 || root.kind !== "elementwise")) {
    context.evict(last);
    return true;
  }
  const largest = largestPart(context, cluster, expressions, stores);
  if (largest === undefined) return false;
  context.store(largest, cluster);
  return true;
}

/** Of the values evaluated in place, the one that reads the most buffers, but not all of them. */
function largestPart(
  context: LoweringContext,
  cluster: Cluster,
  expressions: readonly Expression[],
  stores: readonly ValueId[],
): ValueId | undefined {
  const { facts } = context;
  const lowered = new Set(expressions.flatMap((expression) => [...expression.lowered]));
  const loads = new Map<ValueId, Set<ValueId>>();
  let best: ValueId | undefined;
  let most = 1;
  for (const value of [...lowered].sort((a, b) => facts.places[a]! - facts.places[b]!)) {
    const reads = new Set<ValueId>();
    for (const input of facts.producers[value]!.inputs) {
      const below = loads.get(input);
      if (below) for (const load of below) reads.add(load);
      else if (facts.roles[input] !== "generated") reads.add(input);
    }
    loads.set(value, reads);
    const role = facts.roles[value];
    const separable =
      (role === "elementwise" || role === "gather") &&
      !stores.includes(value) &&
      (cluster.root.kind === "elementwise" || context.owner(value) !== cluster);
    if (separable && reads.size > most && reads.size < context.target.limits.buffersPerKernel) {
      most = reads.size;
      best = value;
    }
  }
  return best;
}
