import type { ValueId } from "../../src/graph/node.js";
import { elementCount, type Shape } from "../../src/graph/shape.js";
import type { BinaryName, PrimitiveName, ScalarName, UnaryName } from "../../src/primitives/names.js";
import * as operations from "../../src/primitives/operations.js";
import { type Growth, margin } from "./growth.js";

/** Adds a node of one primitive on operands that condition it well; undefined when chance brought none. */
export type Recipe = (g: Growth) => ValueId | undefined;

const apart = (a: number, b: number): boolean => Math.abs(a - b) > margin;
const awayFromIntegers = (x: number): boolean => apart(x, Math.round(x));
const small = (g: Growth, x: ValueId): boolean => g.magnitude(x) <= 4;

const unary =
  (name: UnaryName, suits: (x: number) => boolean = () => true): Recipe =>
  (g) => {
    const x = g.float();
    return small(g, x) && g.every(x, suits) ? g.builder.add(name, [x], {}) : undefined;
  };

const unaryOnPositive =
  (name: UnaryName): Recipe =>
  (g) =>
    g.builder.add(name, [g.positive(g.float())], {});

/** Floats, now and then integers. */
const pair = (g: Growth, integers = 0.2): [ValueId, ValueId] => {
  const dtype = g.source.chance(integers) ? "i32" : "f32";
  const x = g.take(
    dtype,
    () => true,
    () => g.randomShape(),
  );
  return [x, g.like(dtype, g.shape(x))];
};

const binary =
  (name: BinaryName, suits: (a: number, b: number) => boolean = () => true): Recipe =>
  (g) => {
    const [x, y] = pair(g);
    const exact = g.dtype(x) !== "f32";
    return exact || g.everyPair(x, y, suits) ? g.builder.add(name, [x, y], {}) : undefined;
  };

const logical =
  (name: "and" | "or"): Recipe =>
  (g) => {
    const x = g.take(
      "bool",
      () => true,
      () => g.randomShape(),
    );
    return g.builder.add(name, [x, g.like("bool", g.shape(x))], {});
  };

/** Floor and remainder of integers by a fixed positive number; of floats away from the jumps. */
const quotient =
  (name: "divide" | "remainder"): Recipe =>
  (g) => {
    const [x, other] = pair(g);
    if (g.dtype(x) === "i32") return g.builder.add(name, [x, operations.constantLike(g.builder, 3, x)], {});
    const y = g.positive(other);
    if (name === "remainder" && !g.everyPair(x, y, (a, b) => awayFromIntegers(a / b))) return undefined;
    return g.builder.add(name, [x, y], {});
  };

const power: Recipe = (g) => {
  const base = g.positive(g.float());
  if (!small(g, base)) return undefined;
  const exponent = g.source.chance(0.5)
    ? operations.constantLike(g.builder, g.source.pick([0, 1, 2, 3, 0.5, -1]), base)
    : operations.tanh(g.builder, g.like("f32", g.shape(base)));
  return g.builder.add("power", [base, exponent], {});
};

const castRecipe: Recipe = (g) => {
  const x = g.any();
  switch (g.dtype(x)) {
    case "f32":
      return g.every(x, awayFromIntegers) && small(g, x) ? operations.cast(g.builder, x, "i32") : undefined;
    case "i32":
      return operations.cast(g.builder, x, g.source.pick(["f32", "bool"]));
    default:
      return operations.cast(g.builder, x, g.source.pick(["f32", "i32"]));
  }
};

const someAxes = (g: Growth, shape: Shape): number[] => {
  const axes = [...shape.keys()].filter(() => g.source.chance(0.5));
  return axes.length > 0 ? axes : [g.source.integer(0, shape.length - 1)];
};

const reshape: Recipe = (g) => {
  const x = g.any();
  let left = elementCount(g.shape(x));
  const shape: number[] = [];
  while (left > 1 && shape.length < g.limits.maximumRank - 1) {
    const divisors = Array.from({ length: left }, (_, index) => index + 1).filter((size) => left % size === 0);
    const size = g.source.pick(divisors);
    shape.push(size);
    left /= size;
  }
  return g.builder.add("reshape", [x], { shape: left > 1 || g.source.chance(0.2) ? [...shape, left] : shape });
};

const broadcast: Recipe = (g) => {
  const x = g.any();
  const shape = [...g.shape(x)];
  const place = g.source.integer(0, shape.length);
  shape.splice(place, 0, g.source.integer(1, 4));
  if (!g.fits(shape)) return undefined;
  return g.builder.add("broadcast", [x], { shape, axes: [...shape.keys()].filter((axis) => axis !== place) });
};

