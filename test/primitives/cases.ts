import { elementCount, type Shape, type TensorType } from "../../src/graph/shape.js";
import type { AttributesOf, BinaryName, PrimitiveName, UnaryName } from "../../src/primitives/names.js";
import type { Source } from "../graphs/source.js";

export interface Operand {
  readonly type: TensorType;
  /** Another value of this operand: one for the case itself, one for every instance of a batch. */
  draw(): Float64Array;
  /** False where all instances must share the operand. */
  readonly batchable?: boolean;
}

/** One application of a primitive on random operands, away from ties and poles. */
export interface Case<P extends PrimitiveName> {
  readonly attributes: AttributesOf[P];
  readonly operands: readonly Operand[];
}

const f32 = (shape: Shape, draw: () => Float64Array): Operand => ({ type: { dtype: "f32", shape }, draw });

/** Floats whose distances are all at least 0.01, from -range to range: no ties, none near 0. */
function distinct(s: Source, shape: Shape, range = 2): Operand {
  const count = elementCount(shape);
  const gap = (2 * range) / count;
  return f32(shape, () =>
    Float64Array.from(s.shuffle([...Array(count).keys()]), (place) => {
      const x = -range + gap * (place + s.number(0.3, 0.7));
      return Math.abs(x) < 0.02 ? x + 0.05 : x;
    }),
  );
}

const floats = (s: Source, shape: Shape, low = -2, high = 2): Operand =>
  f32(shape, () => s.numbers(elementCount(shape), low, high));

const integers = (s: Source, shape: Shape, low: number, high: number): Operand => ({
  type: { dtype: "i32", shape },
  draw: () => new Float64Array(elementCount(shape)).map(() => s.integer(low, high)),
});

const bools = (s: Source, shape: Shape): Operand => ({
  type: { dtype: "bool", shape },
  draw: () => new Float64Array(elementCount(shape)).map(() => s.integer(0, 1)),
});

const randomShape = (s: Source, leastRank = 0): number[] =>
  Array.from({ length: s.integer(leastRank, 3) }, () => s.integer(1, 4));

type CaseMaker<P extends PrimitiveName> = (s: Source) => Case<P>;

const unary =
  <P extends UnaryName>(low: number, high: number): CaseMaker<P> =>
  (s) => ({ attributes: {} as AttributesOf[P], operands: [floats(s, randomShape(s), low, high)] });

const onDistinct =
  <P extends UnaryName>(): CaseMaker<P> =>
  (s) => ({ attributes: {} as AttributesOf[P], operands: [distinct(s, randomShape(s), 1.7)] });

const binary =
  <P extends BinaryName>(range: readonly [number, number] = [-2, 2]): CaseMaker<P> =>
  (s) => {
    const shape = randomShape(s);
    return { attributes: {} as AttributesOf[P], operands: [floats(s, shape), floats(s, shape, ...range)] };
  };

/** Two operands that are nowhere near each other. */
const compared =
  <P extends BinaryName>(): CaseMaker<P> =>
  (s) => {
    const shape = randomShape(s);
    const even = f32(shape, () =>
      new Float64Array(elementCount(shape)).map(() => s.integer(-3, 3) + s.number(-0.2, 0.2)),
    );
    const odd = f32(shape, () =>
      new Float64Array(elementCount(shape)).map(() => s.integer(-3, 3) + 0.5 + s.number(-0.2, 0.2)),
    );
    return { attributes: {} as AttributesOf[P], operands: s.chance(0.5) ? [even, odd] : [odd, even] };
  };

const logical =
  <P extends BinaryName>(): CaseMaker<P> =>
  (s) => {
    const shape = randomShape(s);
    return { attributes: {} as AttributesOf[P], operands: [bools(s, shape), bools(s, shape)] };
  };

const someAxes = (s: Source, shape: Shape): number[] => [...shape.keys()].filter(() => s.chance(0.6));

const reduction =
  <P extends "reduce_sum" | "reduce_max" | "reduce_min">(): CaseMaker<P> =>
  (s) => {
    const shape = randomShape(s, 1);
    return { attributes: { axes: someAxes(s, shape) } as AttributesOf[P], operands: [distinct(s, shape)] };
  };

const leaf =
  <P extends PrimitiveName>(attributes: AttributesOf[P]): CaseMaker<P> =>
  () => ({ attributes, operands: [] });

