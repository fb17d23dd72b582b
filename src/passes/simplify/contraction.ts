/** Laws of products. A contraction's operands end as plain tensors without unit axes, repeats or transposes: labels say the rest. */

import type { ValueId } from "../../graph/node.js";
import { elementCount, type Shape, sameShape } from "../../graph/shape.js";
import type { ContractionAttributes } from "../../primitives/names.js";
import { broadcast, reduceSum, reshape, scale, transpose } from "../../primitives/operations.js";
import type { SimplifyingBuilder } from "./builder.js";
import { withoutUnits } from "./movement.js";
import { type AnyRule, type Operands, rule } from "./rule.js";

interface Operand {
  readonly value: ValueId;
  readonly labels: readonly number[];
}

const operandsOf = ([x, y]: Operands, { lhs, rhs }: ContractionAttributes): readonly [Operand, Operand] => [
  { value: x, labels: lhs },
  { value: y, labels: rhs },
];

const product = (b: SimplifyingBuilder, left: Operand, right: Operand, out: readonly number[]): ValueId =>
  b.add("contraction", [left.value, right.value], { lhs: left.labels, rhs: right.labels, out });

/** Extents of the output. */
function outputShape(b: SimplifyingBuilder, [left, right]: readonly [Operand, Operand], out: readonly number[]): Shape {
  const extents = new Map<number, number>();
  for (const { value, labels } of [left, right]) {
    const shape = b.shape(value);
    labels.forEach((label, axis) => {
      extents.set(label, shape[axis]!);
    });
  }
  return out.map((label) => extents.get(label)!);
}

export const contractionRules: readonly AnyRule[] = [
  rule("contraction", "transpose(x) . y = x . y with other labels", (b, inputs, attributes) => {
    const operands = operandsOf(inputs, attributes);
    const [left, right] = operands.map((operand) => withoutTranspose(b, operand)) as [Operand, Operand];
    if (left.value === inputs[0] && right.value === inputs[1]) return undefined;
    return product(b, left, right, attributes.out);
  }),
  rule("contraction", "unit axes are not contracted", (b, inputs, attributes) => {
    const operands = operandsOf(inputs, attributes);
    if (!operands.some(({ value }) => b.shape(value).includes(1))) return undefined;
    const [left, right] = operands.map((operand) => withoutUnitAxes(b, operand)) as [Operand, Operand];
    const shape = outputShape(b, operands, attributes.out);
    const out = attributes.out.filter((_, axis) => shape[axis] !== 1);
    return reshape(b, product(b, left, right, out), shape);
  }),
  rule("contraction", "broadcast(x) . y = broadcast(x . y)", (b, inputs, attributes) => {
    const [left, right] = operandsOf(inputs, attributes);
    return dropRepeats(b, left, right, attributes.out, false) ?? dropRepeats(b, right, left, attributes.out, true);
  }),
  rule("contraction", "x . I = x", (b, inputs, attributes) => {
    const [left, right] = operandsOf(inputs, attributes);
    return productWithIdentity(b, left, right, attributes.out) ?? productWithIdentity(b, right, left, attributes.out);
  }),
  rule("contraction", "a product that only scales is elementwise", (b, inputs, attributes) => {
    const [left, right] = operandsOf(inputs, attributes);
    const { out } = attributes;
    if (left.labels.some((label) => !out.includes(label)) || right.labels.some((label) => !out.includes(label))) {
      return undefined;
    }
    const [large, small] = left.labels.length >= right.labels.length ? [left, right] : [right, left];
    if (large.labels.length < out.length) return undefined;
    const ordered = inOrder(b, large, out);
    const order = out.filter((label) => small.labels.includes(label));
    const axes = order.map((label) => out.indexOf(label));
    const scaled = [ordered, broadcast(b, inOrder(b, small, order), b.shape(ordered), axes)];
    return b.add("multiply", left === large ? scaled : scaled.reverse(), {});
  }),
  rule("contraction", "(x * c) . y = (x . y) * c, when that is smaller", (b, inputs, attributes) => {
    const shape = outputShape(b, operandsOf(inputs, attributes), attributes.out);
    const place = inputs.findIndex((input) => scaledBy(b, input) && elementCount(shape) < elementCount(b.shape(input)));
    if (place < 0) return undefined;
    const { source, factor } = scaledBy(b, inputs[place]!)!;
    return scale(b, b.add("contraction", inputs.toSpliced(place, 1, source), attributes), factor);
  }),
  rule("multiply", "(x . y) * c = (x * c) . y, when x is a smaller product", (b, [x, y]) => {
    const factor = b.splat(y);
    const outer = b.producer(x, "contraction");
    if (factor === undefined || !outer || !b.usedOnce(x)) return undefined;
    const place = outer.inputs.findIndex(
      (input) =>
        b.producer(input, "contraction") &&
        b.usedOnce(input) &&
        elementCount(b.shape(input)) < elementCount(b.shape(x)),
    );
    if (place < 0) return undefined;
    const scaled = scale(b, outer.inputs[place]!, factor);
    return b.add("contraction", outer.inputs.with(place, scaled), outer.attributes);
  }),
  rule("contraction", "labels are numbered as they appear", (b, [x, y], { lhs, rhs, out }) => {
    const order = [...new Set([...lhs, ...rhs])];
    if (order.every((label, index) => label === index)) return undefined;
    const number = (labels: readonly number[]): number[] => labels.map((label) => order.indexOf(label));
    return b.add("contraction", [x, y], { lhs: number(lhs), rhs: number(rhs), out: number(out) });
  }),
];

