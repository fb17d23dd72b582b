import type { GraphBuilder } from "../../src/graph/builder.js";
import type { Dtype } from "../../src/graph/dtype.js";
import type { ValueId } from "../../src/graph/node.js";
import * as o from "../../src/primitives/operations.js";

/** A graph that only becomes `nodes` (its primitives in order) by one law. */
export interface Case {
  readonly law: string;
  readonly build: (b: GraphBuilder) => ValueId | readonly ValueId[];
  readonly nodes: string;
}

type Shape = readonly number[];

const parameter =
  (path: string, dtype: Dtype = "f32") =>
  (b: GraphBuilder, shape: Shape = [4]): ValueId =>
    b.add("parameter", [], { path, dtype, shape });
const x = parameter("x");
const y = parameter("y");
const w = parameter("w");
const condition = parameter("condition", "bool");
const other = parameter("other", "bool");
const index = parameter("index", "i32");

const constant = (b: GraphBuilder, value: number, shape: Shape = [4], dtype: Dtype = "f32"): ValueId =>
  b.add("constant", [], { dtype, shape, value });
const table = (b: GraphBuilder, shape: Shape, values: readonly number[]): ValueId =>
  b.add("table", [], { dtype: "f32", shape, values });
const iota = (b: GraphBuilder, shape: Shape, axis: number): ValueId => b.add("iota", [], { shape, axis });
const reshape = (b: GraphBuilder, value: ValueId, shape: Shape): ValueId => b.add("reshape", [value], { shape });
const transpose = (b: GraphBuilder, value: ValueId, permutation: Shape): ValueId =>
  b.add("transpose", [value], { permutation });
const broadcast = (b: GraphBuilder, value: ValueId, shape: Shape, axes: Shape): ValueId =>
  b.add("broadcast", [value], { shape, axes });
const slice = (b: GraphBuilder, value: ValueId, starts: Shape, limits: Shape, steps = starts.map(() => 1)): ValueId =>
  b.add("slice", [value], { starts, limits, steps });
const pad = (b: GraphBuilder, value: ValueId, low: Shape, high: Shape): ValueId =>
  b.add("pad", [value], { low, high, interior: low.map(() => 0) });
const concat = (b: GraphBuilder, parts: readonly ValueId[], axis = 0): ValueId => b.add("concat", parts, { axis });
const sum = (b: GraphBuilder, value: ValueId, axes: Shape): ValueId => b.add("reduce_sum", [value], { axes });
const binary =
  (primitive: "add" | "subtract" | "multiply" | "divide" | "power" | "maximum" | "less" | "and" | "or" | "remainder") =>
  (b: GraphBuilder, left: ValueId, right: ValueId): ValueId =>
    b.add(primitive, [left, right], {});
const add = binary("add");
const subtract = binary("subtract");
const multiply = binary("multiply");
const divide = binary("divide");
const unary = (
  b: GraphBuilder,
  primitive: "negate" | "sqrt" | "floor" | "not" | "exp" | "tanh",
  value: ValueId,
): ValueId => b.add(primitive, [value], {});
const select = (b: GraphBuilder, c: ValueId, then: ValueId, otherwise: ValueId): ValueId =>
  b.add("select", [c, then, otherwise], {});
const matrixProduct = (b: GraphBuilder, left: ValueId, right: ValueId): ValueId =>
  b.add("contraction", [left, right], { lhs: [0, 1], rhs: [1, 2], out: [0, 2] });

function attention(b: GraphBuilder, mask: ValueId): readonly ValueId[] {
  const operands = [x(b, [2, 3, 4]), y(b, [2, 5, 4]), w(b, [2, 5, 4])];
  return b.addAll("attention", [...operands, mask], { scale: 0.5, masked: true });
}

