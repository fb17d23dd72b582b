/**
 * Fuses a graph into kernel records. In order: forced places (results, concatenations), clusters, what to store, clusters again with
 * that knowledge, records from the last to the first, and the final order with updates in place.
 */
import type { Graph } from "../graph/graph.js";
import type { KernelList, KernelRecord } from "../kernels/record.js";
import type { Target } from "../target.js";
import type { Cluster } from "./fuse/cluster.js";
import { decideStores } from "./fuse/decide.js";
import { gatherFacts } from "./fuse/facts.js";
import { finishList } from "./fuse/finish.js";
import { formClusters } from "./fuse/form.js";
import { current } from "./fuse/forming.js";
import { LoweringContext } from "./fuse/lowering.js";
import { settleOrder } from "./fuse/order.js";
import { type FuseHomes, placeResults } from "./fuse/placement.js";
import { makeRecord } from "./fuse/records.js";
import { Dimensions } from "./fuse/space.js";
import { StoredPlaces } from "./fuse/stacks.js";
import { orderRows } from "./order-rows.js";

export type { FuseHomes } from "./fuse/placement.js";

/**
 * Kernels in order of execution that compute a graph's outputs and updates. Leaves are read from their own homes; results go to
 * `homes`. No kernel binds more buffers than the target allows, if it can be cut at all. O(n log n).
 */
export function fuse(graph: Graph, target: Target, homes: FuseHomes = {}): KernelList {
  const places = homes.layout && new StoredPlaces(homes.layout, target);
  const facts = gatherFacts(orderRows(graph), places);
  const placement = placeResults(facts, homes, places);
  const guess = formClusters(facts, new Dimensions(), placement, new Set(placement.storage.keys()), target);
  const wanted = decideStores(facts, guess, placement, target);
  const dimensions = new Dimensions();
  const clustering = formClusters(facts, dimensions, placement, wanted, target);
  const stored = decideStores(facts, clustering, placement, target);

  const context = new LoweringContext(facts, dimensions, target, clustering, placement, stored);
  const made: { readonly cluster: Cluster; readonly record: KernelRecord }[] = [];
  for (let cluster = context.next(); cluster; cluster = context.next()) {
    const record = makeRecord(context, cluster);
    if (record === "again") {
      context.again(cluster);
    } else if (record !== "nothing") {
      made.push({ cluster, record });
      context.finished(record);
    }
  }
  made.reverse();
  const { list: buffers } = placement.buffers;
  const order = settleOrder(
    buffers,
    made.map(({ record }) => record),
  );
  const settled = order.map((place) => made[place]!);
  const kernels = new Map(settled.map(({ cluster }, place) => [cluster, place]));
  const refusals = clustering.refusals.flatMap(({ cluster, node, reason }) => {
    const kernel = kernels.get(current(cluster));
    return kernel === undefined ? [] : [{ kernel, node, reason }];
  });
  const records = settled.map(({ record }) => record);
  return finishList(buffers, records, refusals);
}
