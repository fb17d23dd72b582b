/**
 * Contractions in clusters, and the joining of two whose results are added: then one kernel runs both products into one accumulator.
 * What stands between a product and the sum must be linear in it and used nowhere else; rows of the one may become instances of a
 * batch where the other has a matrix per instance.
 */
import { isFloat } from "../../graph/dtype.js";
import type { Node, ValueId } from "../../graph/node.js";
import type { Cluster, ClusterProduct, Root } from "./cluster.js";
import { expressionLimit } from "./cost.js";
import { constantOf, foldLabels, keptLabels, reduceSpace } from "./facts.js";
import { compareOrder, consume, createCluster, current, type Forming, own, ownerOf, refuse } from "./forming.js";
import type { Dimension, Layout } from "./space.js";

type ContractionRoot = Extract<Root, { kind: "contraction" }>;

/** Products that add into one accumulator: as many as the code generators' drivers take. */
const mostProducts = 16;

/** Fewer rows than this per matrix do not fill a tile. */
const tileRows = 16;

/** A contraction starts a cluster. */
export function startProduct(forming: Forming, node: Node): void {
  const { graph } = forming.facts;
  const value = node.outputs[0]!;
  const names = new Map<number, readonly Dimension[]>();
  const reduced: Dimension[] = [];
  for (const axis of reduceSpace(node, graph)) {
    const axisNames = axis.size === 1 ? [] : [forming.dimensions.create(axis.size)];
    names.set(axis.label, axisNames);
    if (axis.reduced) reduced.push(...axisNames);
  }
  const layout = (labels: readonly number[]): Layout => labels.map((label) => names.get(label)!);
  const [lhs, rhs] = foldLabels(node, graph);
  const out = layout(keptLabels(node, graph));
  const cluster = createCluster(forming, {
    kind: "contraction",
    out: out.flat(),
    accumulator: value,
    absorbed: new Set(),
    products: [
      {
        node,
        lhs: node.inputs[0]!,
        lhsLayout: layout(lhs!),
        rhs: node.inputs[1]!,
        rhsLayout: layout(rhs!),
        reduced,
        scale: 1,
      },
    ],
  });
  cluster.size = 1;
  own(forming, cluster, value, out);
  for (const input of node.inputs) consume(forming, cluster, forming.loads[input]!);
}

/** For an addition of two contraction clusters' results: makes them one cluster. False where that is not possible. */
export function joinProducts(forming: Forming, node: Node): boolean {
  if (node.primitive !== "add" && node.primitive !== "subtract") return false;
  const [left, right] = [node.inputs[0]!, node.inputs[1]!];
  const [a, b] = [ownerOf(forming, left), ownerOf(forming, right)];
  if (a?.root.kind !== "contraction" || b?.root.kind !== "contraction" || a === b) return false;
  const reason = tryJoinProducts(forming, node, [left, right], [a, b]);
  if (reason) refuse(forming, compareOrder(a, b) > 0 ? a : b, node, reason);
  return reason === undefined;
}