/** What a value is a multiple of. */
function scaledBy(b: SimplifyingBuilder, value: ValueId): { source: ValueId; factor: number } | undefined {
  const multiple = b.producer(value, "multiply");
  const factor = multiple && b.splat(multiple.inputs[1]!);
  return factor === undefined ? undefined : { source: multiple!.inputs[0]!, factor };
}

function withoutTranspose(b: SimplifyingBuilder, operand: Operand): Operand {
  const inner = b.producer(operand.value, "transpose");
  if (!inner) return operand;
  const { permutation } = inner.attributes;
  const labels = permutation.map((_, axis) => operand.labels[permutation.indexOf(axis)]!);
  return { value: inner.inputs[0]!, labels };
}

function withoutUnitAxes(b: SimplifyingBuilder, { value, labels }: Operand): Operand {
  const shape = b.shape(value);
  return { value: reshape(b, value, withoutUnits(shape)), labels: labels.filter((_, axis) => shape[axis] !== 1) };
}

/** The operand before it was repeated, and which of its axes that left. */
function beforeRepeat(b: SimplifyingBuilder, value: ValueId): { source: ValueId; axes: readonly number[] } | undefined {
  const repeated = b.producer(value, "broadcast");
  if (repeated) return { source: repeated.inputs[0]!, axes: repeated.attributes.axes };
  const number = b.splat(value);
  if (number === undefined || b.shape(value).length === 0) return undefined;
  return { source: b.constant(b.type(value).dtype, [], number), axes: [] };
}

/**
 * The product without the axes along which one operand only repeats: where the other operand has that label, it alone carries it (summed first, if the label
 * is reduced); where it has not, the result repeats.
 */
function dropRepeats(
  b: SimplifyingBuilder,
  repeated: Operand,
  other: Operand,
  out: readonly number[],
  swapped: boolean,
): ValueId | undefined {
  const before = beforeRepeat(b, repeated.value);
  if (!before) return undefined;
  const labels = before.axes.map((axis) => repeated.labels[axis]!);
  const dropped = repeated.labels.filter((label) => !labels.includes(label));
  const summed = [...other.labels.keys()].filter(
    (axis) => dropped.includes(other.labels[axis]!) && !out.includes(other.labels[axis]!),
  );
  const rest: Operand = {
    value: reduceSum(b, other.value, summed),
    labels: other.labels.filter((_, axis) => !summed.includes(axis)),
  };
  const small: Operand = { value: before.source, labels };
  const kept = out.filter((label) => labels.includes(label) || rest.labels.includes(label));
  const shape = outputShape(b, [repeated, other], out);
  const result = swapped ? product(b, rest, small, kept) : product(b, small, rest, kept);
  return broadcast(
    b,
    result,
    shape,
    kept.map((label) => out.indexOf(label)),
  );
}

/** Whether `value` is an identity matrix, as comparing its two indices writes one. */
function isIdentityMatrix(b: SimplifyingBuilder, value: ValueId): boolean {
  const shape = b.shape(value);
  const condition = b.producer(value, "cast")?.inputs[0];
  const equality = condition === undefined ? undefined : b.producer(condition, "equal");
  if (!equality || shape.length !== 2 || shape[0] !== shape[1]) return false;
  const axes = equality.inputs.map((input) => axisOfIndices(b, input));
  return !axes.includes(undefined) && axes[0] !== axes[1];
}

/** The axis along which a matrix holds its own indices. */
function axisOfIndices(b: SimplifyingBuilder, value: ValueId): number | undefined {
  const direct = b.producer(value, "iota");
  if (direct) return direct.attributes.axis;
  const repeated = b.producer(value, "broadcast");
  const indices = repeated && b.producer(repeated.inputs[0]!, "iota");
  return indices && repeated.attributes.axes.length === 1 ? repeated.attributes.axes[0] : undefined;
}

/** One label of the identity is reduced away, the other takes its place. */
function productWithIdentity(
  b: SimplifyingBuilder,
  { value, labels }: Operand,
  identity: Operand,
  out: readonly number[],
): ValueId | undefined {
  if (!isIdentityMatrix(b, identity.value)) return undefined;
  const [row, column] = [identity.labels[0]!, identity.labels[1]!];
  for (const [reduced, kept] of [
    [row, column],
    [column, row],
  ] as const) {
    if (out.includes(reduced) || !out.includes(kept) || labels.includes(kept)) continue;
    const renamed = labels.map((label) => (label === reduced ? kept : label));
    return inOrder(b, { value, labels: renamed }, out);
  }
  return undefined;
}

/** The operand with its axes in the order of `labels`. */
function inOrder(b: SimplifyingBuilder, operand: Operand, labels: readonly number[]): ValueId {
  if (sameShape(operand.labels, labels)) return operand.value;
  return transpose(
    b,
    operand.value,
    labels.map((label) => operand.labels.indexOf(label)),
  );
}
