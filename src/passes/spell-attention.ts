import type { GraphBuilder } from "../graph/builder.js";
import type { Graph } from "../graph/graph.js";
import type { Node, NodeOf, ValueId } from "../graph/node.js";
import { rewrite } from "../graph/rewrite.js";
import type { Shape } from "../graph/shape.js";
import * as operations from "../primitives/operations.js";

/** Below every score, and finite. */
const lowest = -1e30;

type AttentionNode = NodeOf<"attention"> | NodeOf<"attention_backward">;

/**
 * The graph with attention spelled out as products, exponentials and sums wherever a head is wider than `widest`, the most that a target's
 * own kernels take. Its scores then stand in memory. O(n).
 */
export function spellAttention(graph: Graph, widest: number): Graph {
  const isWide = ({ inputs }: AttentionNode): boolean =>
    [inputs[0]!, inputs[2]!].some((value) => graph.types[value]!.shape.at(-1)! > widest);
  if (!graph.nodes.some((node) => isAttention(node) && isWide(node))) return graph;
  return rewrite(graph, (node, inputs, builder) => {
    if (!isAttention(node) || !isWide(node)) return undefined;
    const { scale, masked } = node.attributes;
    const [q, k, v] = inputs as readonly [ValueId, ValueId, ValueId];
    const heads = { builder, q, k, v, scale, ...(masked ? { mask: inputs[3]! } : {}) };
    return node.primitive === "attention" ? attend(heads) : attendBackward(heads, inputs.slice(masked ? 4 : 3));
  });
}

const isAttention = (node: Node): node is AttentionNode =>
  node.primitive === "attention" || node.primitive === "attention_backward";

interface Heads {
  readonly builder: GraphBuilder;
  /** [..., h, n, d], [..., g, m, d] and [..., g, m, e] */
  readonly q: ValueId;
  readonly k: ValueId;
  readonly v: ValueId;
  readonly mask?: ValueId;
  readonly scale: number;
}

/** Names of axes: heads of keys, queries' heads that share one, queries, keys, width, width of values. Leading axes have numbers. */
const queryAxes = ["g", "r", "n", "d"];
const keyAxes = ["g", "m", "d"];
const valueAxes = ["g", "m", "e"];
const scoreAxes = ["g", "r", "n", "m"];
const outputAxes = ["g", "r", "n", "e"];

/** The weighted values, and the log of the sum of exponentials. */
function attend(heads: Heads): ValueId[] {
  const { builder: b, q, v } = heads;
  const rows = b.shape(q).slice(0, -1);
  const shape = [...rows, b.shape(v).at(-1)!];
  if (keyCount(heads) === 0) return [operations.constant(b, 0, shape), operations.constant(b, 0, rows)];
  const scores = scoresOf(heads);
  const last = b.shape(scores).length - 1;
  const largest = operations.reduceMax(b, scores, [last]);
  const weights = where(heads, operations.exp(b, operations.subtract(b, scores, perKey(heads, largest))), 0);
  const sum = operations.reduceSum(b, weights, [last]);
  const isEmpty = operations.lessEqual(b, sum, operations.constant(b, 0));
  const divisor = operations.select(b, isEmpty, operations.constantLike(b, 1, sum), sum);
  const shares = operations.divide(b, weights, perKey(heads, divisor));
  const logSum = operations.add(b, largest, operations.log(b, divisor));
  const settled = operations.select(b, isEmpty, operations.zerosLike(b, sum), logSum);
  const output = product(heads, shares, v, scoreAxes, valueAxes, outputAxes);
  return [operations.reshape(b, output, shape), operations.reshape(b, settled, rows)];
}

/** Cotangents of q, k and v from the output, the log-sum, and the output's cotangent (FlashAttention-2, Dao 2023, section 2.2). */
function attendBackward(heads: Heads, [output, logSum, cotangent]: readonly ValueId[]): ValueId[] {
  const { builder: b, q, k, v, scale } = heads;
  if (keyCount(heads) === 0) return [q, k, v].map((value) => operations.zerosLike(b, value));
  const given = grouped(heads, cotangent!);
  const shifted = operations.subtract(b, scoresOf(heads), perKey(heads, grouped(heads, logSum!)));
  const shares = where(heads, operations.exp(b, shifted), 0);
  const products = operations.multiply(b, grouped(heads, output!), given);
  const mean = operations.reduceSum(b, products, [b.shape(products).length - 1]);
  const slopes = product(heads, given, v, outputAxes, valueAxes, scoreAxes);
  const centred = operations.multiply(b, shares, operations.subtract(b, slopes, perKey(heads, mean)));
  const ofScores = operations.scale(b, centred, scale);
  const dq = product(heads, ofScores, k, scoreAxes, keyAxes, queryAxes);
  const dk = product(heads, ofScores, grouped(heads, q), scoreAxes, queryAxes, keyAxes);
  const dv = product(heads, shares, given, scoreAxes, outputAxes, valueAxes);
  return [operations.reshape(b, dq, b.shape(q)), dk, dv];
}

const keyCount = ({ builder, k }: Heads): number => builder.shape(k).at(-2)!;
const frontOf = ({ builder, q }: Heads): number => builder.shape(q).length - 3;

/** Scaled scores [..., g, r, n, m]: where a query may not attend, below all others. */
function scoresOf(heads: Heads): ValueId {
  const { builder, q, k, scale } = heads;
  const scores = product(heads, grouped(heads, q), k, queryAxes, keyAxes, scoreAxes);
  return where(heads, operations.scale(builder, scores, scale), lowest);
}

/** [..., h, ...] as [..., g, r, ...] */
function grouped(heads: Heads, value: ValueId): ValueId {
  const { builder, k } = heads;
  const front = frontOf(heads);
  const shape = builder.shape(value);
  const groups = builder.shape(k)[front]!;
  const split: Shape = [...shape.slice(0, front), groups, shape[front]! / groups, ...shape.slice(front + 1)];
  return operations.reshape(builder, value, split);
}

/** Values [..., g, r, n, m] where a query may attend, elsewhere a number. */
function where(heads: Heads, values: ValueId, otherwise: number): ValueId {
  const { builder: b, q, mask } = heads;
  if (mask === undefined) return values;
  const allowed = operations.broadcastTo(b, mask, [...b.shape(q).slice(0, -1), keyCount(heads)]);
  return operations.select(b, grouped(heads, allowed), values, operations.constantLike(b, otherwise, values));
}

/** One number for each query, for all of its keys. */
function perKey(heads: Heads, value: ValueId): ValueId {
  const { builder } = heads;
  const shape = builder.shape(value);
  return operations.broadcastTo(builder, operations.reshape(builder, value, [...shape, 1]), [
    ...shape,
    keyCount(heads),
  ]);
}

function product(
  heads: Heads,
  x: ValueId,
  y: ValueId,
  xAxes: readonly string[],
  yAxes: readonly string[],
  axes: readonly string[],
): ValueId {
  const front = Array.from({ length: frontOf(heads) }, (_, axis) => String(axis));
  return operations.einsum(
    heads.builder,
    [x, y],
    [
      [...front, ...xAxes],
      [...front, ...yAxes],
    ],
    [...front, ...axes],
  );
}
