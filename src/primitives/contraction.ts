/** The one product: an einsum of two operands. */
import { isFloat } from "../graph/dtype.js";
import { contiguousStrides, elementCount, formatShape, type Shape } from "../graph/shape.js";
import { requireInputs, requireOneDtype } from "./checks.js";
import type { ContractionAttributes } from "./names.js";
import * as operations from "./operations.js";
import { type Primitive, ShapeError } from "./primitive.js";
import { forEachOffset, readStrided } from "./strided.js";

/** The labels of a contraction by their role, each in the order of its first operand's axes. */
export interface ContractionRoles {
  readonly batch: readonly number[];
  readonly rows: readonly number[];
  readonly columns: readonly number[];
  readonly reduced: readonly number[];
}

export function contractionRoles({ lhs, rhs, out }: ContractionAttributes): ContractionRoles {
  const shared = lhs.filter((label) => rhs.includes(label));
  return {
    batch: shared.filter((label) => out.includes(label)),
    rows: lhs.filter((label) => !rhs.includes(label)),
    columns: rhs.filter((label) => !lhs.includes(label)),
    reduced: shared.filter((label) => !out.includes(label)),
  };
}

/** Extent of each label; throws ShapeError where the labels do not suit the operands. */
export function contractionExtents(attributes: ContractionAttributes, left: Shape, right: Shape): Map<number, number> {
  const { lhs, rhs, out } = attributes;
  const shapes = [left, right];
  const extents = new Map<number, number>();
  for (const [labels, shape] of [[lhs, left] as const, [rhs, right] as const]) {
    if (labels.length !== shape.length || new Set(labels).size !== labels.length) {
      throw new ShapeError(`contraction: labels [${labels.join(", ")}] do not suit ${formatShape(shape)}`, [shape]);
    }
    for (const [axis, label] of labels.entries()) {
      const known = extents.get(label);
      if (known !== undefined && known !== shape[axis]) {
        throw new ShapeError(
          `${formatShape(left)} and ${formatShape(right)} do not fit: axis ${lhs.indexOf(label)} of the first is ${known}, axis ${axis} of the second is ${shape[axis]}`,
          shapes,
        );
      }
      extents.set(label, shape[axis]!);
    }
  }
  const known = out.every((label) => extents.has(label)) && new Set(out).size === out.length;
  const kept = [...extents.keys()].every(
    (label) => out.includes(label) || (lhs.includes(label) && rhs.includes(label)),
  );
  if (!known || !kept) {
    throw new ShapeError(
      `contraction: [${lhs.join(", ")}], [${rhs.join(", ")}] cannot give [${out.join(", ")}]`,
      shapes,
    );
  }
  return extents;
}

export const contraction: Primitive<"contraction"> = {
  name: "contraction",
  arity: 2,
  shape(inputs, attributes) {
    requireInputs("contraction", inputs, 2);
    requireOneDtype("contraction", inputs);
    const [left, right] = [inputs[0]!, inputs[1]!];
    if (!isFloat(left.dtype))
      throw new ShapeError(`products are of floats, not ${left.dtype}`, [left.shape, right.shape]);
    const extents = contractionExtents(attributes, left.shape, right.shape);
    return [{ dtype: left.dtype, shape: attributes.out.map((label) => extents.get(label)!) }];
  },
  /**
   * A new label for the instances: in both operands it is a batch axis, in one only it makes more rows or columns, so that a weight
   * all instances share gives one large product.
   */
  batch(builder, { lhs, rhs, out }, inputs, batched) {
    const instance = Math.max(-1, ...lhs, ...rhs) + 1;
    return [
      builder.add("contraction", inputs, {
        lhs: batched[0] ? [instance, ...lhs] : lhs,
        rhs: batched[1] ? [instance, ...rhs] : rhs,
        out: [instance, ...out],
      }),
    ];
  },
  gradient({ builder, node, needed }, [cotangent]) {
    const [x, y] = [node.inputs[0]!, node.inputs[1]!];
    const { lhs, rhs, out } = node.attributes;
    return [
      needed[0] ? operations.contraction(builder, cotangent!, y, out, rhs, lhs) : undefined,
      needed[1] ? operations.contraction(builder, cotangent!, x, out, lhs, rhs) : undefined,
    ];
  },
  /** Packs the operands to [batch, rows, reduced] and [batch, columns, reduced], so that the inner loop runs over adjacent numbers. */
  evaluate([x, y], attributes, [type]) {
    const { batch, rows, columns, reduced } = contractionRoles(attributes);
    const extents = contractionExtents(attributes, x!.type.shape, y!.type.shape);
    const sizes = (labels: readonly number[]) => labels.map((label) => extents.get(label)!);
    const pack = (data: Float64Array, shape: Shape, labels: readonly number[], order: readonly number[]) => {
      const strides = contiguousStrides(shape);
      return readStrided(
        data,
        0,
        sizes(order),
        order.map((label) => strides[labels.indexOf(label)]!),
      );
    };
    const left = pack(x!.data, x!.type.shape, attributes.lhs, [...batch, ...rows, ...reduced]);
    const right = pack(y!.data, y!.type.shape, attributes.rhs, [...batch, ...columns, ...reduced]);
    const rowCount = elementCount(sizes(rows));
    const columnCount = elementCount(sizes(columns));
    const length = elementCount(sizes(reduced));
    const packed = new Float64Array(elementCount(type!.shape));
    const batchCount = elementCount(sizes(batch));
    for (let index = 0; index < batchCount; index++) {
      for (let row = 0; row < rowCount; row++) {
        const from = (index * rowCount + row) * length;
        for (let column = 0; column < columnCount; column++) {
          const other = (index * columnCount + column) * length;
          let sum = 0;
          for (let step = 0; step < length; step++) sum += left[from + step]! * right[other + step]!;
          packed[(index * rowCount + row) * columnCount + column] = sum;
        }
      }
    }
    const order = [...batch, ...rows, ...columns];
    if (order.every((label, axis) => label === attributes.out[axis])) return [packed];
    const result = new Float64Array(packed.length);
    const strides = contiguousStrides(type!.shape);
    const places = order.map((label) => strides[attributes.out.indexOf(label)]!);
    forEachOffset(sizes(order), [places], (point, offsets) => {
      result[offsets[0]!] = packed[point]!;
    });
    return [result];
  },
};