function contraction(s: Source): Case<"contraction"> {
  const roles = ["batch", "rows", "columns", "reduced"] as const;
  const labels = s.shuffle([3, 0, 7, 2, 5]).map((label) => ({ label, role: s.pick(roles), size: s.integer(1, 4) }));
  const of = (...wanted: readonly string[]) => s.shuffle(labels.filter(({ role }) => wanted.includes(role)));
  const [lhs, rhs, out] = [
    of("batch", "rows", "reduced"),
    of("batch", "columns", "reduced"),
    of("batch", "rows", "columns"),
  ];
  const numbers = (list: typeof labels) => list.map(({ label }) => label);
  const sizes = (list: typeof labels) => list.map(({ size }) => size);
  return {
    attributes: { lhs: numbers(lhs), rhs: numbers(rhs), out: numbers(out) },
    operands: [floats(s, sizes(lhs)), floats(s, sizes(rhs))],
  };
}

/** Labels of a product of one row, as of any contraction, and the sizes of its operands and of its result. */
function rowProduct(s: Source) {
  const { attributes, operands } = contraction(s);
  const [left, right] = operands.map(({ type }) => type.shape) as [Shape, Shape];
  return { attributes, left, right };
}

/** Grouped heads; masks of one head or of all, with rows that may attend nowhere. */
function attention(s: Source): { case: Case<"attention">; rows: Shape; valueWidth: number } {
  const lead = s.chance(0.5) ? [s.integer(1, 2)] : [];
  const keyHeads = s.integer(1, 2);
  const heads = keyHeads * s.integer(1, 3);
  const [queries, keys, width, valueWidth] = [s.integer(1, 4), s.integer(1, 4), s.integer(1, 3), s.integer(1, 3)];
  const masked = s.chance(0.6);
  const operands = [
    floats(s, [...lead, heads, queries, width]),
    floats(s, [...lead, keyHeads, keys, width]),
    floats(s, [...lead, keyHeads, keys, valueWidth]),
  ];
  if (masked) operands.push(bools(s, [...lead, s.pick([1, heads]), queries, keys]));
  return {
    case: { attributes: { scale: s.number(0.3, 1.2), masked }, operands },
    rows: [...lead, heads, queries],
    valueWidth,
  };
}