function tryJoinProducts(
  forming: Forming,
  node: Node,
  [left, right]: readonly [ValueId, ValueId],
  [a, b]: readonly [Cluster, Cluster],
): string | undefined {
  const value = node.outputs[0]!;
  const [rootA, rootB] = [a.root as ContractionRoot, b.root as ContractionRoot];
  const [layoutA, layoutB] = [forming.layouts[left], forming.layouts[right]];
  if (!layoutA || !layoutB) return "a sum is not seen point for point";
  if (rootA.products.length + rootB.products.length > mostProducts)
    return `a kernel sums up ${mostProducts} products at most`;
  const factorA = linearFactor(forming, a, left);
  const factorB = linearFactor(forming, b, right);
  if (factorA === undefined || factorB === undefined) return "a product is used otherwise before it is added";
  if (!isFloat(forming.facts.graph.types[value]!.dtype)) return "accumulators are float32";
  const factors = [factorA, node.primitive === "subtract" ? -factorB : factorB] as const;
  const { contractionPrologue, limits } = forming.target;
  if (!contractionPrologue && factors.some((factor) => factor !== 1)) return "a scale would need a prologue";
  if (a.size + b.size > expressionLimit) return `the expression would exceed ${expressionLimit} instructions`;
  const loads = new Set([...a.loads, ...b.loads]);
  if (loads.size + Math.max(1, a.stores + b.stores) > limits.buffersPerKernel) {
    return `the kernel would bind more than ${limits.buffersPerKernel} buffers`;
  }
  const [earlier, later] = compareOrder(a, b) < 0 ? [a, b] : [b, a];
  if (earlier.limit <= later.position) return "another kernel needs one product before the other is computed";
  const pairs = pairDimensions(forming, layoutA, layoutB);
  if (!pairs) return "the results are laid out differently";
  const products = alignProducts(forming, rootA, rootB, pairs, factors);
  if (typeof products === "string") return products;

  for (const [kept, other] of pairs) forming.dimensions.identify(other, kept);
  const [into, from] = a.members.length >= b.members.length ? [a, b] : [b, a];
  from.into = into;
  into.position = later.position;
  into.tie = later.tie;
  into.limit = Math.min(a.limit, b.limit);
  into.members.push(...from.members);
  into.copies.push(...from.copies);
  into.size += from.size + 1;
  into.stores += from.stores;
  consume(forming, into, from.loads);
  const absorbed = new Set([...rootA.absorbed, ...rootB.absorbed]);
  for (const { accumulator } of [rootA, rootB]) {
    if (forming.facts.roles[accumulator] === "contraction") absorbed.add(accumulator);
  }
  into.root = { kind: "contraction", out: rootA.out, products, accumulator: value, absorbed };
  own(forming, current(into), value, layoutA);
  return undefined;
}

/** How often the cluster's accumulator counts in `value`, when it does so linearly and nothing on the way is used elsewhere. */
function linearFactor(forming: Forming, cluster: Cluster, value: ValueId): number | undefined {
  const { facts } = forming;
  const root = cluster.root as ContractionRoot;
  let factor = 1;
  let at = value;
  for (let step = 0; step < 32; step++) {
    if (facts.uses[at] !== 1) return undefined;
    if (at === root.accumulator) return factor;
    const node = facts.producers[at]!;
    const inside = node.inputs.filter((input) => ownerOf(forming, input) === cluster);
    switch (node.primitive) {
      case "reshape":
      case "transpose":
      case "stop_gradient":
        break;
      case "negate":
        factor = -factor;
        break;
      case "add":
        break;
      case "subtract":
        if (inside[0] === node.inputs[1]) factor = -factor;
        break;
      case "multiply": {
        const other = constantOf(facts, node.inputs[inside[0] === node.inputs[0] ? 1 : 0]!);
        if (other === undefined) return undefined;
        factor *= other;
        break;
      }
      case "divide": {
        const divisor = inside[0] === node.inputs[0] ? constantOf(facts, node.inputs[1]!) : undefined;
        if (!divisor) return undefined;
        factor /= divisor;
        break;
      }
      default:
        return undefined;
    }
    if (inside.length !== 1) return undefined;
    at = inside[0]!;
  }
  return undefined;
}

/** Dimensions of two layouts of one shape, matched (and split where needed). */
function pairDimensions(forming: Forming, a: Layout, b: Layout): [Dimension, Dimension][] | undefined {
  const { dimensions } = forming;
  const pairs: [Dimension, Dimension][] = [];
  for (const axis of a.keys()) {
    const left = dimensions.resolve(a[axis]!).reverse();
    const right = dimensions.resolve(b[axis]!).reverse();
    while (left.length > 0 && right.length > 0) {
      const [x, y] = [left.pop()!, right.pop()!];
      const [extentX, extentY] = [dimensions.extent(x), dimensions.extent(y)];
      if (extentX === extentY) {
        pairs.push([x, y]);
      } else {
        const [longer, outer, queue, shorter, back] =
          extentX > extentY ? [x, extentY, left, y, right] : [y, extentX, right, x, left];
        const extent = Math.max(extentX, extentY);
        if (extent % outer !== 0 || !dimensions.split(longer, extent / outer)) return undefined;
        queue.push(...dimensions.resolve([longer]).reverse());
        back.push(shorter);
      }
    }
    if (left.length > 0 || right.length > 0) return undefined;
  }
  return pairs;
}

