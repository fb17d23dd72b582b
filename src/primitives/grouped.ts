/**
 * Products of rows with the weights of the group that each row belongs to. No weight is copied for a row: `grouped_contraction` and
 * `grouped_sum` are each other's gradients, and both stay what they are when instances are joined: rows of all instances are rows, and
 * weights that differ between instances are more groups.
 */
import type { GraphBuilder } from "../graph/builder.js";
import { isFloat } from "../graph/dtype.js";
import type { ValueId } from "../graph/node.js";
import { elementCount, formatShape, type Shape, sameShape, type TensorType } from "../graph/shape.js";
import { requireOneDtype } from "./checks.js";
import { contraction, contractionExtents } from "./contraction.js";
import type { ContractionAttributes } from "./names.js";
import * as operations from "./operations.js";
import { type Primitive, type ReferenceEnvironment, type ReferenceTensor, ShapeError } from "./primitive.js";

/** Two operands, the index, and the order if it is there. */
function requireGrouped(name: string, inputs: readonly TensorType[], groupCount: number): void {
  if (inputs.length !== 3 && inputs.length !== 5) {
    throw new ShapeError(`${name} takes two operands and an index, or also an order and offsets, not ${inputs.length}`);
  }
  requireOneDtype(name, inputs.slice(0, 2));
  const [rows, other, index, order, offsets] = inputs as readonly TensorType[] & { readonly 0: TensorType };
  const shapes = [rows.shape, other!.shape];
  if (!isFloat(rows.dtype)) throw new ShapeError(`products are of floats, not ${rows.dtype}`, shapes);
  const count = rows.shape.slice(0, 1);
  if (rows.shape.length === 0 || index!.dtype !== "i32" || !sameShape(index!.shape, count)) {
    throw new ShapeError(
      `${name}: the index is i32 with one number for each row of ${formatShape(rows.shape)}, not ${index!.dtype}${formatShape(index!.shape)}`,
      [rows.shape, index!.shape],
    );
  }
  if (groupCount === 0) throw new ShapeError(`${name} of no groups`, shapes);
  if (!order || !offsets) return;
  const ordered =
    order.dtype === "i32" &&
    offsets.dtype === "i32" &&
    sameShape(order.shape, count) &&
    sameShape(offsets.shape, [groupCount + 1]);
  if (!ordered) {
    throw new ShapeError(
      `${name}: the order and the offsets are i32${formatShape(count)} and i32[${groupCount + 1}], not ${order.dtype}${formatShape(order.shape)} and ${offsets.dtype}${formatShape(offsets.shape)}`,
      [order.shape, offsets.shape],
    );
  }
}

const outputShape = (attributes: ContractionAttributes, left: Shape, right: Shape): Shape => {
  const extents = contractionExtents(attributes, left, right);
  return attributes.out.map((label) => extents.get(label)!);
};

// ---- instances

const freshLabel = ({ lhs, rhs }: ContractionAttributes): number => Math.max(-1, ...lhs, ...rhs) + 1;

/** [b, n, ...] as [b n, ...]: the rows of all instances. */
function joinRows(builder: GraphBuilder, value: ValueId): ValueId {
  const [instances, rows, ...rest] = builder.shape(value) as [number, number, ...number[]];
  return operations.reshape(builder, value, [instances * rows, ...rest]);
}

/**
 * Groups of all instances, counted group by group and in each by instance, so that rows sorted by them are sorted by the plain groups too.
 * The index is [b, n].
 */
function joinIndex(builder: GraphBuilder, index: ValueId, groupCount: number): ValueId {
  const shape = builder.shape(index);
  const number = (value: number) => operations.constant(builder, value, shape, "i32");
  const clamped = operations.minimum(builder, operations.maximum(builder, index, number(0)), number(groupCount - 1));
  const scaled = operations.multiply(builder, clamped, number(shape[0]!));
  return joinRows(builder, operations.add(builder, scaled, operations.iota(builder, shape, 0)));
}

const withInstances = (builder: GraphBuilder, value: ValueId, batched: boolean, size: number): ValueId =>
  batched ? value : operations.broadcastLeading(builder, value, size);

// ---- reference evaluation

