/**
 * Reductions in clusters. A fold joins the kernel that computes its operand (softmax, norms: chained folds over one space), turns an
 * elementwise kernel that does so into a reduction, joins a reduction that reads the same tensors over an equal space, or starts one.
 */
import type { Node, ValueId } from "../../graph/node.js";
import type { Cluster, Root } from "./cluster.js";
import { expressionLimit, fewRowsLimit, rowElementLimit } from "./cost.js";
import { elementsOf, type FoldAxis, foldLabels, reduceSpace } from "./facts.js";
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
  own,
  ownerOf,
  refuse,
} from "./forming.js";
import { type Dimension, type Layout, sameList } from "./space.js";

type ReductionRoot = Extract<Root, { kind: "reduction" }>;

const product = (axes: readonly FoldAxis[]) => axes.reduce((count, { size }) => count * size, 1);

/** Gives a folding node a place. */
export function joinFold(forming: Forming, node: Node): void {
  const axes = reduceSpace(node, forming.facts.graph);
  if (joinOperand(forming, node, axes) || joinSibling(forming, node, axes)) return;
  const layout = axes.map(({ size }) => (size === 1 ? [] : [forming.dimensions.create(size)]));
  const root = reductionRoot(forming, node, axes, layout, true);
  const cluster = createCluster(forming, root);
  addFold(forming, cluster, root, node, axes, layout);
}

function reductionRoot(
  forming: Forming,
  node: Node,
  axes: readonly FoldAxis[],
  layout: Layout,
  fresh: boolean,
): ReductionRoot {
  const pick = (reduced: boolean) => axes.flatMap((axis, place) => (axis.reduced === reduced ? layout[place]! : []));
  return {
    kind: "reduction",
    rows: fresh ? pick(false) : forming.dimensions.resolve(pick(false)),
    reduced: fresh ? pick(true) : forming.dimensions.resolve(pick(true)),
    axes,
    layout,
    folds: new Map(),
    rowsOnly: whyRowsOnly(forming, node, axes),
  };
}

/** Single elements are written from a row kernel only where a row is short and lies along memory. */
function whyRowsOnly(forming: Forming, node: Node, axes: readonly FoldAxis[]): string | undefined {
  const length = product(axes.filter(({ reduced }) => reduced));
  if (length > rowElementLimit) return `rows of ${length} elements are too long to be visited again by the same kernel`;
  const all = product(axes);
  if (all > fewRowsLimit && all / length < 32) return "there are too few rows to share out";
  const reduced = new Set(axes.filter((axis) => axis.reduced && axis.size > 1).map(({ label }) => label));
  const labels = foldLabels(node, forming.facts.graph);
  const sizes = new Map(axes.map(({ label, size }) => [label, size]));
  const alongMemory = labels.some((list) => {
    const innermost = list.findLast((label) => sizes.get(label)! > 1);
    return innermost === undefined || reduced.has(innermost);
  });
  return alongMemory || length <= 16 ? undefined : "it folds across rows, not along memory";
}

/** The dimensions that a fold's labels have, seen from one operand's layout; undefined where another operand disagrees. */
function labelsFrom(
  forming: Forming,
  node: Node,
  axes: readonly FoldAxis[],
  cluster: Cluster,
  own: (value: ValueId) => boolean,
): Layout | undefined {
  const { dimensions } = forming;
  const known = new Map<number, readonly Dimension[]>();
  for (const [operand, labels] of foldLabels(node, forming.facts.graph).entries()) {
    const value = node.inputs[operand]!;
    if (!own(value)) {
      if (forming.loads[value]!.some((load) => ownerOf(forming, load) === cluster)) return undefined;
      continue;
    }
    for (const [axis, label] of labels.entries()) {
      const names = dimensions.resolve(forming.layouts[value]![axis]!);
      const before = known.get(label);
      if (before && !sameList(before, names)) return undefined;
      known.set(label, names);
    }
  }
  const layout = axes.map(({ label, size }) => known.get(label) ?? (size === 1 ? [] : undefined));
  return layout.every((axis) => axis !== undefined) ? layout : undefined;
}

