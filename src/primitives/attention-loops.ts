/** Float64 loops of attention and of its backward pass, one query row at a time. */
import { elementCount, type TensorType } from "../graph/shape.js";
import type { ReferenceTensor } from "./primitive.js";

/** Extents of one attention: `lead` counts all leading axes together; `group` query heads share a key head. */
export interface AttentionExtents {
  readonly lead: number;
  readonly heads: number;
  readonly group: number;
  readonly queries: number;
  readonly keys: number;
  /** Width of q and k. */
  readonly width: number;
  /** Width of v and the output. */
  readonly valueWidth: number;
  /** Heads of the mask: `heads` or 1. */
  readonly maskHeads: number;
}

export function attentionExtents(q: TensorType, k: TensorType, v: TensorType, mask?: TensorType): AttentionExtents {
  return {
    lead: elementCount(q.shape.slice(0, -3)),
    heads: q.shape.at(-3)!,
    group: q.shape.at(-3)! / k.shape.at(-3)!,
    queries: q.shape.at(-2)!,
    keys: k.shape.at(-2)!,
    width: q.shape.at(-1)!,
    valueWidth: v.shape.at(-1)!,
    maskHeads: mask?.shape.at(-3) ?? 1,
  };
}

interface Row {
  /** Number of the query row: where its log-sum stands. */
  readonly row: number;
  /** Where the row of q, of the output, and the key head's rows of k and v start. */
  readonly q: number;
  readonly o: number;
  readonly k: number;
  readonly v: number;
  /** Where the mask's row starts. */
  readonly mask: number;
}

function forEachQuery(extents: AttentionExtents, visit: (row: Row) => void): void {
  const { lead, heads, group, queries, keys, width, valueWidth, maskHeads } = extents;
  for (let outer = 0; outer < lead; outer++) {
    for (let head = 0; head < heads; head++) {
      const keyHead = outer * (heads / group) + Math.floor(head / group);
      const maskHead = outer * maskHeads + (maskHeads === 1 ? 0 : head);
      for (let query = 0; query < queries; query++) {
        const row = (outer * heads + head) * queries + query;
        visit({
          row,
          q: row * width,
          o: row * valueWidth,
          k: keyHead * keys * width,
          v: keyHead * keys * valueWidth,
          mask: (maskHead * queries + query) * keys,
        });
      }
    }
  }
}

const dot = (x: Float64Array, from: number, y: Float64Array, other: number, length: number): number => {
  let sum = 0;
  for (let index = 0; index < length; index++) sum += x[from + index]! * y[other + index]!;
  return sum;
};

/** to[at...] += factor * from[start...] */
const accumulate = (
  to: Float64Array,
  at: number,
  factor: number,
  from: Float64Array,
  start: number,
  length: number,
) => {
  for (let index = 0; index < length; index++) to[at + index]! += factor * from[start + index]!;
};

/** Softmax over the keys a query may attend, shifted by the row's maximum. A row that may attend nowhere gives zeros and log-sum 0. */
export function attend(
  extents: AttentionExtents,
  scale: number,
  [q, k, v]: readonly [Float64Array, Float64Array, Float64Array],
  mask: ReferenceTensor | undefined,
): [output: Float64Array, logSum: Float64Array] {
  const { lead, heads, queries, keys, width, valueWidth } = extents;
  const output = new Float64Array(lead * heads * queries * valueWidth);
  const logSum = new Float64Array(lead * heads * queries);
  const scores = new Float64Array(keys);
  forEachQuery(extents, (at) => {
    let largest = Number.NEGATIVE_INFINITY;
    for (let key = 0; key < keys; key++) {
      const allowed = mask === undefined || mask.data[at.mask + key] !== 0;
      scores[key] = allowed ? scale * dot(q, at.q, k, at.k + key * width, width) : Number.NEGATIVE_INFINITY;
      largest = Math.max(largest, scores[key]!);
    }
    if (largest === Number.NEGATIVE_INFINITY) return;
    let sum = 0;
    for (let key = 0; key < keys; key++) {
      scores[key] = Math.exp(scores[key]! - largest);
      sum += scores[key]!;
    }
    for (let key = 0; key < keys; key++) {
      accumulate(output, at.o, scores[key]! / sum, v, at.v + key * valueWidth, valueWidth);
    }
    logSum[at.row] = largest + Math.log(sum);
  });
  return [output, logSum];
}

/**
 * Cotangents of q, k and v (FlashAttention-2, Dao 2023, section 2.2): with P = exp(scale q k^T - log-sum) and D = row sum of
 * output * cotangent, dV = P^T cotangent, dS = P (cotangent v^T - D), dQ = scale dS k, dK = scale dS^T q.
 */
export function attendBackward(
  extents: AttentionExtents,
  scale: number,
  [q, k, v]: readonly [Float64Array, Float64Array, Float64Array],
  mask: ReferenceTensor | undefined,
  output: Float64Array,
  logSum: Float64Array,
  cotangent: Float64Array,
): [dq: Float64Array, dk: Float64Array, dv: Float64Array] {
  const { keys, width, valueWidth } = extents;
  const dq = new Float64Array(q.length);
  const dk = new Float64Array(k.length);
  const dv = new Float64Array(v.length);
  forEachQuery(extents, (at) => {
    const delta = dot(output, at.o, cotangent, at.o, valueWidth);
    for (let key = 0; key < keys; key++) {
      if (mask !== undefined && mask.data[at.mask + key] === 0) continue;
      const keyRow = at.k + key * width;
      const valueRow = at.v + key * valueWidth;
      const probability = Math.exp(scale * dot(q, at.q, k, keyRow, width) - logSum[at.row]!);
      const score = probability * (dot(cotangent, at.o, v, valueRow, valueWidth) - delta) * scale;
      accumulate(dv, valueRow, probability, cotangent, at.o, valueWidth);
      accumulate(dq, at.q, score, k, keyRow, width);
      accumulate(dk, keyRow, score, q, at.q, width);
    }
  });
  return [dq, dk, dv];
}