/** Places of the rows of each group. */
function membersOf(index: ReferenceTensor, groupCount: number): number[][] {
  const members = Array.from({ length: groupCount }, (): number[] => []);
  index.data.forEach((group, row) => {
    members[Math.min(Math.max(group, 0), groupCount - 1)]!.push(row);
  });
  return members;
}

/** Some rows of a tensor as a tensor. */
function pickRows({ type: { dtype, shape }, data }: ReferenceTensor, rows: readonly number[]): ReferenceTensor {
  const size = elementCount(shape.slice(1));
  const picked = new Float64Array(rows.length * size);
  rows.forEach((row, place) => {
    picked.set(data.subarray(row * size, (row + 1) * size), place * size);
  });
  return { type: { dtype, shape: [rows.length, ...shape.slice(1)] }, data: picked };
}

function product(x: ReferenceTensor, y: ReferenceTensor, attributes: ContractionAttributes): Float64Array {
  const types = contraction.shape([x.type, y.type], attributes);
  return contraction.evaluate([x, y], attributes, types, noEnvironment, noNode)[0]!;
}

// A contraction's value follows from its operands alone.
const noEnvironment = undefined as unknown as ReferenceEnvironment;
const noNode = undefined as never;

const groupedContraction: Primitive<"grouped_contraction"> = {
  name: "grouped_contraction",
  shape(inputs, { groups, ...labels }) {
    const weights = inputs[1]?.shape ?? [];
    if (!Number.isInteger(groups) || groups < 1 || groups > weights.length) {
      throw new ShapeError(`grouped_contraction: ${formatShape(weights)} has no ${groups} axes of groups`, [weights]);
    }
    requireGrouped("grouped_contraction", inputs, elementCount(weights.slice(0, groups)));
    const rows = inputs[0]!;
    const rest = outputShape(labels, rows.shape.slice(1), weights.slice(groups));
    return [{ dtype: rows.dtype, shape: [rows.shape[0]!, ...rest] }];
  },
  batch(builder, attributes, inputs, batched, size) {
    const [rows, weights, index] = inputs as [ValueId, ValueId, ValueId];
    const { lhs, rhs, out, groups } = attributes;
    if (!batched[0] && !batched[2]) {
      // The same rows for all instances: each instance's weights make more columns.
      const label = freshLabel(attributes);
      const moved = operations.moveAxis(builder, weights, 0, groups);
      const labels = { lhs, rhs: [label, ...rhs], out: [label, ...out], groups };
      return [operations.moveAxis(builder, builder.add("grouped_contraction", [rows, moved, index], labels), 1, 0)];
    }
    const [ownRows, ownIndex] = [
      withInstances(builder, rows, batched[0]!, size),
      withInstances(builder, index, batched[2]!, size),
    ];
    const groupCount = elementCount(builder.shape(weights).slice(batched[1] ? 1 : 0, groups + (batched[1] ? 1 : 0)));
    const joined = batched[1]
      ? builder.add(
          "grouped_contraction",
          [
            joinRows(builder, ownRows),
            operations.moveAxis(builder, weights, 0, groups),
            joinIndex(builder, ownIndex, groupCount),
          ],
          { lhs, rhs, out, groups: groups + 1 },
        )
      : builder.add(
          "grouped_contraction",
          [joinRows(builder, ownRows), weights, joinRows(builder, ownIndex)],
          attributes,
        );
    const [total, ...rest] = builder.shape(joined) as [number, ...number[]];
    return [operations.reshape(builder, joined, [size, total / size, ...rest])];
  },
  gradient({ builder, node, needed }, [cotangent]) {
    const [rows, weights, index] = node.inputs as readonly ValueId[] & [ValueId, ValueId, ValueId];
    const { lhs, rhs, out, groups } = node.attributes;
    return node.inputs.map((_, place) => {
      if (place > 1 || !needed[place]) return undefined;
      if (place === 0) {
        return builder.add("grouped_contraction", [cotangent!, weights, index], { lhs: out, rhs, out: lhs, groups });
      }
      const extents = builder.shape(weights).slice(0, groups);
      return builder.add("grouped_sum", [rows, cotangent!, index], { lhs, rhs: out, out: rhs, groups: extents });
    });
  },
  evaluate([rows, weights, index], { lhs, rhs, out, groups }, [type]) {
    const { dtype, shape } = weights!.type;
    const size = elementCount(shape.slice(groups));
    const label = freshLabel({ lhs, rhs, out });
    const rest = elementCount(type!.shape.slice(1));
    const result = new Float64Array(elementCount(type!.shape));
    membersOf(index!, elementCount(shape.slice(0, groups))).forEach((members, group) => {
      const own = {
        type: { dtype, shape: shape.slice(groups) },
        data: weights!.data.subarray(group * size).subarray(0, size),
      };
      const labels = { lhs: [label, ...lhs], rhs, out: [label, ...out] };
      const products = product(pickRows(rows!, members), own, labels);
      members.forEach((row, place) => {
        result.set(products.subarray(place * rest, (place + 1) * rest), row * rest);
      });
    });
    return [result];
  },
};