const slice: Recipe = (g) => {
  const x = g.any(1);
  const starts = g.shape(x).map((size) => g.source.integer(0, size - 1));
  const limits = g.shape(x).map((size, axis) => g.source.integer(starts[axis]! + 1, size));
  return g.builder.add("slice", [x], { starts, limits, steps: starts.map(() => g.source.pick([1, 1, 2, 3])) });
};

const pad: Recipe = (g) => {
  const x = g.any(1);
  const shape = g.shape(x);
  const some = (most: number) => shape.map(() => (g.source.chance(0.5) ? 0 : g.source.integer(0, most)));
  const [low, high, interior] = [some(2), some(2), some(1)];
  const padded = shape.map((size, axis) => low[axis]! + size + (size - 1) * interior[axis]! + high[axis]!);
  return g.fits(padded) ? g.builder.add("pad", [x], { low, high, interior }) : undefined;
};

const concat: Recipe = (g) => {
  const x = g.any(1);
  const shape = g.shape(x);
  const axis = g.source.integer(0, shape.length - 1);
  const suits = (other: Shape) =>
    other.length === shape.length && other.every((size, place) => place === axis || size === shape[place]);
  const part = () => g.take(g.dtype(x), suits, () => shape.map((size, place) => (place === axis ? 2 : size)));
  const parts = [x, ...Array.from({ length: g.source.integer(0, 2) }, part)];
  const joined = parts.reduce((sum, value) => sum + g.shape(value)[axis]!, 0);
  return g.fits(shape.map((size, place) => (place === axis ? joined : size)))
    ? g.builder.add("concat", parts, { axis })
    : undefined;
};

const argmax: Recipe = (g) => {
  const x = g.float(1);
  const axis = g.source.integer(0, g.shape(x).length - 1);
  const { builder } = g;
  // The runner-up, found by hiding the winner.
  const winner = operations.unreduce(builder, operations.argmax(builder, x, axis), g.shape(x), [axis]);
  const hidden = operations.select(
    builder,
    operations.equal(builder, operations.iota(builder, g.shape(x), axis), winner),
    operations.constantLike(builder, -1e3, x),
    x,
  );
  const best = operations.reduceMax(builder, x, [axis]);
  return g.everyPair(best, operations.reduceMax(builder, hidden, [axis]), apart)
    ? operations.argmax(builder, x, axis)
    : undefined;
};

/** Two values whose axes of equal size are matched at random, as batch or as reduced axes. */
const contraction: Recipe = (g) => {
  const x = g.float(1);
  const y = g.float();
  const lhs = [...g.shape(x).keys()];
  let next = lhs.length;
  const free = new Set(lhs);
  const rhs = g.shape(y).map((size) => {
    const partner = [...free].find((label) => g.shape(x)[label] === size);
    if (partner === undefined || g.source.chance(0.2)) return next++;
    free.delete(partner);
    return partner;
  });
  const shared = lhs.filter((label) => rhs.includes(label));
  const reduced = shared.filter(() => g.source.chance(0.7));
  const out = g.source.shuffle([...new Set([...lhs, ...rhs])].filter((label) => !reduced.includes(label)));
  const sizes = out.map((label) => (label < lhs.length ? g.shape(x)[label]! : g.shape(y)[rhs.indexOf(label)]!));
  if (!g.fits(sizes)) return undefined;
  return g.builder.add("contraction", [x, y], { lhs, rhs, out });
};

/** Rows of an earlier value, an index of their groups (now and then out of range), and labels of their other axes. */
function groupedRows(g: Growth): { x: ValueId; index: ValueId; groups: number[]; lhs: number[] } {
  const x = g.float(1);
  const groups = Array.from({ length: g.source.integer(1, 2) }, () => g.source.integer(1, 3));
  const index = g.leaf("i32", g.shape(x).slice(0, 1), -1, elementCount(groups));
  return {
    x,
    index,
    groups,
    lhs: g
      .shape(x)
      .slice(1)
      .map((_, axis) => axis),
  };
}

/** Axes of a row are kept, summed, or met by one of the other operand, which may have another of its own. */
const groupedContraction: Recipe = (g) => {
  const { x, index, groups, lhs } = groupedRows(g);
  const met = lhs.filter(() => g.source.chance(0.7));
  const own = g.source.chance(0.7) ? [lhs.length] : [];
  const rhs = g.source.shuffle([...met, ...own]);
  const size = (label: number) => g.shape(x)[label + 1] ?? 3;
  const out = g.source.shuffle([...lhs, ...own].filter((label) => !met.includes(label) || g.source.chance(0.3)));
  const sizes = [g.shape(x)[0]!, ...out.map(size)];
  if (!g.fits(sizes) || !g.fits([...groups, ...rhs.map(size)])) return undefined;
  const weights = g.connected([...groups, ...rhs.map(size)]);
  return g.builder.add("grouped_contraction", [x, weights, index], { lhs, rhs, out, groups: groups.length });
};

