/** Reductions: the axes that are folded are dropped. */
import { contiguousStrides, elementCount, formatShape, type Shape, type TensorType } from "../graph/shape.js";
import { requireAxes, requireDtype, requireInputs } from "./checks.js";
import * as operations from "./operations.js";
import { type GradientContext, type Primitive, type ReferenceTensor, ShapeError } from "./primitive.js";
import { forEachOffset } from "./strided.js";

const numbers = ["f32", "f16", "bf16", "f64", "i32", "u32"] as const;

const without = (shape: Shape, axes: readonly number[]): number[] => shape.filter((_, axis) => !axes.includes(axis));

function reducedType(name: string, inputs: readonly TensorType[], axes: readonly number[]): TensorType {
  requireInputs(name, inputs, 1);
  const { dtype, shape } = inputs[0]!;
  requireDtype(name, inputs[0]!, numbers);
  requireAxes(name, axes, shape);
  return { dtype, shape: without(shape, axes) };
}

/** An extremum of nothing does not exist. */
function requireElements(name: string, shape: Shape, axes: readonly number[]): void {
  if (axes.some((axis) => shape[axis] === 0)) {
    throw new ShapeError(`${name} over no elements of ${formatShape(shape)}`, [shape]);
  }
}

const shifted = (axes: readonly number[]): number[] => axes.map((axis) => axis + 1);

function fold(
  x: ReferenceTensor,
  axes: readonly number[],
  count: number,
  start: number,
  combine: (sum: number, element: number) => number,
): Float64Array {
  const { shape } = x.type;
  const result = new Float64Array(count).fill(start);
  const kept = contiguousStrides(without(shape, axes));
  let next = 0;
  const strides = shape.map((_, axis) => (axes.includes(axis) ? 0 : kept[next++]!));
  forEachOffset(shape, [strides], (point, offsets) => {
    const target = offsets[0]!;
    result[target] = combine(result[target]!, x.data[point]!);
  });
  return result;
}

const reduceSum: Primitive<"reduce_sum"> = {
  name: "reduce_sum",
  arity: 1,
  shape: (inputs, { axes }) => [reducedType("reduce_sum", inputs, axes)],
  batch: (builder, { axes }, inputs) => [builder.add("reduce_sum", inputs, { axes: shifted(axes) })],
  gradient({ builder, node }, [cotangent]) {
    return [operations.unreduce(builder, cotangent!, builder.shape(node.inputs[0]!), node.attributes.axes)];
  },
  evaluate([x], { axes }, [type]) {
    const sums = fold(x!, axes, elementCount(type!.shape), 0, (sum, element) => sum + element);
    // Sums of fewer than 2^21 32-bit integers are exact in float64, so wrapping once at the end is wrapping at every step.
    if (type!.dtype === "i32") return [sums.map((sum) => sum | 0)];
    if (type!.dtype === "u32") return [sums.map((sum) => sum >>> 0)];
    return [sums];
  },
};

/** The elements that attain the extremum share its cotangent equally (as amax does in PyTorch and max in JAX). */
function sharedGradient(
  { builder, node }: GradientContext<"reduce_max"> | GradientContext<"reduce_min">,
  cotangent: number,
): readonly number[] {
  const { axes } = node.attributes;
  const x = node.inputs[0]!;
  const { shape, dtype } = builder.type(x);
  const extremum = operations.unreduce(builder, node.outputs[0]!, shape, axes);
  const attains = operations.cast(builder, operations.equal(builder, x, extremum), dtype);
  const share = operations.divide(builder, cotangent, operations.reduceSum(builder, attains, axes));
  return [operations.multiply(builder, attains, operations.unreduce(builder, share, shape, axes))];
}

function extremum<P extends "reduce_max" | "reduce_min">(
  name: P,
  start: number,
  combine: (a: number, b: number) => number,
): Primitive<P> {
  return {
    name,
    arity: 1,
    shape(inputs, { axes }) {
      const type = reducedType(name, inputs, axes);
      requireElements(name, inputs[0]!.shape, axes);
      return [type];
    },
    batch: (builder, { axes }, inputs) => [
      builder.add<"reduce_max" | "reduce_min">(name, inputs, { axes: shifted(axes) }),
    ],
    gradient: (context, [cotangent]) =>
      sharedGradient(context as GradientContext<"reduce_max"> | GradientContext<"reduce_min">, cotangent!),
    evaluate: ([x], { axes }, [type]) => [fold(x!, axes, elementCount(type!.shape), start, combine)],
  };
}

const argmax: Primitive<"argmax"> = {
  name: "argmax",
  arity: 1,
  shape(inputs, { axis }) {
    const type = reducedType("argmax", inputs, [axis]);
    requireElements("argmax", inputs[0]!.shape, [axis]);
    return [{ dtype: "i32", shape: type.shape }];
  },
  batch: (builder, { axis }, inputs) => [builder.add("argmax", inputs, { axis: axis + 1 })],
  gradient: () => [undefined],
  evaluate([x], { axis }, [type]) {
    const { shape } = x!.type;
    const size = shape[axis]!;
    const stride = contiguousStrides(shape)[axis]!;
    const result = new Float64Array(elementCount(type!.shape));
    for (let target = 0; target < result.length; target++) {
      const first = Math.floor(target / stride) * stride * size + (target % stride);
      let best = 0;
      for (let index = 1; index < size; index++) {
        if (x!.data[first + index * stride]! > x!.data[first + best * stride]!) best = index;
      }
      result[target] = best;
    }
    return [result];
  },
};

export const reductions = {
  reduce_sum: reduceSum,
  reduce_max: extremum("reduce_max", Number.NEGATIVE_INFINITY, Math.max),
  reduce_min: extremum("reduce_min", Number.POSITIVE_INFINITY, Math.min),
  argmax,
};
