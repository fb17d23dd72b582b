/** The numbers of a step that are the same for all parameters. All are f32 []. */
import type { GraphBuilder } from "../graph/builder.js";
import type { ValueId } from "../graph/node.js";
import {
  add,
  cast,
  concat,
  constant,
  divide,
  equal,
  lessEqual,
  maximum,
  multiply,
  negate,
  reduceSum,
  reshape,
  scale,
  select,
  sqrt,
  subtract,
  tanh,
} from "../primitives/operations.js";

const largestFloat32 = 3.4028234663852886e38;

/** Euclidean norm of all gradients together, at least one. */
export function globalNorm(b: GraphBuilder, gradients: readonly ValueId[]): ValueId {
  const squares = gradients.map((gradient) => reduceSum(b, multiply(b, gradient, gradient), [0]));
  const [only] = squares;
  if (only !== undefined && squares.length === 1) return sqrt(b, only);
  // One tensor, so that a kernel which needs the norm of hundreds of stretches does not read a buffer for each.
  const parts = squares.map((square) => reshape(b, square, [1]));
  return sqrt(b, reduceSum(b, concat(b, parts, 0), [0]));
}

/**
 * bool []: neither infinite nor not-a-number. An ordered comparison, because a compiler that may assume that neither occurs still
 * has to make it, while it may fold x - x == 0.
 */
export const isFiniteNorm = (b: GraphBuilder, value: ValueId): ValueId =>
  lessEqual(b, value, constant(b, largestFloat32));

/**
 * min(1, clip / norm), without dividing by a norm of zero; negative where the norm is not finite. So one number says all that a kernel
 * has to know of the norm.
 */
export const clipFactor = (b: GraphBuilder, norm: ValueId, clip: number): ValueId =>
  select(b, isFiniteNorm(b, norm), divide(b, constant(b, clip), maximum(b, norm, constant(b, clip))), constant(b, -1));

/** bool []: whether this is step 0. */
export const isFirstStep = (b: GraphBuilder): ValueId =>
  equal(b, b.add("scalar", [], { name: "step" }), constant(b, 0, [], "u32"));

/**
 * 1 - beta^t for t = step + 1: what a moving average that started at zero has to be divided by. With y = t log(beta) it is
 * -expm1(y) = -2 tanh(y/2) / (1 - tanh(y/2)), which keeps its digits where beta^t is close to 1 (1 - 0.999 in float32
 * has an error of 3e-5).
 */
export function biasCorrection(b: GraphBuilder, beta: number): ValueId {
  if (beta === 0) return constant(b, 1);
  const time = add(b, cast(b, b.add("scalar", [], { name: "step" }), "f32"), constant(b, 1));
  const half = tanh(b, scale(b, time, Math.log(beta) / 2));
  return divide(b, scale(b, negate(b, half), 2), subtract(b, constant(b, 1), half));
}