/** The fold's operand is computed, point for point, by a kernel: fold there. */
function joinOperand(forming: Forming, node: Node, axes: readonly FoldAxis[]): boolean {
  const { dimensions } = forming;
  const owners = node.inputs.flatMap((input) => {
    const owner = ownerOf(forming, input);
    return owner && forming.layouts[input] ? [owner] : [];
  });
  const cluster = owners.sort(compareOrder).at(-1);
  if (!cluster) return false;
  const isOwn = (value: ValueId) => ownerOf(forming, value) === cluster && forming.layouts[value] !== undefined;
  const outside = node.inputs.filter((input) => !isOwn(input)).flatMap((input) => forming.loads[input]!);
  const { root } = cluster;
  if (root.kind !== "reduction" && root.kind !== "elementwise") return false;
  const layout = labelsFrom(forming, node, axes, cluster, isOwn);
  const no = (reason: string): false => {
    refuse(forming, cluster, node, reason);
    return false;
  };
  if (!layout) return no("its operands are the same kernel's numbers in different arrangements");
  const reduced = dimensions.resolve(axes.flatMap((axis, place) => (axis.reduced ? layout[place]! : [])));
  if (root.kind === "reduction") {
    const own = dimensions.resolve(root.reduced);
    const all = [...dimensions.resolve(root.rows), ...own];
    const ordered = node.primitive === "argmax" ? reduced : reduced.toSorted((a, b) => a - b);
    const expected = node.primitive === "argmax" ? own : own.toSorted((a, b) => a - b);
    if (!sameList(ordered, expected) || layout.flat().length !== all.length) return no("it folds other dimensions");
  } else {
    const reason = whyRowsOnly(forming, node, axes);
    if (reason) return no(reason);
  }
  if (!fits(forming, cluster, node, outside, no)) return false;
  const into = root.kind === "reduction" ? root : reductionRoot(forming, node, axes, layout, false);
  cluster.root = into;
  addFold(forming, cluster, into, node, axes, layout);
  return true;
}

/** Another reduction reads the same tensors over a space of the same sizes: fold both in one pass. */
function joinSibling(forming: Forming, node: Node, axes: readonly FoldAxis[]): boolean {
  const loads = node.inputs.flatMap((input) => forming.loads[input]!);
  for (const load of loads) {
    const reader = forming.foldReaders.get(load);
    const cluster = reader && current(reader);
    if (cluster?.root.kind !== "reduction") continue;
    const { root } = cluster;
    const no = (reason: string): false => {
      refuse(forming, cluster, node, reason);
      return false;
    };
    const equal = root.axes.length === axes.length && axes.every((axis, place) => sameAxis(axis, root.axes[place]!));
    if (!equal) {
      no("it folds other dimensions of the same tensor");
    } else if (loads.some((other) => ownerOf(forming, other) === cluster)) {
      no("it needs other points of the kernel's result too");
    } else if (fits(forming, cluster, node, loads, no)) {
      addFold(forming, cluster, root, node, axes, root.layout);
      return true;
    }
  }
  return false;
}

const sameAxis = (a: FoldAxis, b: FoldAxis): boolean =>
  a.label === b.label && a.size === b.size && a.reduced === b.reduced;

function fits(
  forming: Forming,
  cluster: Cluster,
  node: Node,
  loads: readonly ValueId[],
  no: (reason: string) => false,
): boolean {
  const size = node.inputs.reduce((sum, input) => sum + expressionSize(forming, input), 1);
  if (cluster.size + size > expressionLimit) return no(`the expression would exceed ${expressionLimit} instructions`);
  if (!hasRoom(forming, cluster, loads, node.outputs[0]!)) {
    return no(`the kernel would bind more than ${forming.target.limits.buffersPerKernel} buffers`);
  }
  if (!moveAfter(forming, cluster, latestOwner(forming, loads))) {
    return no("an operand is computed later, and another kernel needs this one first");
  }
  return true;
}

function addFold(
  forming: Forming,
  cluster: Cluster,
  root: ReductionRoot,
  node: Node,
  axes: readonly FoldAxis[],
  layout: Layout,
): void {
  const value = node.outputs[0]!;
  const byLabel = new Map(axes.map(({ label }, place) => [label, layout[place]!]));
  const operands = foldLabels(node, forming.facts.graph).map((labels) => labels.map((label) => byLabel.get(label)!));
  root.folds.set(value, { node, operands });
  const outside = node.inputs.filter((input) => ownerOf(forming, input) !== cluster);
  const loads = outside.flatMap((input) => forming.loads[input]!);
  cluster.size += outside.reduce((sum, input) => sum + expressionSize(forming, input), 1);
  own(
    forming,
    cluster,
    value,
    axes.flatMap((axis, place) => (axis.reduced ? [] : [layout[place]!])),
  );
  consume(forming, cluster, loads);
  const elements = product(axes);
  for (const load of loads) {
    if (elementsOf(forming.facts, load) >= elements) forming.foldReaders.set(load, cluster);
  }
}
