/** Sums, means and extrema over axes, and what is made of them. */
import { buildMessages as messages } from "../../../dsl/diagnostics/messages/build.js";
import type { GraphBuilder } from "../../graph/builder.js";
import { isFloat } from "../../graph/dtype.js";
import type { ValueId } from "../../graph/node.js";
import { formatShape, type Shape } from "../../graph/shape.js";
import * as operations from "../../primitives/operations.js";
import { ShapeError } from "../../primitives/primitive.js";
import { fail } from "../context.js";
import { requireExact } from "../limits.js";
import { float, int, type TensorValue, tuple, type Value } from "../values.js";
import type { Arguments, Builtin } from "./arguments.js";

type Reduce = (builder: GraphBuilder, x: ValueId, axes: readonly number[]) => ValueId;

/** The axes of an `axis:` argument, ascending: one, a list, or all of them when it is left out. */
function axesOf(given: Arguments, tensor: TensorValue): number[] {
  if (!given.has("axis") || given.value("axis").kind === "none") return tensor.shape.map((_, axis) => axis);
  const numbers = given.value("axis").kind === "int" ? [given.int("axis")] : given.ints("axis");
  const axes = numbers.map((axis) => given.axisNumber(axis, tensor, "axis"));
  return [...new Set(axes)].sort((a, b) => a - b);
}

const keeping = (shape: Shape, axes: readonly number[]): Shape =>
  shape.map((size, axis) => (axes.includes(axis) ? 1 : size));

/** With `several`, any number of compile-time numbers may stand one after the other. */
function reduction(reduce: Reduce, reduceNumbers?: (given: Arguments) => Value | undefined, several = false): Builtin {
  return {
    parameters: ["x", "axis?", "keep?", ...(several ? ["more*"] : [])],
    run: (given) => {
      if (given.value("x").kind !== "tensor") {
        const value = reduceNumbers?.(given);
        if (value) return value;
      }
      const x = given.tensor("x");
      if (given.rest.length > 0) {
        const values = { callee: given.name, count: 3, given: 3 + given.rest.length };
        return fail(given.context, messages.tooManyArguments, given.rest[0]!.span, values);
      }
      if (x.dtype === "bool") return given.refuse("x", "a tensor of numbers; float(x) makes one");
      const axes = axesOf(given, x);
      const keep = given.flag("keep", false);
      return given.emit([x], (builder) => {
        const reduced = reduce(builder, x.id, axes);
        return keep ? operations.reshape(builder, reduced, keeping(x.shape, axes)) : reduced;
      });
    },
  };
}

/** The numbers of a list, or those given one after the other. */
function numbersOf(given: Arguments): { readonly values: readonly number[]; readonly whole: boolean } | undefined {
  const first = given.value("x");
  const isList = first.kind === "list" || first.kind === "tuple";
  const further = ["axis", "keep"].filter((name) => given.has(name)).map((name) => given.value(name));
  if (isList && further.length > 0) return undefined;
  const items = isList ? first.items : [first, ...further, ...given.rest.map(({ value }) => value)];
  const values: number[] = [];
  for (const item of items) {
    if (item.kind !== "int" && item.kind !== "float") return undefined;
    values.push(item.value);
  }
  return { values, whole: items.every(({ kind }) => kind === "int") };
}

function sumNumbers(given: Arguments): Value | undefined {
  const { kind } = given.value("x");
  const list = kind === "list" || kind === "tuple" ? numbersOf(given) : undefined;
  if (!list) return undefined;
  const total = list.values.reduce((sum, value) => sum + value, 0);
  requireExact(given.context, total, list.whole, given.span);
  return list.whole ? int(total) : float(total);
}

const extremeNumber =
  (largest: boolean) =>
  (given: Arguments): Value | undefined => {
    const list = numbersOf(given);
    if (!list) return undefined;
    if (list.values.length === 0) return fail(given.context, messages.emptyReduction, given.span, { name: given.name });
    // Not spread into one call: a list may be longer than a call's arguments.
    const value = list.values.reduce((best, next) => (largest ? Math.max(best, next) : Math.min(best, next)));
    return list.whole ? int(value) : float(value);
  };

function sortable(given: Arguments): TensorValue {
  const x = given.tensor("x");
  return x.dtype === "bool" ? given.refuse("x", "floats or ints") : x;
}

/** The order of the last axis; where it descends, equal numbers still come as they stand. */
function argsortLast(builder: GraphBuilder, x: ValueId, descending: boolean): ValueId {
  if (!descending) return operations.argsort(builder, x);
  // Of ints all bits are turned: the least has no negative.
  const turned =
    builder.type(x).dtype === "i32"
      ? operations.subtract(builder, operations.constantLike(builder, -1, x), x)
      : operations.negate(builder, x);
  return operations.argsort(builder, turned);
}

