/**
 * Forms clusters, one node after the other. Contractions, reductions and other roots start one; elementwise nodes and views join the
 * latest cluster that computes one of their operands, point for point, when everything else they read is there before it (or the
 * cluster can be moved down that far). What joins nothing is evaluated where it is used, unless it is stored: then it starts, or
 * joins, an elementwise cluster. A cluster's position orders it, so there are no cycles.
 */
import type { Node, ValueId } from "../../graph/node.js";
import { elementCount, sameShape } from "../../graph/shape.js";
import type { Target } from "../../target.js";
import type { Cluster, Clustering, Root } from "./cluster.js";
import { expressionLimit, loadWeight, operationWeight } from "./cost.js";
import { elementsOf, type Facts, shapeOfValue } from "./facts.js";
import { joinFold } from "./fold.js";
import {
  compareOrder,
  consume,
  createCluster,
  current,
  expressionSize,
  type Forming,
  hasRoom,
  latestOwner,
  moveAfter,
  noteInline,
  own,
  ownerOf,
  refuse,
  sizeTogether,
} from "./forming.js";
import type { CopyRequest, Placement } from "./placement.js";
import { joinProducts, startProduct } from "./products.js";
import type { Dimensions, Layout } from "./space.js";

/** Clusters of a graph, given which values will be stored. O(n) for expressions of bounded size. */
export function formClusters(
  facts: Facts,
  dimensions: Dimensions,
  placement: Placement,
  stored: ReadonlySet<ValueId>,
  target: Target,
): Clustering {
  const forming: Forming = {
    facts,
    dimensions,
    target,
    stored: (value) => stored.has(value),
    replacedBy: placement.replacedBy,
    clusters: [],
    owners: [],
    layouts: [],
    loads: [],
    operations: [],
    traffic: [],
    sizes: [],
    tooLarge: new Set(),
    readers: new Map(),
    foldReaders: new Map(),
    refusals: [],
    now: 0,
  };
  for (const node of facts.nodes) visit(forming, node, placement);
  for (const request of placement.finalCopies) copy(forming, request);
  return {
    clusters: forming.clusters.filter(({ into }) => !into),
    owner: (value) => ownerOf(forming, value),
    layout: (value) => forming.layouts[value],
    operations: (value) => forming.operations[value]!,
    traffic: (value) => forming.traffic[value]!,
    tooLarge: forming.tooLarge,
    refusals: forming.refusals,
  };
}

function visit(forming: Forming, node: Node, placement: Placement): void {
  const value = node.outputs[0]!;
  switch (forming.facts.roles[value]!) {
    case "leaf":
      forming.loads[value] = [value];
      forming.operations[value] = operationWeight(node);
      forming.traffic[value] = loadWeight;
      forming.sizes[value] = 1;
      return;
    case "view":
      if (!joinView(forming, node)) evaluateInPlace(forming, node);
      return;
    case "generated":
    case "gather":
      evaluateInPlace(forming, node);
      return;
    case "elementwise":
      if (!joinProducts(forming, node) && !joinElementwise(forming, node)) evaluateInPlace(forming, node);
      return;
    case "reduction":
      fitOperands(forming, node);
      joinFold(forming, node);
      return;
    case "contraction":
      fitOperands(forming, node);
      startProduct(forming, node);
      return;
    case "attention":
    case "indexed": {
      const cluster = createCluster(forming, structuredRoot(node));
      for (const input of node.inputs) consume(forming, cluster, forming.loads[input]!);
      for (const output of node.outputs) {
        own(forming, cluster, output, forming.dimensions.layoutOf(shapeOfValue(forming.facts, output), true));
      }
      return;
    }
    case "assembly": {
      for (const request of placement.copies.get(value)!) copy(forming, request);
      const cluster = createCluster(forming, { kind: "assembly", node });
      for (const input of node.inputs) consume(forming, cluster, forming.loads[input]!);
      own(forming, cluster, value, undefined);
      return;
    }
  }
}

function structuredRoot(node: Node): Root {
  switch (node.primitive) {
    case "attention":
    case "attention_backward":
      return { kind: "attention", node };
    case "scatter_add":
    case "argsort":
    case "grouped_contraction":
    case "grouped_sum":
      return { kind: "indexed", node };
    default:
      throw new Error(`${node.primitive} has no kernel of its own`);
  }
}

/** A view of what a cluster computes belongs to the cluster when it only renames the points. */
function joinView(forming: Forming, node: Node): boolean {
  const [input, value] = [node.inputs[0]!, node.outputs[0]!];
  const cluster = ownerOf(forming, input);
  const from = forming.layouts[input];
  if (!cluster || !from) return false;
  const layout = layoutThrough(forming, node, cluster, from);
  if (!layout) return false;
  own(forming, cluster, value, layout);
  forming.loads[value] = forming.loads[input]!;
  return true;
}