const arithmetic: readonly Case[] = [
  { law: "f(constant) = constant", build: (b) => unary(b, "exp", constant(b, 1)), nodes: "constant" },
  { law: "f(constant) = constant", build: (b) => o.cast(b, constant(b, 1.5), "i32"), nodes: "constant" },
  {
    law: "f(broadcast(x)) = broadcast(f(x))",
    build: (b) => multiply(b, broadcast(b, x(b), [3, 4], [1]), broadcast(b, y(b), [3, 4], [1])),
    nodes: "parameter parameter multiply broadcast",
  },
  {
    law: "f(broadcast(x)) = broadcast(f(x))",
    build: (b) => add(b, broadcast(b, x(b), [3, 4], [1]), constant(b, 2, [3, 4])),
    nodes: "parameter constant add broadcast",
  },
  { law: "c + x = x + c", build: (b) => add(b, constant(b, 0), x(b)), nodes: "parameter" },
  { law: "x + x = x * 2", build: (b) => add(b, x(b), x(b)), nodes: "parameter constant multiply" },
  { law: "x + 0 = x", build: (b) => add(b, x(b), constant(b, 0)), nodes: "parameter" },
  {
    law: "x + -y = x - y",
    build: (b) => add(b, x(b), unary(b, "negate", y(b))),
    nodes: "parameter parameter subtract",
  },
  {
    law: "-x + y = y - x",
    build: (b) => add(b, unary(b, "negate", x(b)), y(b)),
    nodes: "parameter parameter subtract",
  },
  { law: "x - 0 = x", build: (b) => subtract(b, x(b), constant(b, 0)), nodes: "parameter" },
  { law: "0 - x = -x", build: (b) => subtract(b, constant(b, 0), x(b)), nodes: "parameter negate" },
  {
    law: "x - -y = x + y",
    build: (b) => subtract(b, x(b), unary(b, "negate", y(b))),
    nodes: "parameter parameter add",
  },
  { law: "--x = x", build: (b) => unary(b, "negate", unary(b, "negate", x(b))), nodes: "parameter" },
  {
    law: "-(x - y) = y - x",
    build: (b) => unary(b, "negate", subtract(b, x(b), y(b))),
    nodes: "parameter parameter subtract",
  },
  {
    law: "-(x * c) = x * -c",
    build: (b) => unary(b, "negate", multiply(b, x(b), constant(b, 3))),
    nodes: "parameter constant multiply",
  },
  { law: "x * 1 = x", build: (b) => multiply(b, x(b), constant(b, 1)), nodes: "parameter" },
  { law: "x * 0 = 0", build: (b) => multiply(b, x(b), constant(b, 0)), nodes: "constant" },
  { law: "x * -1 = -x", build: (b) => multiply(b, x(b), constant(b, -1)), nodes: "parameter negate" },
  {
    law: "(x * c) * d = x * (c d)",
    build: (b) => multiply(b, multiply(b, x(b), constant(b, 3)), constant(b, 5)),
    nodes: "parameter constant multiply",
  },
  {
    law: "-x * c = x * -c",
    build: (b) => multiply(b, unary(b, "negate", x(b)), constant(b, 3)),
    nodes: "parameter constant multiply",
  },
  {
    law: "-x * -y = x * y",
    build: (b) => multiply(b, unary(b, "negate", x(b)), unary(b, "negate", y(b))),
    nodes: "parameter parameter multiply",
  },
  { law: "x / 1 = x", build: (b) => divide(b, index(b), constant(b, 1, [4], "i32")), nodes: "parameter" },
  { law: "x / 2^k = x * 2^-k", build: (b) => divide(b, x(b), constant(b, 8)), nodes: "parameter constant multiply" },
  {
    law: "1 / sqrt(x) = rsqrt(x)",
    build: (b) => divide(b, constant(b, 1), unary(b, "sqrt", x(b))),
    nodes: "parameter rsqrt",
  },
  { law: "x ^ n = x * .. * x", build: (b) => o.power(b, x(b), constant(b, 0)), nodes: "constant" },
  { law: "x ^ n = x * .. * x", build: (b) => o.power(b, x(b), constant(b, 1)), nodes: "parameter" },
  { law: "x ^ n = x * .. * x", build: (b) => o.power(b, x(b), constant(b, 2)), nodes: "parameter multiply" },
  { law: "x ^ n = x * .. * x", build: (b) => o.power(b, x(b), constant(b, 3)), nodes: "parameter multiply multiply" },
  { law: "x ^ n = x * .. * x", build: (b) => o.power(b, x(b), constant(b, 0.5)), nodes: "parameter sqrt" },
  { law: "x ^ n = x * .. * x", build: (b) => o.power(b, x(b), constant(b, -0.5)), nodes: "parameter rsqrt" },
  { law: "x ^ n = x * .. * x", build: (b) => o.power(b, x(b), constant(b, -1)), nodes: "parameter constant divide" },
  { law: "max(x, x) = x", build: (b) => o.maximum(b, x(b), x(b)), nodes: "parameter" },
  {
    law: "floor(floor(x)) = floor(x)",
    build: (b) => unary(b, "floor", unary(b, "floor", x(b))),
    nodes: "parameter floor",
  },
  { law: "i mod 1 = 0", build: (b) => o.remainder(b, index(b), constant(b, 1, [4], "i32")), nodes: "constant" },
];

