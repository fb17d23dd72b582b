/** Laws that hold for every elementwise primitive: it folds over constants and commutes with broadcast. */
import { type Dtype, isInteger } from "../../graph/dtype.js";
import type { Node, NodeOf, ValueId } from "../../graph/node.js";
import { sameShape, type TensorType } from "../../graph/shape.js";
import { binaries } from "../../primitives/binary.js";
import type { AttributesOf, BinaryName, PrimitiveName, UnaryName } from "../../primitives/names.js";
import type { ReferenceEnvironment } from "../../primitives/primitive.js";
import { primitiveOf } from "../../primitives/registry.js";
import { unaries } from "../../primitives/unary.js";
import type { SimplifyingBuilder } from "./builder.js";
import { type AnyRule, rules } from "./rule.js";

type ElementwiseName = UnaryName | BinaryName | "cast" | "select";

const elementwise: readonly ElementwiseName[] = [
  ...(Object.keys(unaries) as UnaryName[]),
  ...(Object.keys(binaries) as BinaryName[]),
  "cast",
  "select",
];

export const elementwiseRules: readonly AnyRule[] = [
  ...rules(
    elementwise,
    "f(constant) = constant",
    (primitive) => (b, inputs, attributes) => foldConstants(b, primitive, inputs, attributes),
  ),
  ...rules(
    elementwise,
    "f(broadcast(x)) = broadcast(f(x))",
    (primitive) => (b, inputs, attributes) => applyBeforeBroadcast(b, primitive, inputs, attributes),
  ),
];

/** Largest finite magnitude that a constant of each dtype may have. */
const largest: Readonly<Record<Dtype, number>> = {
  f32: 3.4028234663852886e38,
  f16: 65504,
  bf16: 3.3895313892515355e38,
  f64: Number.MAX_VALUE,
  i32: 2 ** 31,
  u32: 2 ** 32,
  bool: 1,
};

const noLeaves: ReferenceEnvironment = {
  leaf(): never {
    throw new Error("an elementwise primitive reads no leaf");
  },
};

/** Evaluates one element in float64 with the primitive's own meaning; a result that is not finite is left for the device. */
function foldConstants<P extends ElementwiseName>(
  b: SimplifyingBuilder,
  primitive: P,
  inputs: readonly ValueId[],
  attributes: AttributesOf[P],
): ValueId | undefined {
  const numbers = inputs.map((input) => b.splat(input));
  if (numbers.includes(undefined)) return undefined;
  const types = inputs.map((input): TensorType => ({ dtype: b.type(input).dtype, shape: [] }));
  const entry = primitiveOf<PrimitiveName>(primitive);
  const outputTypes = entry.shape(types, attributes);
  const tensors = types.map((type, index) => ({ type, data: Float64Array.of(numbers[index]!) }));
  const node: NodeOf<P> = { primitive, inputs, outputs: [], attributes };
  const [result] = entry.evaluate(tensors, attributes, outputTypes, noLeaves, node as unknown as Node as never);
  const value = result![0]!;
  const { dtype } = outputTypes[0]!;
  if (!Number.isFinite(value) || Math.abs(value) > largest[dtype]) return undefined;
  if (isInteger(dtype) && !Number.isInteger(value)) return undefined;
  return b.constant(dtype, b.shape(inputs[0]!), value);
}

/** Computes on the smaller tensor when all operands are constants or repeat along the same axes. */
function applyBeforeBroadcast<P extends ElementwiseName>(
  b: SimplifyingBuilder,
  primitive: P,
  inputs: readonly ValueId[],
  attributes: AttributesOf[P],
): ValueId | undefined {
  const first = inputs.map((input) => b.producer(input, "broadcast")).find((node) => node !== undefined);
  if (!first) return undefined;
  const { axes, shape } = first.attributes;
  const small = b.shape(first.inputs[0]!);
  const sources: ValueId[] = [];
  for (const input of inputs) {
    const repeated = b.producer(input, "broadcast");
    const value = b.splat(input);
    if (repeated && sameShape(repeated.attributes.axes, axes)) sources.push(repeated.inputs[0]!);
    else if (value !== undefined) sources.push(b.constant(b.type(input).dtype, small, value));
    else return undefined;
  }
  return b.add("broadcast", [b.add(primitive, sources, attributes)], { shape, axes });
}
