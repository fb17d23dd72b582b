/**
 * Thin functions over GraphBuilder, for gradient and batching rules, passes and the tracer. Binary functions broadcast their
 * operands as NumPy does. All throw ShapeError when operands do not fit. No-ops (a reshape to the same shape, ...) add no node.
 */
import type { GraphBuilder } from "../graph/builder.js";
import type { Dtype } from "../graph/dtype.js";
import type { ValueId } from "../graph/node.js";
import { elementCount, formatShape, type Shape, sameShape } from "../graph/shape.js";
import type { BinaryName, UnaryName } from "./names.js";
import { ShapeError } from "./primitive.js";

// ---- leaves

export const constant = (b: GraphBuilder, value: number, shape: Shape = [], dtype: Dtype = "f32"): ValueId =>
  b.add("constant", [], { dtype, shape, value });

/** A constant of the type of `like`. */
export const constantLike = (b: GraphBuilder, value: number, like: ValueId): ValueId =>
  constant(b, value, b.shape(like), b.type(like).dtype);

export const zerosLike = (b: GraphBuilder, like: ValueId): ValueId => constantLike(b, 0, like);

/** i32: the index along `axis` of `shape`. */
export const iota = (b: GraphBuilder, shape: Shape, axis: number): ValueId => b.add("iota", [], { shape, axis });

/** The number every element of `value` equals, when that is known. */
export function constantValue(b: GraphBuilder, value: ValueId): number | undefined {
  const producer = b.producers[value]!;
  return producer.primitive === "constant" ? producer.attributes.value : undefined;
}

// ---- elementwise, one operand

const unary =
  (name: UnaryName) =>
  (b: GraphBuilder, x: ValueId): ValueId =>
    b.add(name, [x], {});

export const negate = unary("negate");
export const absolute = unary("absolute");
export const sign = unary("sign");
export const floor = unary("floor");
export const exp = unary("exp");
export const log = unary("log");
export const sin = unary("sin");
export const cos = unary("cos");
export const tanh = unary("tanh");
export const erf = unary("erf");
export const sqrt = unary("sqrt");
export const rsqrt = unary("rsqrt");
export const logistic = unary("logistic");
export const not = unary("not");

export const cast = (b: GraphBuilder, x: ValueId, dtype: Dtype): ValueId =>
  b.type(x).dtype === dtype ? x : b.add("cast", [x], { dtype });

export const stopGradient = (b: GraphBuilder, x: ValueId): ValueId => b.add("stop_gradient", [x], {});

// ---- elementwise, two operands and more

const binary =
  (name: BinaryName) =>
  (b: GraphBuilder, x: ValueId, y: ValueId): ValueId => {
    const shape = broadcastShapes(b.shape(x), b.shape(y));
    return b.add(name, [broadcastTo(b, x, shape), broadcastTo(b, y, shape)], {});
  };

export const add = binary("add");
export const subtract = binary("subtract");
export const multiply = binary("multiply");
export const divide = binary("divide");
export const power = binary("power");
export const maximum = binary("maximum");
export const minimum = binary("minimum");
export const remainder = binary("remainder");
export const equal = binary("equal");
export const less = binary("less");
export const lessEqual = binary("less_equal");
export const and = binary("and");
export const or = binary("or");

/** `then` where `condition` holds, else `otherwise`; the three are broadcast together. */
export function select(b: GraphBuilder, condition: ValueId, then: ValueId, otherwise: ValueId): ValueId {
  const shape = broadcastShapes(broadcastShapes(b.shape(then), b.shape(otherwise)), b.shape(condition));
  const operands = [condition, then, otherwise].map((operand) => broadcastTo(b, operand, shape));
  return b.add("select", operands, {});
}

/** `x` times a number. */
export const scale = (b: GraphBuilder, x: ValueId, factor: number): ValueId =>
  factor === 1 ? x : multiply(b, x, constantLike(b, factor, x));

// ---- movement

export const reshape = (b: GraphBuilder, x: ValueId, shape: Shape): ValueId =>
  sameShape(b.shape(x), shape) ? x : b.add("reshape", [x], { shape });