const groupedSum: Primitive<"grouped_sum"> = {
  name: "grouped_sum",
  shape(inputs, { groups, ...labels }) {
    requireGrouped("grouped_sum", inputs, elementCount(groups));
    const [x, y] = [inputs[0]!, inputs[1]!];
    if (y.shape[0] !== x.shape[0]) {
      throw new ShapeError(`grouped_sum: ${formatShape(x.shape)} and ${formatShape(y.shape)} differ in rows`, [
        x.shape,
        y.shape,
      ]);
    }
    return [{ dtype: x.dtype, shape: [...groups, ...outputShape(labels, x.shape.slice(1), y.shape.slice(1))] }];
  },
  batch(builder, attributes, inputs, batched, size) {
    const [x, y, index] = inputs as [ValueId, ValueId, ValueId];
    const { lhs, rhs, out, groups } = attributes;
    if (!batched[2]) {
      // Rows of all instances belong to the same groups: the instance is one more axis of a row.
      const label = freshLabel(attributes);
      const operand = (value: ValueId, own: boolean) => (own ? operations.moveAxis(builder, value, 0, 1) : value);
      const labelled = (labels: readonly number[], own: boolean) => (own ? [label, ...labels] : labels);
      const sums = builder.add("grouped_sum", [operand(x, batched[0]!), operand(y, batched[1]!), index], {
        lhs: labelled(lhs, batched[0]!),
        rhs: labelled(rhs, batched[1]!),
        out: [label, ...out],
        groups,
      });
      return [operations.moveAxis(builder, sums, groups.length, 0)];
    }
    const operand = (value: ValueId, own: boolean) => joinRows(builder, withInstances(builder, value, own, size));
    const sums = builder.add(
      "grouped_sum",
      [operand(x, batched[0]!), operand(y, batched[1]!), joinIndex(builder, index, elementCount(groups))],
      { lhs, rhs, out, groups: [...groups, size] },
    );
    return [operations.moveAxis(builder, sums, groups.length, 0)];
  },
  gradient({ builder, node, needed }, [cotangent]) {
    const [x, y, index] = node.inputs as readonly ValueId[] & [ValueId, ValueId, ValueId];
    const { lhs, rhs, out } = node.attributes;
    const groups = node.attributes.groups.length;
    return node.inputs.map((_, place) => {
      if (place > 1 || !needed[place]) return undefined;
      return place === 0
        ? builder.add("grouped_contraction", [y, cotangent!, index], { lhs: rhs, rhs: out, out: lhs, groups })
        : builder.add("grouped_contraction", [x, cotangent!, index], { lhs, rhs: out, out: rhs, groups });
    });
  },
  evaluate([x, y, index], { lhs, rhs, out, groups }, [type]) {
    const label = freshLabel({ lhs, rhs, out });
    const labels = { lhs: [label, ...lhs], rhs: [label, ...rhs], out };
    const result = new Float64Array(elementCount(type!.shape));
    const size = elementCount(type!.shape.slice(groups.length));
    membersOf(index!, elementCount(groups)).forEach((members, group) => {
      result.set(product(pickRows(x!, members), pickRows(y!, members), labels), group * size);
    });
    return [result];
  },
};

export const groupedProducts = { grouped_contraction: groupedContraction, grouped_sum: groupedSum };