function layoutThrough(forming: Forming, node: Node, cluster: Cluster, from: Layout): Layout | undefined {
  const shape = shapeOfValue(forming.facts, node.outputs[0]!);
  switch (node.primitive) {
    case "transpose":
      return node.attributes.permutation.map((axis) => from[axis]!);
    case "slice":
    case "pad":
      return undefined;
    case "broadcast": {
      const { axes } = node.attributes;
      const added = [...shape.keys()].filter((axis) => !axes.includes(axis));
      const sizes = added.map((axis) => shape[axis]!);
      const layout: (readonly number[])[] = shape.map(() => []);
      axes.forEach((axis, place) => {
        layout[axis] = from[place]!;
      });
      if (elementCount(sizes) === 1) return layout;
      const { root } = cluster;
      // A row's number, repeated for every point of the row.
      if (root.kind !== "reduction") return undefined;
      const rows = forming.dimensions.resolve(root.rows);
      if (!from.every((axis) => forming.dimensions.resolve(axis).every((name) => rows.includes(name))))
        return undefined;
      const repeated = forming.dimensions.regroup(root.reduced, sizes);
      if (!repeated) return undefined;
      if (root.rowsOnly) {
        refuse(forming, cluster, node, root.rowsOnly);
        return undefined;
      }
      added.forEach((axis, place) => {
        layout[axis] = repeated[place]!;
      });
      return layout;
    }
    default:
      return forming.dimensions.regroup(from.flat(), shape);
  }
}

/** Adds an elementwise node to the latest cluster that computes one of its operands. */
function joinElementwise(forming: Forming, node: Node): boolean {
  // Their operands have other axes than the result.
  if (node.primitive === "contraction" || node.primitive === "random" || node.primitive === "gather_instances") {
    return false;
  }
  const candidates = new Set<Cluster>();
  for (const input of node.inputs) {
    const owner = ownerOf(forming, input);
    if (!owner || !forming.layouts[input]) continue;
    if (owner.root.kind === "attention" || owner.root.kind === "indexed") continue;
    candidates.add(owner);
  }
  const latestFirst = [...candidates].sort((a, b) => compareOrder(b, a));
  let reason: string | undefined;
  for (const cluster of latestFirst) {
    const refusal = tryJoin(forming, node, cluster);
    if (!refusal) return true;
    reason ??= refusal;
  }
  if (reason) refuse(forming, latestFirst[0]!, node, reason);
  return false;
}

/** Joins, or says why not. */
function tryJoin(forming: Forming, node: Node, cluster: Cluster): string | undefined {
  const value = node.outputs[0]!;
  const isOwn = (input: ValueId) => ownerOf(forming, input) === cluster && forming.layouts[input] !== undefined;
  const inside = node.inputs.filter(isOwn);
  const outside = node.inputs.filter((input) => !isOwn(input));
  const layout = forming.layouts[inside[0]!]!;
  if (!inside.every((input) => forming.dimensions.sameLayout(layout, forming.layouts[input]!))) {
    return "its operands are the same kernel's numbers in different arrangements";
  }
  const loads = outside.flatMap((input) => forming.loads[input]!);
  if (loads.some((load) => ownerOf(forming, load) === cluster))
    return "it needs other points of the kernel's result too";
  const size = outside.reduce((sum, input) => sum + expressionSize(forming, input), 1);
  if (cluster.size + size > expressionLimit) return `the expression would exceed ${expressionLimit} instructions`;
  if (!hasRoom(forming, cluster, loads, forming.stored(value) ? value : undefined)) {
    return `the kernel would bind more than ${forming.target.limits.buffersPerKernel} buffers`;
  }
  const latest = latestOwner(forming, loads);
  if (!moveAfter(forming, cluster, latest))
    return "an operand is computed later, and another kernel needs this one first";
  own(forming, cluster, value, layout);
  cluster.size += size;
  consume(forming, cluster, loads);
  noteReader(forming, cluster, loads);
  return undefined;
}

/** Large tensors that a cluster reads, whole or in part, attract others that read them too. */
function noteReader(forming: Forming, cluster: Cluster, loads: readonly ValueId[]): void {
  const { root } = cluster;
  if (root.kind !== "elementwise") return;
  const elements = elementCount(root.shape);
  for (const load of loads) {
    if (elementsOf(forming.facts, load) >= elements) forming.readers.set(load, cluster);
  }
}

/** No cluster: evaluated by whoever uses it, or stored by an elementwise kernel. */
function evaluateInPlace(forming: Forming, node: Node): void {
  const value = node.outputs[0]!;
  fitOperands(forming, node);
  noteInline(forming, node, value);
  while (expressionSize(forming, value) > expressionLimit && storeOperand(forming, node, "size")) {
    noteInline(forming, node, value);
  }
  if (forming.stored(value)) startElementwise(forming, value);
}