/** Output axis i is input axis permutation[i]. */
export const transpose = (b: GraphBuilder, x: ValueId, permutation: readonly number[]): ValueId =>
  permutation.length === b.shape(x).length && permutation.every((axis, place) => axis === place)
    ? x
    : b.add("transpose", [x], { permutation });

/** Moves one axis, keeping the order of the others. */
export function moveAxis(b: GraphBuilder, x: ValueId, from: number, to: number): ValueId {
  const permutation = b.shape(x).map((_, axis) => axis);
  permutation.splice(to, 0, ...permutation.splice(from, 1));
  return transpose(b, x, permutation);
}

/** Input axis i becomes output axis axes[i]; the other output axes repeat. A constant stays a constant. */
export function broadcast(b: GraphBuilder, x: ValueId, shape: Shape, axes: readonly number[]): ValueId {
  if (axes.length === shape.length && sameShape(b.shape(x), shape)) return x;
  const value = constantValue(b, x);
  if (value !== undefined) return constant(b, value, shape, b.type(x).dtype);
  return b.add("broadcast", [x], { shape, axes });
}

/** The shape two shapes broadcast to, right-aligned as in NumPy; throws ShapeError with both when there is none. */
export function broadcastShapes(x: Shape, y: Shape): Shape {
  if (sameShape(x, y)) return x;
  const rank = Math.max(x.length, y.length);
  return Array.from({ length: rank }, (_, axis) => {
    const a = x[axis - rank + x.length] ?? 1;
    const c = y[axis - rank + y.length] ?? 1;
    if (a !== c && a !== 1 && c !== 1) {
      throw new ShapeError(`${formatShape(x)} and ${formatShape(y)} do not broadcast together`, [x, y]);
    }
    return a === 1 ? c : a;
  });
}

/** Repeats `x` to `shape`: axes are aligned from the right, axes of size 1 and missing ones repeat. Throws ShapeError with both shapes. */
export function broadcastTo(b: GraphBuilder, x: ValueId, shape: Shape): ValueId {
  const from = b.shape(x);
  if (sameShape(from, shape)) return x;
  const lead = shape.length - from.length;
  if (lead < 0 || !from.every((size, axis) => size === shape[axis + lead] || size === 1)) {
    throw new ShapeError(`${formatShape(from)} does not broadcast to ${formatShape(shape)}`, [from, shape]);
  }
  const kept = from.map((_, axis) => axis).filter((axis) => from[axis] === shape[axis + lead]);
  const squeezed = reshape(
    b,
    x,
    kept.map((axis) => from[axis]!),
  );
  return broadcast(
    b,
    squeezed,
    shape,
    kept.map((axis) => axis + lead),
  );
}

/** Repeats `x` along a new leading axis. */
export function broadcastLeading(b: GraphBuilder, x: ValueId, size: number): ValueId {
  const shape = b.shape(x);
  return broadcast(
    b,
    x,
    [size, ...shape],
    shape.map((_, axis) => axis + 1),
  );
}

/** The adjoint of `broadcastTo`: sums `x` down to `shape`. */
export function sumTo(b: GraphBuilder, x: ValueId, shape: Shape): ValueId {
  const from = b.shape(x);
  if (sameShape(from, shape)) return x;
  const lead = from.length - shape.length;
  if (lead < 0 || !shape.every((size, axis) => size === from[axis + lead] || size === 1)) {
    throw new ShapeError(`${formatShape(from)} does not sum to ${formatShape(shape)}`, [from, shape]);
  }
  const axes = from.map((_, axis) => axis).filter((axis) => axis < lead || shape[axis - lead] !== from[axis]);
  return reshape(b, reduceSum(b, x, axes), shape);
}

export function slice(
  b: GraphBuilder,
  x: ValueId,
  starts: readonly number[],
  limits: readonly number[],
  steps: readonly number[] = starts.map(() => 1),
): ValueId {
  const shape = b.shape(x);
  const whole = shape.every((size, axis) => starts[axis] === 0 && limits[axis] === size && steps[axis] === 1);
  return whole && starts.length === shape.length ? x : b.add("slice", [x], { starts, limits, steps });
}