const logic: readonly Case[] = [
  { law: "x and true = x", build: (b) => o.and(b, condition(b), constant(b, 1, [4], "bool")), nodes: "parameter" },
  { law: "x and false = false", build: (b) => o.and(b, condition(b), constant(b, 0, [4], "bool")), nodes: "constant" },
  { law: "x or true = true", build: (b) => o.or(b, condition(b), constant(b, 1, [4], "bool")), nodes: "constant" },
  { law: "x or false = x", build: (b) => o.or(b, condition(b), constant(b, 0, [4], "bool")), nodes: "parameter" },
  { law: "x and x = x", build: (b) => o.and(b, condition(b), condition(b)), nodes: "parameter" },
  { law: "not not x = x", build: (b) => unary(b, "not", unary(b, "not", condition(b))), nodes: "parameter" },
  { law: "i = i", build: (b) => o.equal(b, index(b), index(b)), nodes: "constant" },
  { law: "not x < x", build: (b) => o.less(b, x(b), x(b)), nodes: "constant" },
  {
    law: "an index is below its axis' size",
    build: (b) => [
      o.less(b, iota(b, [4], 0), constant(b, 4, [4], "i32")),
      o.less(b, constant(b, 5, [4], "i32"), iota(b, [4], 0)),
    ],
    nodes: "constant constant",
  },
  {
    law: "an index is at most its axis' last",
    build: (b) => o.lessEqual(b, constant(b, 0, [4], "i32"), iota(b, [4], 0)),
    nodes: "constant",
  },
  {
    law: "true ? x : y = x",
    build: (b) =>
      add(b, select(b, constant(b, 1, [4], "bool"), x(b), y(b)), select(b, constant(b, 0, [4], "bool"), x(b), w(b))),
    nodes: "parameter parameter add",
  },
  { law: "c ? x : x = x", build: (b) => select(b, condition(b), x(b), x(b)), nodes: "parameter" },
  {
    law: "not c ? x : y = c ? y : x",
    build: (b) => select(b, unary(b, "not", condition(b)), x(b), y(b)),
    nodes: "parameter parameter parameter select",
  },
  {
    law: "c ? true : false = c",
    build: (b) => {
      const [yes, no] = [constant(b, 1, [4], "bool"), constant(b, 0, [4], "bool")];
      return [select(b, condition(b), yes, no), select(b, other(b), no, yes)];
    },
    nodes: "parameter parameter not",
  },
  {
    law: "c ? (c ? x : y) : z = c ? x : z",
    build: (b) => select(b, condition(b), select(b, condition(b), x(b), y(b)), w(b)),
    nodes: "parameter parameter parameter select",
  },
  {
    law: "c ? x : (c ? y : z) = c ? x : z",
    build: (b) => select(b, condition(b), x(b), select(b, condition(b), y(b), w(b))),
    nodes: "parameter parameter parameter select",
  },
  { law: "x as its own type = x", build: (b) => b.add("cast", [x(b)], { dtype: "f32" }), nodes: "parameter" },
  {
    law: "(x as wider) as t = x as t",
    build: (b) => o.cast(b, o.cast(b, condition(b), "i32"), "f32"),
    nodes: "parameter cast",
  },
  { law: "a table of equal values is a constant", build: (b) => table(b, [3], [2, 2, 2]), nodes: "constant" },
  {
    law: "a mask that hides nothing is no mask",
    build: (b) => attention(b, constant(b, 1, [2, 3, 5], "bool")),
    nodes: "parameter parameter parameter attention",
  },
  {
    law: "a mask that hides nothing is no mask",
    build: (b) => {
      const mask = constant(b, 1, [2, 3, 5], "bool");
      const results = attention(b, mask);
      const operands = [x(b, [2, 3, 4]), y(b, [2, 5, 4]), w(b, [2, 5, 4]), mask, ...results, x(b, [2, 3, 4])];
      return b.addAll("attention_backward", operands, { scale: 0.5, masked: true });
    },
    nodes: "parameter parameter parameter attention attention_backward",
  },
  {
    law: "a mask equal for all heads has one head",
    build: (b) => attention(b, broadcast(b, condition(b, [5]), [2, 3, 5], [2])),
    nodes: "parameter parameter parameter parameter broadcast attention",
  },
  {
    law: "every row of a constant is the constant",
    build: (b) => o.gather(b, constant(b, 2, [5, 3]), index(b)),
    nodes: "constant",
  },
  {
    law: "sums of zeros are zero",
    build: (b) => o.scatterAdd(b, constant(b, 0, [4, 2]), index(b), 5),
    nodes: "constant",
  },
  { law: "a constant has no gradient to stop", build: (b) => o.stopGradient(b, constant(b, 2)), nodes: "constant" },
];

