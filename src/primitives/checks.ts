/** What shape rules ask of their inputs. All throw ShapeError. */
import type { Dtype } from "../graph/dtype.js";
import { formatShape, type Shape, sameShape, type TensorType } from "../graph/shape.js";
import { ShapeError } from "./primitive.js";

const formatType = (type: TensorType): string => `${type.dtype}${formatShape(type.shape)}`;

export function requireInputs(primitive: string, inputs: readonly TensorType[], count: number): void {
  if (inputs.length !== count)
    throw new ShapeError(`${primitive} takes ${count} operand${count === 1 ? "" : "s"}, not ${inputs.length}`);
}

export function requireDtype(primitive: string, input: TensorType, dtypes: readonly Dtype[]): void {
  if (!dtypes.includes(input.dtype)) {
    throw new ShapeError(`${primitive} takes ${dtypes.join(", ")}, not ${formatType(input)}`, [input.shape]);
  }
}

/** All inputs have one dtype. */
export function requireOneDtype(primitive: string, inputs: readonly TensorType[]): void {
  if (inputs.some((input) => input.dtype !== inputs[0]!.dtype)) {
    throw new ShapeError(
      `${primitive} takes operands of one dtype, not ${inputs.map(formatType).join(" and ")}`,
      inputs.map((input) => input.shape),
    );
  }
}

/** All inputs have one shape. */
export function requireOneShape(primitive: string, inputs: readonly TensorType[]): void {
  if (inputs.some((input) => !sameShape(input.shape, inputs[0]!.shape))) {
    throw new ShapeError(
      `${primitive} takes operands of equal shape, not ${inputs.map((input) => formatShape(input.shape)).join(" and ")}`,
      inputs.map((input) => input.shape),
    );
  }
}

/** Sizes are integers, zero or more. */
export function requireSizes(primitive: string, shape: Shape): void {
  if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
    throw new ShapeError(`${primitive}: ${formatShape(shape)} is no shape`, [shape]);
  }
}

/** Axes are of `shape`, ascending and distinct. */
export function requireAxes(primitive: string, axes: readonly number[], shape: Shape): void {
  const valid = axes.every(
    (axis, place) =>
      Number.isInteger(axis) && axis >= 0 && axis < shape.length && (place === 0 || axis > axes[place - 1]!),
  );
  if (!valid) throw new ShapeError(`${primitive}: [${axes.join(", ")}] are no axes of ${formatShape(shape)}`, [shape]);
}

/** An attribute with one number for each axis, every one an integer of at least `least`. */
export function requirePerAxis(
  primitive: string,
  name: string,
  values: readonly number[],
  shape: Shape,
  least: number,
): void {
  const valid = values.length === shape.length && values.every((value) => Number.isInteger(value) && value >= least);
  if (!valid)
    throw new ShapeError(`${primitive}: ${name} [${values.join(", ")}] does not suit ${formatShape(shape)}`, [shape]);
}