/** Elements `start ..< limit` of one axis. */
export function sliceAxis(b: GraphBuilder, x: ValueId, axis: number, start: number, limit: number): ValueId {
  const shape = b.shape(x);
  return slice(
    b,
    x,
    shape.map((_, other) => (other === axis ? start : 0)),
    shape.map((size, other) => (other === axis ? limit : size)),
  );
}

export function pad(
  b: GraphBuilder,
  x: ValueId,
  low: readonly number[],
  high: readonly number[],
  interior: readonly number[] = low.map(() => 0),
): ValueId {
  const nothing = [low, high, interior].every((list) => list.every((size) => size === 0));
  return nothing && low.length === b.shape(x).length ? x : b.add("pad", [x], { low, high, interior });
}

export const concat = (b: GraphBuilder, parts: readonly ValueId[], axis: number): ValueId =>
  parts.length === 1 ? parts[0]! : b.add("concat", parts, { axis });

// ---- reductions

const ascending = (axes: readonly number[]): number[] => [...axes].sort((a, c) => a - c);

export const reduceSum = (b: GraphBuilder, x: ValueId, axes: readonly number[]): ValueId =>
  axes.length === 0 ? x : b.add("reduce_sum", [x], { axes: ascending(axes) });
export const reduceMax = (b: GraphBuilder, x: ValueId, axes: readonly number[]): ValueId =>
  axes.length === 0 ? x : b.add("reduce_max", [x], { axes: ascending(axes) });
export const reduceMin = (b: GraphBuilder, x: ValueId, axes: readonly number[]): ValueId =>
  axes.length === 0 ? x : b.add("reduce_min", [x], { axes: ascending(axes) });
export const argmax = (b: GraphBuilder, x: ValueId, axis: number): ValueId => b.add("argmax", [x], { axis });

export function reduceMean(b: GraphBuilder, x: ValueId, axes: readonly number[]): ValueId {
  const count = elementCount(axes.map((axis) => b.shape(x)[axis]!));
  return scale(b, reduceSum(b, x, axes), 1 / count);
}

/** Puts back axes that a reduction dropped, repeating: `reduced` has the axes of `shape` without `axes`. */
export function unreduce(b: GraphBuilder, reduced: ValueId, shape: Shape, axes: readonly number[]): ValueId {
  const kept = shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  return broadcast(b, reduced, shape, kept);
}

// ---- products

export const contraction = (
  b: GraphBuilder,
  x: ValueId,
  y: ValueId,
  lhs: readonly number[],
  rhs: readonly number[],
  out: readonly number[],
): ValueId => b.add("contraction", [x, y], { lhs, rhs, out });

/** NumPy's `@` as one contraction: vectors are rows on the left and columns on the right, leading axes broadcast. */
export function matmul(b: GraphBuilder, x: ValueId, y: ValueId): ValueId {
  const left = b.shape(x);
  const right = b.shape(y);
  const disagree = () => new ShapeError(`${formatShape(left)} @ ${formatShape(right)} do not fit`, [left, right]);
  if (left.length === 0 || right.length === 0) throw disagree();
  if (left.at(-1) !== right.at(right.length === 1 ? 0 : -2)) throw disagree();
  const leads = [left.slice(0, -2), right.slice(0, -2)] as const;
  let lead: Shape;
  try {
    lead = broadcastShapes(leads[0], leads[1]);
  } catch {
    throw disagree();
  }
  // Labels: the leading axes 0, 1, ..., then row, column and reduced. An axis of size 1 that repeats is dropped from its operand.
  const [row, column, reduced] = [lead.length, lead.length + 1, lead.length + 2] as const;
  const operand = (value: ValueId, shape: Shape, inner: readonly number[]) => {
    const own = shape.slice(0, shape.length - inner.length);
    const labels: number[] = [];
    const sizes: number[] = [];
    own.forEach((size, axis) => {
      const label = axis + lead.length - own.length;
      if (size === lead[label]) {
        labels.push(label);
        sizes.push(size);
      }
    });
    const squeezed = reshape(b, value, [...sizes, ...shape.slice(shape.length - inner.length)]);
    return { value: squeezed, labels: [...labels, ...inner] };
  };
  const lhs = operand(x, left, left.length === 1 ? [reduced] : [row, reduced]);
  const rhs = operand(y, right, right.length === 1 ? [reduced] : [reduced, column]);
  const out = [...lead.keys(), ...(left.length === 1 ? [] : [row]), ...(right.length === 1 ? [] : [column])];
  return contraction(b, lhs.value, rhs.value, lhs.labels, rhs.labels, out);
}