const movement: readonly Case[] = [
  { law: "reshape to its own shape = x", build: (b) => reshape(b, x(b), [4]), nodes: "parameter" },
  { law: "reshape(constant) = constant", build: (b) => reshape(b, constant(b, 2), [2, 2]), nodes: "constant" },
  { law: "reshape(table) = table", build: (b) => reshape(b, table(b, [4], [1, 2, 3, 4]), [2, 2]), nodes: "table" },
  {
    law: "reshape(reshape(x)) = reshape(x)",
    build: (b) => reshape(b, reshape(b, x(b, [2, 6]), [3, 4]), [12]),
    nodes: "parameter reshape",
  },
  {
    law: "reshape(broadcast(number)) = broadcast(number)",
    build: (b) => reshape(b, broadcast(b, x(b, []), [2, 6], []), [3, 4]),
    nodes: "parameter broadcast",
  },
  {
    law: "a broadcast with unit axes added or dropped is a broadcast",
    build: (b) => reshape(b, broadcast(b, x(b), [3, 4], [1]), [3, 1, 4]),
    nodes: "parameter broadcast",
  },
  { law: "moving only unit axes is a reshape", build: (b) => transpose(b, x(b, [2, 3]), [0, 1]), nodes: "parameter" },
  {
    law: "transpose(constant) = constant",
    build: (b) => transpose(b, constant(b, 2, [2, 3]), [1, 0]),
    nodes: "constant",
  },
  {
    law: "transpose(table) = table",
    build: (b) => transpose(b, table(b, [2, 3], [1, 2, 3, 4, 5, 6]), [1, 0]),
    nodes: "table",
  },
  {
    law: "transpose(transpose(x)) = transpose(x)",
    build: (b) => transpose(b, transpose(b, x(b, [2, 3, 4]), [1, 2, 0]), [1, 2, 0]),
    nodes: "parameter transpose",
  },
  {
    law: "moving only unit axes is a reshape",
    build: (b) => transpose(b, x(b, [1, 2, 3]), [1, 0, 2]),
    nodes: "parameter reshape",
  },
  {
    law: "transpose(broadcast(x)) = broadcast(transpose(x))",
    build: (b) => transpose(b, broadcast(b, x(b, [2, 4]), [2, 3, 4], [0, 2]), [2, 1, 0]),
    nodes: "parameter transpose broadcast",
  },
  {
    law: "transpose(x . y) = x . y with other labels",
    build: (b) => transpose(b, matrixProduct(b, x(b, [2, 3]), y(b, [3, 4])), [1, 0]),
    nodes: "parameter parameter contraction",
  },
  { law: "broadcast along unit axes = reshape(x)", build: (b) => broadcast(b, x(b), [4], [0]), nodes: "parameter" },
  { law: "broadcast(constant) = constant", build: (b) => broadcast(b, constant(b, 2), [3, 4], [1]), nodes: "constant" },
  {
    law: "broadcast along unit axes = reshape(x)",
    build: (b) => broadcast(b, x(b), [1, 4], [1]),
    nodes: "parameter reshape",
  },
  {
    law: "broadcast(broadcast(x)) = broadcast(x)",
    build: (b) => broadcast(b, broadcast(b, x(b), [3, 4], [1]), [3, 4, 2], [0, 1]),
    nodes: "parameter broadcast",
  },
  {
    law: "what is broadcast has no unit axes",
    build: (b) => broadcast(b, reshape(b, x(b), [4, 1]), [4, 1, 3], [0, 1]),
    nodes: "parameter broadcast",
  },
  { law: "pad by nothing = x", build: (b) => pad(b, x(b), [0], [0]), nodes: "parameter" },
  { law: "pad(0) = 0", build: (b) => pad(b, constant(b, 0), [1], [2]), nodes: "constant" },
  { law: "pad(pad(x)) = pad(x)", build: (b) => pad(b, pad(b, x(b), [1], [0]), [2], [3]), nodes: "parameter pad" },
  { law: "concat(x) = x", build: (b) => concat(b, [x(b)]), nodes: "parameter" },
  {
    law: "concat(x, nothing) = x",
    build: (b) => concat(b, [x(b), y(b, [0]), w(b)]),
    nodes: "parameter parameter concat",
  },
  {
    law: "concat(concat(x, y), z) = concat(x, y, z)",
    build: (b) => concat(b, [concat(b, [x(b), y(b)]), w(b)]),
    nodes: "parameter parameter parameter concat",
  },
  {
    law: "concat(c, c) = c",
    build: (b) => concat(b, [x(b), constant(b, 0, [2]), constant(b, 0, [3])]),
    nodes: "parameter constant concat",
  },
  {
    law: "concat(x[a:b], x[b:c]) = x[a:c]",
    build: (b) => {
      const source = x(b, [9]);
      return concat(b, [slice(b, source, [1], [3]), slice(b, source, [3], [4]), slice(b, source, [4], [8])]);
    },
    nodes: "parameter slice",
  },
];