const groupedSum: Recipe = (g) => {
  const { x, index, groups, lhs } = groupedRows(g);
  const met = lhs.filter(() => g.source.chance(0.5));
  const own = g.source.chance(0.7) ? [lhs.length] : [];
  const rhs = g.source.shuffle([...met, ...own]);
  const size = (label: number) => g.shape(x)[label + 1] ?? 3;
  const out = g.source.shuffle([...lhs, ...own].filter((label) => !met.includes(label) || g.source.chance(0.5)));
  const other = [g.shape(x)[0]!, ...rhs.map(size)];
  if (!g.fits([...groups, ...out.map(size)]) || !g.fits(other)) return undefined;
  return g.builder.add("grouped_sum", [x, g.connected(other), index], { lhs, rhs, out, groups });
};

/** Floats without near ties, or integers with equal ones. */
const argsort: Recipe = (g) => {
  if (g.source.chance(0.4)) return operations.argsort(g.builder, g.leaf("i32", g.randomShape(1)));
  const x = g.float(1);
  const length = g.shape(x).at(-1)!;
  const isDistinct = (data: Float64Array) => {
    for (let start = 0; start < data.length; start += length) {
      const row = data.slice(start, start + length).sort();
      if (row.some((value, place) => place > 0 && !apart(value, row[place - 1]!))) return false;
    }
    return true;
  };
  return g.data(x).every(isDistinct) ? operations.argsort(g.builder, x) : undefined;
};

/** Grouped heads, and a mask (sometimes of one head for all) under which some rows may attend nowhere. */
function attentionInputs(g: Growth): { inputs: ValueId[]; attributes: { scale: number; masked: boolean } } {
  const { source } = g;
  const lead = source.chance(0.3) ? [2] : [];
  const keyHeads = source.integer(1, 2);
  const heads = keyHeads * source.integer(1, 2);
  const [queries, keys, width, valueWidth] = [1, 2, 3, 4].map(() => source.integer(1, 4)) as [
    number,
    number,
    number,
    number,
  ];
  const inputs = [
    g.connected([...lead, heads, queries, width]),
    g.connected([...lead, keyHeads, keys, width]),
    g.connected([...lead, keyHeads, keys, valueWidth]),
  ];
  const masked = source.chance(0.6);
  if (masked) inputs.push(g.leaf("bool", [...lead, source.pick([1, heads]), queries, keys]));
  return { inputs, attributes: { scale: source.number(0.2, 1), masked } };
}

const attention: Recipe = (g) => {
  const { inputs, attributes } = attentionInputs(g);
  const [output, logSum] = g.builder.addAll("attention", inputs, attributes);
  g.offer(logSum!);
  return output;
};

const attentionBackward: Recipe = (g) => {
  const { inputs, attributes } = attentionInputs(g);
  const outputs = g.builder.addAll("attention", inputs, attributes);
  const cotangent = g.connected(g.shape(outputs[0]!));
  const [dq, dk, dv] = g.builder.addAll("attention_backward", [...inputs, ...outputs, cotangent], attributes);
  g.offer(dk!);
  g.offer(dv!);
  return dq;
};

const indexShape = (g: Growth, lead: Shape): number[] => [
  ...lead,
  ...g.randomShape(0, 1).map((size) => Math.min(size, 5)),
];

const gather: Recipe = (g) => {
  const batch = g.source.pick([0, 0, 1]);
  const table = g.any(batch + 1);
  const shape = g.shape(table);
  const indices = g.leaf("i32", indexShape(g, shape.slice(0, batch)), 0, shape[batch]! - 1);
  return g.fits([...g.shape(indices), ...shape.slice(batch + 1)])
    ? g.builder.add("gather", [table, indices], { batch })
    : undefined;
};

const scatterAdd: Recipe = (g) => {
  const updates = g.float(1);
  const shape = g.shape(updates);
  const size = g.source.integer(1, 5);
  const width = g.source.integer(1, Math.min(2, shape.length));
  const batch = g.source.integer(0, width);
  const indices = g.leaf("i32", shape.slice(0, width), 0, size - 1);
  return g.fits([...shape.slice(0, batch), size, ...shape.slice(width)])
    ? g.builder.add("scatter_add", [updates, indices], { batch, size })
    : undefined;
};

