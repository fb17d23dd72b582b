/** Laws of reductions. */
import { isFloat } from "../../graph/dtype.js";
import type { ValueId } from "../../graph/node.js";
import { elementCount, type Shape } from "../../graph/shape.js";
import { reduceSum, reshape, scale, transpose } from "../../primitives/operations.js";
import type { SimplifyingBuilder } from "./builder.js";
import { differInUnits } from "./movement.js";
import { type AnyRule, rule, rules } from "./rule.js";

const reductions = ["reduce_sum", "reduce_max", "reduce_min"] as const;
type ReductionName = (typeof reductions)[number];

const without = (shape: Shape, axes: readonly number[]): number[] => shape.filter((_, axis) => !axes.includes(axis));

const sizeOf = (shape: Shape, axes: readonly number[]): number => elementCount(axes.map((axis) => shape[axis]!));

/** A float constant may be scaled; sums of 32-bit integers wrap, so theirs stay. */
const isFloatType = (b: SimplifyingBuilder, value: ValueId): boolean => isFloat(b.type(value).dtype);

export const reductionRules: readonly AnyRule[] = [
  ...rules(
    reductions,
    "sum over no axes = x",
    () =>
      (_, [x], { axes }) =>
        axes.length === 0 ? x : undefined,
  ),
  ...rules(reductions, "sum over unit axes = reshape(x)", (primitive) => (b, [x], { axes }) => {
    const shape = b.shape(x);
    if (!axes.some((axis) => shape[axis] === 1)) return undefined;
    const units = axes.filter((axis) => shape[axis] === 1);
    const left = axes
      .filter((axis) => shape[axis] !== 1)
      .map((axis) => axis - units.filter((unit) => unit < axis).length);
    return reduce(b, primitive, reshape(b, x, without(shape, units)), left);
  }),
  rule("reduce_sum", "sum(constant) = constant * count", (b, [x], { axes }) => {
    const value = b.splat(x);
    if (value === undefined || (value !== 0 && !isFloatType(b, x))) return undefined;
    const { dtype, shape } = b.type(x);
    const total = value * sizeOf(shape, axes);
    return Math.abs(total) < 1e37 ? b.constant(dtype, without(shape, axes), total) : undefined;
  }),
  ...rules(["reduce_max", "reduce_min"], "max(constant) = constant", () => (b, [x], { axes }) => {
    const value = b.splat(x);
    const { dtype, shape } = b.type(x);
    return value === undefined || elementCount(shape) === 0
      ? undefined
      : b.constant(dtype, without(shape, axes), value);
  }),
  ...rules(reductions, "sum(sum(x)) = sum(x)", (primitive) => (b, [x], { axes }) => {
    const inner = b.producer(x, primitive);
    if (!inner || !b.usedOnce(x)) return undefined;
    const source = inner.inputs[0]!;
    const kept = [...b.shape(source).keys()].filter((axis) => !inner.attributes.axes.includes(axis));
    const all = [...inner.attributes.axes, ...axes.map((axis) => kept[axis]!)].sort((first, second) => first - second);
    return reduce(b, primitive, source, all);
  }),
  ...rules(reductions, "sum over repeats = x * count", (primitive) => (b, [x], { axes }) => {
    const inner = b.producer(x, "broadcast");
    if (!inner) return undefined;
    const { shape, axes: kept } = inner.attributes;
    const repeated = axes.filter((axis) => !kept.includes(axis));
    if (repeated.length === 0 || sizeOf(shape, repeated) === 0) return undefined;
    if (primitive === "reduce_sum" && !isFloatType(b, x)) return undefined;
    const own = axes.filter((axis) => kept.includes(axis)).map((axis) => kept.indexOf(axis));
    const small = reduce(b, primitive, inner.inputs[0]!, own);
    const total = primitive === "reduce_sum" ? scale(b, small, sizeOf(shape, repeated)) : small;
    const left = [...shape.keys()].filter((axis) => !axes.includes(axis));
    const places = kept.filter((axis) => !axes.includes(axis)).map((axis) => left.indexOf(axis));
    return b.add("broadcast", [total], { shape: without(shape, axes), axes: places });
  }),
  ...rules(reductions, "sum(transpose(x)) = transpose(sum(x))", (primitive) => (b, [x], { axes }) => {
    const inner = b.producer(x, "transpose");
    if (!inner) return undefined;
    const { permutation } = inner.attributes;
    const summed = axes.map((axis) => permutation[axis]!).sort((first, second) => first - second);
    const order = permutation.filter((_, axis) => !axes.includes(axis));
    const kept = [...order].sort((first, second) => first - second);
    return transpose(
      b,
      reduce(b, primitive, inner.inputs[0]!, summed),
      order.map((axis) => kept.indexOf(axis)),
    );
  }),
  ...rules(reductions, "unit axes do not matter to a sum", (primitive) => (b, [x], { axes }) => {
    const inner = b.producer(x, "reshape");
    if (!inner) return undefined;
    const source = inner.inputs[0]!;
    const [from, to] = [b.shape(source), b.shape(x)];
    if (!differInUnits(from, to) || axes.some((axis) => to[axis] === 1)) return undefined;
    const ordinary = [...from.keys()].filter((axis) => from[axis] !== 1);
    const places = [...to.keys()].filter((axis) => to[axis] !== 1);
    const small = reduce(
      b,
      primitive,
      source,
      axes.map((axis) => ordinary[places.indexOf(axis)]!),
    );
    return reshape(b, small, without(to, axes));
  }),
  rule("reduce_sum", "sum(-x) = -sum(x)", (b, [x], { axes }) => {
    const inner = b.producer(x, "negate");
    return inner && b.usedOnce(x) ? b.add("negate", [reduceSum(b, inner.inputs[0]!, axes)], {}) : undefined;
  }),
  rule("reduce_sum", "sum(x * c) = sum(x) * c", (b, [x], { axes }) => {
    const product = b.producer(x, "multiply");
    const factor = product && b.splat(product.inputs[1]!);
    if (factor === undefined || !b.usedOnce(x) || !isFloatType(b, x)) return undefined;
    return scale(b, reduceSum(b, product!.inputs[0]!, axes), factor);
  }),
  rule("reduce_sum", "sum(x . y) = x . y with fewer labels", (b, [x], { axes }) => {
    const product = b.producer(x, "contraction");
    if (!product || !b.usedOnce(x)) return undefined;
    const { lhs, rhs, out } = product.attributes;
    const summed = axes.map((axis) => out[axis]!);
    const left = sumLonely(b, product.inputs[0]!, lhs, rhs, summed);
    const right = sumLonely(b, product.inputs[1]!, rhs, lhs, summed);
    const kept = out.filter((label) => !summed.includes(label));
    return b.add("contraction", [left.value, right.value], { lhs: left.labels, rhs: right.labels, out: kept });
  }),
];

/** Sums an operand over those of the labels that the other operand does not have; the rest become reduced ones. */
function sumLonely(
  b: SimplifyingBuilder,
  value: ValueId,
  labels: readonly number[],
  others: readonly number[],
  summed: readonly number[],
): { readonly value: ValueId; readonly labels: readonly number[] } {
  const lonely = (label: number): boolean => summed.includes(label) && !others.includes(label);
  const axes = [...labels.keys()].filter((axis) => lonely(labels[axis]!));
  return { value: reduceSum(b, value, axes), labels: labels.filter((label) => !lonely(label)) };
}

function reduce(b: SimplifyingBuilder, primitive: ReductionName, x: ValueId, axes: readonly number[]): ValueId {
  return axes.length === 0 ? x : b.add<ReductionName>(primitive, [x], { axes });
}
