/** Records of products by group. Axes of an operand may consist of parts with strides of their own, which all operands are then cut into. */
import type { NodeOf, ValueId } from "../../graph/node.js";
import type { Access, GroupedContractionKernel, GroupedSumKernel } from "../../kernels/record.js";
import { contractionRoles } from "../../primitives/contraction.js";
import { type AxisView, axisViewOrStore, commonExtents, plainView, stridesOf } from "./axis-views.js";
import type { Cluster } from "./cluster.js";
import { shapeOfValue } from "./facts.js";
import type { LoweringContext } from "./lowering.js";

type GroupedNode = NodeOf<"grouped_contraction"> | NodeOf<"grouped_sum">;
type GroupedKernel = GroupedContractionKernel | GroupedSumKernel;

/** An operand, or the result, with a label for each axis. */
interface Labelled {
  readonly view: AxisView;
  readonly labels: readonly number[];
}

/** Label of the axis of rows; axes of groups have those below it. */
const rowLabel = -1;

/** The record of a node, but for what it is called: `output` is where the result goes, `read` gives views of the order and the offsets. */
export function groupedProduct(
  context: LoweringContext,
  cluster: Cluster,
  node: GroupedNode,
  output: Access,
  read: (value: ValueId) => Access,
): Omit<GroupedKernel, "origins" | "label"> {
  const { lhs, rhs, out } = node.attributes;
  const [left, right, , order, offsets] = node.inputs as readonly [ValueId, ValueId, ValueId, ValueId?, ValueId?];
  if (order === undefined || offsets === undefined) throw new Error(`the rows of a ${node.primitive} have no order`);
  const isSum = node.primitive === "grouped_sum";
  const groupCount = isSum ? node.attributes.groups.length : node.attributes.groups;
  const groupLabels = Array.from({ length: groupCount }, (_, axis) => rowLabel - 1 - axis);
  const result: Labelled = {
    view: plainView(output, shapeOfValue(context.facts, node.outputs[0]!)),
    labels: [...(isSum ? groupLabels : [rowLabel]), ...out],
  };
  const operands = (see: (value: ValueId) => AxisView): readonly [Labelled, Labelled] => [
    { view: see(left), labels: [rowLabel, ...lhs] },
    { view: see(right), labels: [...(isSum ? [rowLabel] : groupLabels), ...rhs] },
  ];
  let [x, y] = operands((value) => axisViewOrStore(context, value, cluster));
  let extents = cut([x, y, result]);
  if (!extents) {
    [x, y] = operands((value) => plainView(context.viewOrStore(value, cluster), shapeOfValue(context.facts, value)));
    extents = cut([x, y, result])!;
  }
  const { batch, rows: lines, columns, reduced } = contractionRoles(node.attributes);
  const sizes = (labels: readonly number[]) => labels.flatMap((label) => extents.get(label)!);
  const access = ({ view, labels }: Labelled, order: readonly number[]): Access => ({
    buffer: view.buffer,
    offset: view.offset,
    strides: order.flatMap((label) => stridesOf(view.axes[labels.indexOf(label)]!, extents.get(label)!)),
  });
  const [ofRows, ofGroups] = [[rowLabel], groupLabels];
  return {
    archetype: node.primitive,
    rows: sizes(ofRows),
    groups: sizes(ofGroups),
    batch: sizes(batch),
    lines: sizes(lines),
    columns: sizes(columns),
    reduced: sizes(reduced),
    order: read(order),
    offsets: read(offsets),
    lhs: access(x, [...ofRows, ...batch, ...lines, ...reduced]),
    rhs: access(y, [...(isSum ? ofRows : ofGroups), ...batch, ...columns, ...reduced]),
    output: access(result, [...(isSum ? ofGroups : ofRows), ...batch, ...lines, ...columns]),
  };
}

/** Extents of the parts of each label's axis, alike in all that have it; undefined where they cannot be. */
function cut(all: readonly Labelled[]): Map<number, number[]> | undefined {
  const extents = new Map<number, number[]>();
  for (const label of new Set(all.flatMap(({ labels }) => labels))) {
    const axes = all.flatMap(({ view, labels }) => (labels.includes(label) ? [view.axes[labels.indexOf(label)]!] : []));
    const common = commonExtents(axes);
    if (!common) return undefined;
    extents.set(label, common);
  }
  return extents;
}