const scalar = (g: Growth, name: ScalarName): ValueId => g.builder.add("scalar", [], { name });

const random: Recipe = (g) => {
  const { builder } = g;
  const row = g.limits.perInstance ? builder.add("instance_index", [], {}) : scalar(g, "row_offset");
  return builder.add("random", [scalar(g, "seed"), scalar(g, "step"), row], {
    distribution: g.source.pick(["uniform", "normal"]),
    key: g.source.integer(0, 1000),
    shape: g.randomShape(),
  });
};

const range: Recipe = (g) => {
  const shape = g.randomShape(1, 1);
  // No two ranges overlap, and none lies on a parameter.
  const offset = g.stored.size * 64;
  const segment = g.source.pick(["gradients", "optimizer"] as const);
  const name = `range${g.stored.size}`;
  g.stored.set(name, g.source.numbers(elementCount(shape), -2, 2));
  return g.builder.add("range", [], { name, segment, offset, dtype: "f32", shape });
};

export const recipes: { readonly [P in PrimitiveName]: Recipe } = {
  input: (g) => {
    const dtype = g.source.pick(["f32", "f32", "i32", "bool"] as const);
    return g.leaf(dtype, g.randomShape());
  },
  parameter: (g) => g.leaf("f32", g.randomShape()),
  range,
  scalar: (g) => {
    const name = g.source.pick(["seed", "step", "learning_rate", "row_offset"] as const);
    return operations.cast(g.builder, scalar(g, name), "f32");
  },
  constant: (g) => operations.constant(g.builder, g.source.number(-2, 2), g.randomShape()),
  table: (g) => g.leaf(g.source.pick(["f32", "i32", "bool"]), g.randomShape()),
  iota: (g) => {
    const shape = g.randomShape(1);
    return operations.iota(g.builder, shape, g.source.integer(0, shape.length - 1));
  },
  instance_index: (g) => (g.limits.perInstance ? g.builder.add("instance_index", [], {}) : undefined),
  gather_instances: (g) => {
    const x = g.like(g.source.pick(["f32", "i32", "bool"]), g.randomShape());
    const size = g.source.integer(1, 3);
    return g.fits([size, ...g.builder.shape(x)]) ? g.builder.add("gather_instances", [x], { size }) : undefined;
  },
  random,
  negate: unary("negate"),
  absolute: unary("absolute", (x) => apart(x, 0)),
  sign: unary("sign", (x) => apart(x, 0)),
  floor: unary("floor", awayFromIntegers),
  exp: unary("exp"),
  log: unaryOnPositive("log"),
  sin: unary("sin"),
  cos: unary("cos"),
  tanh: unary("tanh"),
  erf: unary("erf"),
  sqrt: unaryOnPositive("sqrt"),
  rsqrt: unaryOnPositive("rsqrt"),
  logistic: unary("logistic"),
  not: (g) => operations.not(g.builder, g.like("bool", g.randomShape())),
  add: binary("add"),
  subtract: binary("subtract"),
  multiply: binary("multiply"),
  divide: quotient("divide"),
  power,
  maximum: binary("maximum", apart),
  minimum: binary("minimum", apart),
  remainder: quotient("remainder"),
  equal: binary("equal", apart),
  less: binary("less", apart),
  less_equal: binary("less_equal", apart),
  and: logical("and"),
  or: logical("or"),
  cast: castRecipe,
  select: (g) => {
    const [x, y] = pair(g);
    return operations.select(g.builder, g.like("bool", g.shape(x)), x, y);
  },
  stop_gradient: (g) => operations.stopGradient(g.builder, g.float()),
  reshape,
  transpose: (g) => {
    const x = g.any(1);
    return g.builder.add("transpose", [x], { permutation: g.source.shuffle([...g.shape(x).keys()]) });
  },
  broadcast,
  slice,
  pad,
  concat,
  reduce_sum: (g) => {
    const x = g.float(1);
    return operations.reduceSum(g.builder, x, someAxes(g, g.shape(x)));
  },
  reduce_max: (g) => {
    const x = g.float(1);
    return operations.reduceMax(g.builder, x, someAxes(g, g.shape(x)));
  },
  reduce_min: (g) => {
    const x = g.float(1);
    return operations.reduceMin(g.builder, x, someAxes(g, g.shape(x)));
  },
  argmax,
  contraction,
  grouped_contraction: groupedContraction,
  grouped_sum: groupedSum,
  attention,
  attention_backward: attentionBackward,
  gather,
  scatter_add: scatterAdd,
  argsort,
};