const slices: readonly Case[] = [
  { law: "x[:] = x", build: (b) => slice(b, x(b), [0], [4]), nodes: "parameter" },
  { law: "constant[a:b] = constant", build: (b) => slice(b, constant(b, 2), [1], [3]), nodes: "constant" },
  {
    law: "table[a:b] = table",
    build: (b) => slice(b, table(b, [2, 3], [1, 2, 3, 4, 5, 6]), [0, 1], [2, 3]),
    nodes: "table",
  },
  {
    law: "a limit is one past the last element",
    build: (b) => [slice(b, x(b), [0], [4], [2]), slice(b, x(b), [0], [3], [2])],
    nodes: "parameter slice",
  },
  {
    law: "x[a:b][c:d] = x[a+c:a+d]",
    build: (b) => slice(b, slice(b, x(b, [20]), [3], [18], [2]), [1], [7], [3]),
    nodes: "parameter slice",
  },
  {
    law: "broadcast(x)[a:b] = broadcast(x[a:b])",
    build: (b) => slice(b, broadcast(b, x(b), [6, 4], [1]), [2, 1], [5, 3]),
    nodes: "parameter slice broadcast",
  },
  {
    law: "a slice of a reshape that adds unit axes",
    build: (b) => slice(b, reshape(b, slice(b, x(b, [3, 8]), [1, 0], [2, 8]), [8]), [2], [6]),
    nodes: "parameter slice reshape",
  },
  {
    law: "pad(x)[a:b] = pad(x[c:d])",
    build: (b) => [slice(b, pad(b, x(b), [2], [3]), [1], [4]), slice(b, pad(b, x(b), [2], [3]), [7], [9])],
    nodes: "parameter slice pad constant",
  },
  {
    law: "concat(x, y)[a:b] = x[a:b]",
    build: (b) => slice(b, concat(b, [x(b), y(b)]), [5], [7]),
    nodes: "parameter slice",
  },
  {
    law: "concat(x, y)[a:b] = x[a:b]",
    build: (b) => slice(b, concat(b, [x(b, [2]), y(b, [3]), w(b, [4])]), [2], [9]),
    nodes: "parameter parameter concat",
  },
];