type Side = "lhs" | "rhs" | "batch";

/** All products of both clusters over A's dimensions, or why they do not run together. */
function alignProducts(
  forming: Forming,
  a: ContractionRoot,
  b: ContractionRoot,
  pairs: readonly (readonly [Dimension, Dimension])[],
  [factorA, factorB]: readonly [number, number],
): ClusterProduct[] | string {
  const sidesA = a.products.map((product) => sides(forming, product));
  const sidesB = b.products.map((product) => sides(forming, product));
  const flip = (side: Side): Side => (side === "batch" ? side : side === "lhs" ? "rhs" : "lhs");
  const combine = (swapped: boolean): Map<Dimension, Side> | undefined => {
    const combined = new Map<Dimension, Side>();
    for (const [x, y] of pairs) {
      const own = sidesA.map((map) => map.get(x)!);
      const other = sidesB.map((map) => (swapped ? flip(map.get(y)!) : map.get(y)!));
      const all = new Set([...own, ...other]);
      if (all.has("batch")) combined.set(x, "batch");
      else if (all.size === 1) combined.set(x, own[0]!);
      else return undefined;
    }
    return combined;
  };
  let swapped = false;
  let combined = combine(false);
  if (!combined) {
    swapped = true;
    combined = combine(true);
  }
  if (!combined) return "rows of one product are columns of the other";
  const extent = (side: Side) =>
    pairs.reduce((count, [x]) => (combined.get(x) === side ? count * forming.dimensions.extent(x) : count), 1);
  const reducedCount = (product: ClusterProduct) =>
    forming.dimensions.resolve(product.reduced).reduce((count, name) => count * forming.dimensions.extent(name), 1);
  const all = [
    ...a.products.map((product, place) => ({ product, map: sidesA[place]!, first: true })),
    ...b.products.map((product, place) => ({ product, map: sidesB[place]!, first: false })),
  ];
  const largest = Math.max(...all.map(({ product }) => reducedCount(product)));
  for (const { product, map, first } of all) {
    const moved = pairs.filter(([x, y]) => combined.get(x) === "batch" && map.get(first ? x : y) !== "batch");
    if (moved.length === 0 || reducedCount(product) * 4 < largest) continue;
    const movedSides = new Set(
      moved.map(([x, y]) => (first ? map.get(x)! : swapped ? flip(map.get(y)!) : map.get(y)!)),
    );
    for (const side of movedSides) {
      if (extent(side) < tileRows) return `a tile of ${tileRows} rows would straddle instances`;
    }
  }
  const scaled = (product: ClusterProduct, factor: number) => ({ ...product, scale: product.scale * factor });
  const swap = (product: ClusterProduct): ClusterProduct => ({
    ...product,
    lhs: product.rhs,
    lhsLayout: product.rhsLayout,
    rhs: product.lhs,
    rhsLayout: product.lhsLayout,
  });
  return [
    ...a.products.map((product) => scaled(product, factorA)),
    ...b.products.map((product) => scaled(swapped ? swap(product) : product, factorB)),
  ];
}

/** Which operands of a product depend on each dimension. */
export function sides(forming: Pick<Forming, "dimensions">, product: ClusterProduct): Map<Dimension, Side> {
  const map = new Map<Dimension, Side>();
  for (const name of forming.dimensions.resolve(product.lhsLayout.flat())) map.set(name, "lhs");
  for (const name of forming.dimensions.resolve(product.rhsLayout.flat())) {
    map.set(name, map.has(name) ? "batch" : "rhs");
  }
  return map;
}