/** x minus its maximum along one axis (which carries no gradient), and the shape with that axis kept. */
function shifted(builder: GraphBuilder, x: ValueId, axis: number): { shifted: ValueId; largest: ValueId; kept: Shape } {
  const kept = keeping(builder.shape(x), [axis]);
  const maximum = operations.stopGradient(builder, operations.reduceMax(builder, x, [axis]));
  const largest = operations.reshape(builder, maximum, kept);
  return { shifted: operations.subtract(builder, x, largest), largest, kept };
}

function alongAxis(
  build: (builder: GraphBuilder, x: ValueId, axis: number, keep: boolean) => ValueId,
  keeps = false,
): Builtin {
  return {
    parameters: keeps ? ["x", "axis?", "keep?"] : ["x", "axis?"],
    run: (given) => {
      const x = given.floats("x");
      const axis = given.axis("axis", x, -1);
      const keep = keeps && given.flag("keep", false);
      return given.emit([x], (builder) => build(builder, x.id, axis, keep));
    },
  };
}

const softmax = alongAxis((builder, x, axis) => {
  const part = shifted(builder, x, axis);
  const exponentials = operations.exp(builder, part.shifted);
  const total = operations.reduceSum(builder, exponentials, [axis]);
  return operations.divide(builder, exponentials, operations.reshape(builder, total, part.kept));
});

const logSumExp = (builder: GraphBuilder, x: ValueId, axis: number) => {
  const part = shifted(builder, x, axis);
  const total = operations.reduceSum(builder, operations.exp(builder, part.shifted), [axis]);
  const logarithm = operations.log(builder, operations.reshape(builder, total, part.kept));
  return { part, logarithm };
};

export const reductionBuiltins: Readonly<Record<string, Builtin>> = {
  sum: reduction(operations.reduceSum, sumNumbers),
  mean: reduction((builder, x, axes) => {
    const shape = builder.shape(x);
    if (axes.some((axis) => shape[axis] === 0)) throw new ShapeError(`mean over no elements of ${formatShape(shape)}`);
    if (!isFloat(builder.type(x).dtype))
      return operations.reduceMean(builder, operations.cast(builder, x, "f32"), axes);
    return operations.reduceMean(builder, x, axes);
  }),
  max: reduction(operations.reduceMax, extremeNumber(true), true),
  min: reduction(operations.reduceMin, extremeNumber(false), true),
  argmax: {
    parameters: ["x", "axis?"],
    run: (given) => {
      const x = given.tensor("x");
      const axis = given.axis("axis", x, -1);
      return given.emit([x], (builder) => operations.argmax(builder, x.id, axis));
    },
  },
  argsort: {
    parameters: ["x", "axis?", "descending?"],
    run: (given) => {
      const x = sortable(given);
      const axis = given.axis("axis", x, -1);
      const descending = given.flag("descending", false);
      return given.emit([x], (builder) => {
        const last = x.shape.length - 1;
        const order = argsortLast(builder, operations.moveAxis(builder, x.id, axis, last), descending);
        return operations.moveAxis(builder, order, last, axis);
      });
    },
  },
  top_k: {
    parameters: ["x", "k", "axis?"],
    run: (given) => {
      const x = sortable(given);
      const count = given.size("k");
      const axis = given.axis("axis", x, -1);
      if (count > x.shape[axis]!) return given.refuse("k", `at most ${x.shape[axis]}, the size of the axis`);
      const last = x.shape.length - 1;
      const places = given.emit([x], (builder) => {
        const order = argsortLast(builder, operations.moveAxis(builder, x.id, axis, last), true);
        return operations.moveAxis(builder, operations.sliceAxis(builder, order, last, 0, count), last, axis);
      });
      const largest = given.emit([x, places], (builder) => {
        const [from, at] = [x.id, places.id].map((value) => operations.moveAxis(builder, value, axis, last)) as [
          ValueId,
          ValueId,
        ];
        return operations.moveAxis(builder, operations.gather(builder, from, at, last), last, axis);
      });
      return tuple([largest, places]);
    },
  },
  softmax,
  log_softmax: alongAxis((builder, x, axis) => {
    const { part, logarithm } = logSumExp(builder, x, axis);
    return operations.subtract(builder, part.shifted, logarithm);
  }),
  logsumexp: alongAxis((builder, x, axis, keep) => {
    const { part, logarithm } = logSumExp(builder, x, axis);
    const sum = operations.add(builder, logarithm, part.largest);
    const dropped = part.kept.filter((_, other) => other !== axis);
    return keep ? sum : operations.reshape(builder, sum, dropped);
  }, true),
};