const reductions: readonly Case[] = [
  { law: "sum over no axes = x", build: (b) => sum(b, x(b), []), nodes: "parameter" },
  { law: "sum over unit axes = reshape(x)", build: (b) => sum(b, x(b, [3, 1]), [1]), nodes: "parameter reshape" },
  {
    law: "sum(constant) = constant * count",
    build: (b) => sum(b, constant(b, 2, [3, 4]), [1]),
    nodes: "constant",
  },
  {
    law: "max(constant) = constant",
    build: (b) => o.reduceMax(b, constant(b, 2, [3, 4]), [1]),
    nodes: "constant",
  },
  {
    law: "sum(sum(x)) = sum(x)",
    build: (b) => sum(b, sum(b, x(b, [2, 3, 4]), [1]), [1]),
    nodes: "parameter reduce_sum",
  },
  {
    law: "sum over repeats = x * count",
    build: (b) => sum(b, broadcast(b, x(b), [3, 4, 2], [1]), [0]),
    nodes: "parameter constant multiply broadcast",
  },
  {
    law: "sum over repeats = x * count",
    build: (b) => o.reduceMax(b, broadcast(b, x(b), [3, 4], [1]), [0, 1]),
    nodes: "parameter reduce_max",
  },
  {
    law: "sum(transpose(x)) = transpose(sum(x))",
    build: (b) => sum(b, transpose(b, x(b, [2, 3, 4]), [2, 0, 1]), [0]),
    nodes: "parameter reduce_sum",
  },
  {
    law: "unit axes do not matter to a sum",
    build: (b) => reshape(b, sum(b, reshape(b, x(b, [2, 3, 4]), [2, 1, 3, 4]), [2]), [2, 4]),
    nodes: "parameter reduce_sum",
  },
  {
    law: "sum(-x) = -sum(x)",
    build: (b) => sum(b, unary(b, "negate", x(b)), [0]),
    nodes: "parameter reduce_sum negate",
  },
  {
    law: "sum(x * c) = sum(x) * c",
    build: (b) => sum(b, multiply(b, x(b), constant(b, 3)), [0]),
    nodes: "parameter reduce_sum constant multiply",
  },
  {
    law: "sum(x . y) = x . y with fewer labels",
    build: (b) =>
      sum(
        b,
        b.add("contraction", [x(b, [2, 3, 4]), y(b, [2, 4, 5])], { lhs: [0, 1, 2], rhs: [0, 2, 3], out: [0, 1, 3] }),
        [0],
      ),
    nodes: "parameter parameter contraction",
  },
  {
    law: "sum(x . y) = x . y with fewer labels",
    build: (b) => sum(b, matrixProduct(b, x(b, [2, 3]), y(b, [3, 4])), [0]),
    nodes: "parameter parameter reduce_sum contraction",
  },
];