export const cases: { readonly [P in PrimitiveName]: CaseMaker<P> } = {
  input: leaf({ name: "x", dtype: "f32", shape: [2], perInstance: false }),
  parameter: leaf({ path: "w", dtype: "f32", shape: [2] }),
  range: leaf({ name: "r", segment: "optimizer", offset: 0, dtype: "f32", shape: [2] }),
  scalar: leaf({ name: "seed" }),
  constant: leaf({ dtype: "f32", shape: [2], value: 3 }),
  table: leaf({ dtype: "f32", shape: [2], values: [1, 2] }),
  iota: leaf({ shape: [2, 3], axis: 1 }),
  instance_index: leaf({}),
  gather_instances: (s) => ({ attributes: { size: s.integer(1, 3) }, operands: [floats(s, randomShape(s))] }),
  random: (s) => ({
    attributes: { distribution: s.pick(["uniform", "normal"]), key: s.integer(0, 99), shape: randomShape(s) },
    operands: [
      { type: { dtype: "u32", shape: [] }, draw: () => Float64Array.of(7), batchable: false },
      { type: { dtype: "u32", shape: [] }, draw: () => Float64Array.of(s.integer(0, 9)), batchable: false },
      integers(s, s.chance(0.7) ? [] : [3], 0, 50),
    ],
  }),
  negate: unary(-2, 2),
  absolute: onDistinct(),
  sign: onDistinct(),
  floor: (s) => {
    const shape = randomShape(s);
    const draw = () => new Float64Array(elementCount(shape)).map(() => s.integer(-3, 3) + s.number(0.1, 0.9));
    return { attributes: {}, operands: [f32(shape, draw)] };
  },
  exp: unary(-2, 2),
  log: unary(0.2, 3),
  sin: unary(-4, 4),
  cos: unary(-4, 4),
  tanh: unary(-2, 2),
  erf: unary(-2, 2),
  sqrt: unary(0.2, 3),
  rsqrt: unary(0.2, 3),
  logistic: unary(-4, 4),
  not: (s) => ({ attributes: {}, operands: [bools(s, randomShape(s))] }),
  add: binary(),
  subtract: binary(),
  multiply: binary(),
  divide: binary([0.5, 2]),
  power: (s) => {
    const shape = randomShape(s);
    return { attributes: {}, operands: [floats(s, shape, 0.3, 2), floats(s, shape)] };
  },
  maximum: compared(),
  minimum: compared(),
  remainder: (s) => {
    const shape = randomShape(s);
    const draw = () => new Float64Array(elementCount(shape)).map(() => 1.5 * (s.integer(-3, 3) + s.number(0.2, 0.8)));
    return { attributes: {}, operands: [f32(shape, draw), floats(s, shape, 1.49, 1.51)] };
  },
  equal: compared(),
  less: compared(),
  less_equal: compared(),
  and: logical(),
  or: logical(),
  cast: (s) => ({ attributes: { dtype: s.pick(["f64", "f16", "f32"]) }, operands: [floats(s, randomShape(s))] }),
  select: (s) => {
    const shape = randomShape(s);
    return { attributes: {}, operands: [bools(s, shape), floats(s, shape), floats(s, shape)] };
  },
  stop_gradient: (s) => ({ attributes: {}, operands: [floats(s, randomShape(s))] }),
  reshape: (s) => {
    const shape = randomShape(s);
    return { attributes: { shape: [elementCount(shape), 1] }, operands: [floats(s, shape)] };
  },
  transpose: (s) => {
    const shape = randomShape(s);
    return { attributes: { permutation: s.shuffle([...shape.keys()]) }, operands: [floats(s, shape)] };
  },
  broadcast: (s) => {
    const shape = randomShape(s);
    const axes = someAxes(s, shape);
    return {
      attributes: { shape, axes },
      operands: [
        floats(
          s,
          axes.map((axis) => shape[axis]!),
        ),
      ],
    };
  },
  slice: (s) => {
    const shape = Array.from({ length: s.integer(1, 3) }, () => s.integer(1, 7));
    const starts = shape.map((size) => s.integer(0, size - 1));
    const limits = shape.map((size, axis) => s.integer(starts[axis]! + 1, size));
    return { attributes: { starts, limits, steps: shape.map(() => s.integer(1, 3)) }, operands: [floats(s, shape)] };
  },
  pad: (s) => {
    const shape = randomShape(s, 1);
    const sizes = (most: number) => shape.map(() => s.integer(0, most));
    return { attributes: { low: sizes(2), high: sizes(2), interior: sizes(2) }, operands: [floats(s, shape)] };
  },
  concat: (s) => {
    const shape = randomShape(s, 1);
    const axis = s.integer(0, shape.length - 1);
    const part = () =>
      floats(
        s,
        shape.map((size, place) => (place === axis ? s.integer(1, 3) : size)),
      );
    return { attributes: { axis }, operands: Array.from({ length: s.integer(1, 3) }, part) };
  },
  reduce_sum: reduction(),
  reduce_max: reduction(),
  reduce_min: reduction(),
  argmax: (s) => {
    const shape = randomShape(s, 1);
    return { attributes: { axis: s.integer(0, shape.length - 1) }, operands: [distinct(s, shape)] };
  },
  contraction,
  grouped_contraction: (s) => {
    const { attributes, left, right } = rowProduct(s);
    const groups = Array.from({ length: s.integer(1, 2) }, () => s.integer(1, 3));
    const rows = s.integer(1, 6);
    return {
      attributes: { ...attributes, groups: groups.length },
      operands: [
        floats(s, [rows, ...left]),
        floats(s, [...groups, ...right]),
        integers(s, [rows], -1, elementCount(groups)),
      ],
    };
  },
  grouped_sum: (s) => {
    const { attributes, left, right } = rowProduct(s);
    const groups = Array.from({ length: s.integer(1, 2) }, () => s.integer(1, 3));
    const rows = s.integer(1, 6);
    return {
      attributes: { ...attributes, groups },
      operands: [
        floats(s, [rows, ...left]),
        floats(s, [rows, ...right]),
        integers(s, [rows], -1, elementCount(groups)),
      ],
    };
  },
  attention: (s) => attention(s).case,
  attention_backward: (s) => {
    const { case: forward, rows, valueWidth } = attention(s);
    const output = [...rows, valueWidth];
    // The three last operands need not come from a forward pass for batching to be checked.
    return {
      attributes: forward.attributes,
      operands: [...forward.operands, floats(s, output), floats(s, rows, 2, 3), floats(s, output)],
    };
  },
  gather: (s) => {
    const lead = Array.from({ length: s.integer(0, 2) }, () => s.integer(1, 3));
    const [size, rest] = [s.integer(1, 5), randomShape(s).slice(0, 2)];
    return {
      attributes: { batch: lead.length },
      operands: [floats(s, [...lead, size, ...rest]), integers(s, [...lead, ...randomShape(s).slice(0, 2)], -1, size)],
    };
  },
  argsort: (s) => {
    const shape = randomShape(s, 1);
    return { attributes: {}, operands: [s.chance(0.5) ? distinct(s, shape) : integers(s, shape, -2, 2)] };
  },
  scatter_add: (s) => {
    const lead = Array.from({ length: s.integer(0, 2) }, () => s.integer(1, 3));
    const [size, rest] = [s.integer(1, 5), randomShape(s).slice(0, 2)];
    const indices = [...lead, ...randomShape(s).slice(0, 2)];
    return {
      attributes: { batch: lead.length, size },
      operands: [floats(s, [...indices, ...rest]), integers(s, indices, -1, size)],
    };
  },
};