/** Stores operands of a node until what it reads fits a kernel with one result, which may replace something that it reads. */
function fitOperands(forming: Forming, node: Node): void {
  const { buffersPerKernel } = forming.target.limits;
  const fits = () => {
    const loads = [...new Set(node.inputs.flatMap((input) => forming.loads[input]!))];
    const written = loads.some((load) => forming.replacedBy.has(load)) ? 0 : 1;
    return loads.length + written <= buffersPerKernel;
  };
  while (!fits() && storeOperand(forming, node, "loads"));
}

/** Stores the largest expression below the node. False where there is none. */
function storeOperand(forming: Forming, node: Node, by: "size" | "loads"): boolean {
  const measure = (value: ValueId) => (by === "size" ? expressionSize(forming, value) : forming.loads[value]!.length);
  let best: ValueId | undefined;
  let largest = 1;
  for (const input of node.inputs) {
    let at = input;
    while (forming.facts.roles[at] === "view" && !forming.owners[at]) at = forming.facts.producers[at]!.inputs[0]!;
    if (forming.owners[at] || forming.facts.roles[at] === "leaf" || measure(at) <= largest) continue;
    largest = measure(at);
    best = at;
  }
  if (best === undefined) return false;
  forming.tooLarge.add(best);
  startElementwise(forming, best, true);
  // Views above it now read it.
  for (const input of node.inputs) refreshViews(forming, input);
  return true;
}

function refreshViews(forming: Forming, value: ValueId): void {
  const chain: ValueId[] = [];
  let at = value;
  while (forming.facts.roles[at] === "view" && !forming.owners[at]) {
    chain.push(at);
    at = forming.facts.producers[at]!.inputs[0]!;
  }
  for (const view of chain.toReversed()) noteInline(forming, forming.facts.producers[view]!, view);
}

/** Puts a value in an elementwise cluster: one that reads the same tensors over the same space, or one of its own. */
function startElementwise(forming: Forming, value: ValueId, late = false): void {
  const loads = forming.loads[value]!;
  const shape = shapeOfValue(forming.facts, value);
  const size = expressionSize(forming, value);
  if (!late) {
    for (const load of loads) {
      const reader = forming.readers.get(load);
      if (!reader) continue;
      const refusal = tryShare(forming, value, current(reader), size);
      if (!refusal) return;
      refuse(forming, reader, forming.facts.producers[value]!, refusal);
    }
  }
  const layout = forming.dimensions.layoutOf(shape);
  const cluster = createCluster(forming, { kind: "elementwise", shape, layout });
  if (late) {
    // Kernels formed before evaluate it in place; it stands as early as what it reads allows, so that they can load it instead.
    cluster.position = latestOwner(forming, loads)?.position ?? 0;
    cluster.tie = forming.facts.places[value]!;
  }
  cluster.size = size;
  own(forming, cluster, value, layout);
  consume(forming, cluster, loads);
  noteReader(forming, cluster, loads);
}

function tryShare(forming: Forming, value: ValueId, cluster: Cluster, size: number): string | undefined {
  const { root } = cluster;
  if (root.kind !== "elementwise") return "the kernel that reads the same tensor reduces it";
  if (!sameShape(root.shape, shapeOfValue(forming.facts, value))) return "the kernels run over different shapes";
  const loads = forming.loads[value]!;
  if (loads.some((load) => ownerOf(forming, load) === cluster)) return "it needs other points of the kernel's result";
  const together = sizeTogether(forming, cluster, value, size);
  if (together > expressionLimit) return `the expression would exceed ${expressionLimit} instructions`;
  if (!hasRoom(forming, cluster, loads, value)) {
    return `the kernel would bind more than ${forming.target.limits.buffersPerKernel} buffers`;
  }
  if (!moveAfter(forming, cluster, latestOwner(forming, loads))) {
    return "an operand is computed later, and another kernel needs this one first";
  }
  own(forming, cluster, value, root.layout);
  cluster.size = together;
  consume(forming, cluster, loads);
  noteReader(forming, cluster, loads);
  return undefined;
}

/** Writes a value to one more place: by the kernel that computes it, or by one of its own. */
function copy(forming: Forming, request: CopyRequest): void {
  const { value, like } = request;
  const owner = value === undefined ? undefined : ownerOf(forming, value);
  const layout = value === undefined ? undefined : forming.layouts[value];
  if (owner && layout && !request.after && owner.root.kind !== "attention" && owner.root.kind !== "indexed") {
    owner.copies.push({ request, layout });
    return;
  }
  const shape = shapeOfValue(forming.facts, like);
  const own = forming.dimensions.layoutOf(shape);
  const cluster = createCluster(forming, { kind: "elementwise", shape, layout: own });
  cluster.copies.push({ request, layout: own });
  if (value !== undefined) {
    cluster.size = expressionSize(forming, value);
    consume(forming, cluster, forming.loads[value]!);
    refuse(forming, cluster, forming.facts.producers[value]!, "it has a place already, so it is copied");
  }
}