/**
 * Einstein summation of one or two operands: `labels[i]` names the axes of operand i, `out` those of the result. Labels in one
 * operand only that the result lacks are summed first. Throws ShapeError for a label repeated in an operand, unknown, or of two sizes.
 */
export function einsum(
  b: GraphBuilder,
  operands: readonly ValueId[],
  labels: readonly (readonly string[])[],
  out: readonly string[],
): ValueId {
  const sizes = new Map<string, number>();
  operands.forEach((operand, place) => {
    const shape = b.shape(operand);
    const names = labels[place] ?? [];
    if (names.length !== shape.length) {
      throw new ShapeError(`"${names.join(" ")}" names ${names.length} axes of ${formatShape(shape)}`, [shape]);
    }
    names.forEach((name, axis) => {
      if (names.indexOf(name) !== axis) throw new ShapeError(`axis ${name} is named twice in one operand`, [shape]);
      const known = sizes.get(name);
      if (known !== undefined && known !== shape[axis]) {
        throw new ShapeError(
          `axis ${name} is ${known} and ${shape[axis]}`,
          operands.map((value) => b.shape(value)),
        );
      }
      sizes.set(name, shape[axis]!);
    });
  });
  out.forEach((name, axis) => {
    if (!sizes.has(name)) throw new ShapeError(`axis ${name} of the result is in no operand`);
    if (out.indexOf(name) !== axis) throw new ShapeError(`axis ${name} is named twice in the result`);
  });
  const summed = operands.map((operand, place) => {
    const names = labels[place]!;
    const others = labels.filter((_, other) => other !== place).flat();
    const gone = names.filter((name) => !out.includes(name) && !others.includes(name));
    const value = reduceSum(
      b,
      operand,
      gone.map((name) => names.indexOf(name)),
    );
    return { value, names: names.filter((name) => !gone.includes(name)) };
  });
  const [x, y] = summed;
  if (!x || summed.length > 2) throw new ShapeError(`einsum takes one or two operands, not ${summed.length}`);
  if (!y) {
    return transpose(
      b,
      x.value,
      out.map((name) => x.names.indexOf(name)),
    );
  }
  const names = [...sizes.keys()];
  const number = (list: readonly string[]) => list.map((name) => names.indexOf(name));
  return contraction(b, x.value, y.value, number(x.names), number(y.names), number(out));
}

/** Outputs of primitive `attention`: the weighted values and the log of the sum of exponentials. */
export function attention(
  b: GraphBuilder,
  q: ValueId,
  k: ValueId,
  v: ValueId,
  mask: ValueId | undefined,
  scaling: number,
): { readonly output: ValueId; readonly logSum: ValueId } {
  const inputs = mask === undefined ? [q, k, v] : [q, k, v, mask];
  const [output, logSum] = b.addAll("attention", inputs, { scale: scaling, masked: mask !== undefined });
  return { output: output!, logSum: logSum! };
}

// ---- by index

export const gather = (b: GraphBuilder, table: ValueId, indices: ValueId, batch = 0): ValueId =>
  b.add("gather", [table, indices], { batch });

export const scatterAdd = (b: GraphBuilder, updates: ValueId, indices: ValueId, size: number, batch = 0): ValueId =>
  b.add("scatter_add", [updates, indices], { batch, size });

/** i32: places along the last axis in ascending order, stable. */
export const argsort = (b: GraphBuilder, keys: ValueId): ValueId => b.add("argsort", [keys], {});