const identity = (b: GraphBuilder): ValueId => o.cast(b, o.equal(b, iota(b, [3, 3], 0), iota(b, [3, 3], 1)), "f32");

const contractions: readonly Case[] = [
  {
    law: "broadcast(x) . y = broadcast(x . y)",
    build: (b) => matrixProduct(b, x(b, [2, 3]), constant(b, 0, [3, 4])),
    nodes: "constant",
  },
  {
    law: "transpose(x) . y = x . y with other labels",
    build: (b) => matrixProduct(b, transpose(b, x(b, [3, 2]), [1, 0]), y(b, [3, 4])),
    nodes: "parameter parameter contraction",
  },
  {
    law: "unit axes are not contracted",
    build: (b) => reshape(b, matrixProduct(b, reshape(b, x(b, [3]), [1, 3]), y(b, [3, 4])), [4]),
    nodes: "parameter parameter contraction",
  },
  {
    law: "broadcast(x) . y = broadcast(x . y)",
    build: (b) => matrixProduct(b, broadcast(b, x(b, [3]), [2, 3], [1]), y(b, [3, 4])),
    nodes: "parameter parameter contraction broadcast",
  },
  {
    law: "broadcast(x) . y = broadcast(x . y)",
    build: (b) => matrixProduct(b, x(b, [2, 3]), broadcast(b, y(b, [4]), [3, 4], [1])),
    nodes: "parameter parameter reduce_sum contraction",
  },
  {
    law: "broadcast(x) . y = broadcast(x . y)",
    build: (b) => matrixProduct(b, x(b, [2, 3]), constant(b, 2, [3, 4])),
    nodes: "parameter reduce_sum constant multiply broadcast",
  },
  { law: "x . I = x", build: (b) => matrixProduct(b, x(b, [2, 3]), identity(b)), nodes: "parameter" },
  { law: "x . I = x", build: (b) => matrixProduct(b, identity(b), x(b, [3, 4])), nodes: "parameter" },
  {
    law: "a product that only scales is elementwise",
    build: (b) => b.add("contraction", [x(b, [2, 3]), y(b, [3])], { lhs: [0, 1], rhs: [1], out: [1, 0] }),
    nodes: "parameter parameter transpose broadcast multiply",
  },
  {
    law: "(x * c) . y = (x . y) * c, when that is smaller",
    build: (b) => matrixProduct(b, multiply(b, x(b, [5, 8]), constant(b, 3, [5, 8])), y(b, [8, 2])),
    nodes: "parameter parameter contraction constant multiply",
  },
  {
    law: "(x . y) * c = (x * c) . y, when x is a smaller product",
    build: (b) => {
      const down = matrixProduct(b, x(b, [5, 8]), y(b, [8, 2]));
      return multiply(b, matrixProduct(b, down, w(b, [2, 8])), constant(b, 3, [5, 8]));
    },
    nodes: "parameter parameter contraction parameter constant multiply contraction",
  },
  {
    law: "labels are numbered as they appear",
    build: (b) => {
      const again = { lhs: [7, 3], rhs: [3, 5], out: [7, 5] };
      const [left, right] = [x(b, [2, 3]), y(b, [3, 4])];
      return [matrixProduct(b, left, right), b.add("contraction", [left, right], again)];
    },
    nodes: "parameter parameter contraction",
  },
];

export const cases: readonly Case[] = [...arithmetic, ...logic, ...movement, ...slices, ...reductions, ...contractions];
