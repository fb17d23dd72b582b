/** Attention and its backward pass. */
import type { GraphBuilder } from "../graph/builder.js";
import { isFloat } from "../graph/dtype.js";
import type { ValueId } from "../graph/node.js";
import { formatShape, sameShape, type TensorType } from "../graph/shape.js";
import { attend, attendBackward, attentionExtents } from "./attention-loops.js";
import { requireInputs, requireOneDtype } from "./checks.js";
import * as operations from "./operations.js";
import { type GradientContext, type Primitive, ShapeError } from "./primitive.js";

interface AttentionInputs {
  readonly q: TensorType;
  readonly k: TensorType;
  readonly v: TensorType;
  readonly mask?: TensorType;
}

function requireAttention(name: string, inputs: readonly TensorType[], masked: boolean): AttentionInputs {
  const [q, k, v] = [inputs[0]!, inputs[1]!, inputs[2]!];
  requireOneDtype(name, [q, k, v]);
  const shapes = [q.shape, k.shape, v.shape];
  const fail = (reason: string) =>
    new ShapeError(`${name} of ${shapes.map(formatShape).join(", ")}: ${reason}`, shapes);
  if (!isFloat(q.dtype)) throw fail(`it takes floats, not ${q.dtype}`);
  if (shapes.some((shape) => shape.length < 3 || shape.length !== q.shape.length)) {
    throw fail("operands are [..., heads, positions, width]");
  }
  const lead = q.shape.slice(0, -3);
  if (shapes.some((shape) => !sameShape(shape.slice(0, -3), lead))) throw fail("leading axes differ");
  if (q.shape.at(-1) !== k.shape.at(-1)) throw fail("queries and keys differ in width");
  if (k.shape.at(-2) !== v.shape.at(-2) || k.shape.at(-3) !== v.shape.at(-3)) {
    throw fail("keys and values differ in number or heads");
  }
  const [heads, keyHeads] = [q.shape.at(-3)!, k.shape.at(-3)!];
  if (keyHeads === 0 || heads % keyHeads !== 0) throw fail(`${keyHeads} key heads do not divide ${heads} query heads`);
  if (!masked) return { q, k, v };
  const mask = inputs[3]!;
  const whole = [...lead, heads, q.shape.at(-2)!, k.shape.at(-2)!];
  const shared = whole.map((size, axis) => (axis === lead.length ? 1 : size));
  if (mask.dtype !== "bool" || !(sameShape(mask.shape, whole) || sameShape(mask.shape, shared))) {
    throw fail(
      `the mask is bool ${formatShape(whole)} or ${formatShape(shared)}, not ${mask.dtype}${formatShape(mask.shape)}`,
    );
  }
  return { q, k, v, mask };
}

/** All operands get the instance axis: those that all instances share are repeated (as a view, once fused). */
const batchAll = (
  builder: GraphBuilder,
  inputs: readonly ValueId[],
  batched: readonly boolean[],
  size: number,
): ValueId[] =>
  inputs.map((input, place) => (batched[place] ? input : operations.broadcastLeading(builder, input, size)));

/** Cotangents of q and k from that of the log-sum: its derivative by a score is the probability exp(score - log-sum). */
function logSumGradient({ builder, node }: GradientContext<"attention">, cotangent: ValueId): [ValueId, ValueId] {
  const { scale, masked } = node.attributes;
  const [q, k] = [node.inputs[0]!, node.inputs[1]!];
  const { dtype, shape } = builder.type(q);
  const keyShape = builder.shape(k);
  const lead = shape.slice(0, -3);
  const [heads, queries, width] = shape.slice(-3) as [number, number, number];
  const [keyHeads, keys] = keyShape.slice(-3) as [number, number, number];
  const grouped = [...lead, keyHeads, heads / keyHeads, queries];
  const groupedQ = operations.reshape(builder, q, [...grouped, width]);
  const leads = [...lead.keys()];
  const [keyHead, member, query, channel, key] = [0, 1, 2, 3, 4].map((label) => lead.length + label) as [
    number,
    number,
    number,
    number,
    number,
  ];
  const queryLabels = [...leads, keyHead, member, query, channel];
  const keyLabels = [...leads, keyHead, key, channel];
  const scoreLabels = [...leads, keyHead, member, query, key];
  const score = operations.contraction(builder, groupedQ, k, queryLabels, keyLabels, scoreLabels);
  const perKey = (value: ValueId) =>
    operations.broadcastTo(
      builder,
      operations.reshape(builder, operations.cast(builder, value, dtype), [...grouped, 1]),
      [...grouped, keys],
    );
  const shifted = operations.subtract(builder, operations.scale(builder, score, scale), perKey(node.outputs[1]!));
  let probability = operations.exp(builder, shifted);
  if (masked) {
    const mask = operations.broadcastTo(builder, node.inputs[3]!, [...lead, heads, queries, keys]);
    const allowed = operations.reshape(builder, mask, [...grouped, keys]);
    probability = operations.select(builder, allowed, probability, operations.zerosLike(builder, probability));
  }
  const scoreCotangent = operations.scale(builder, operations.multiply(builder, probability, perKey(cotangent)), scale);
  const dq = operations.contraction(builder, scoreCotangent, k, scoreLabels, keyLabels, queryLabels);
  const dk = operations.contraction(builder, scoreCotangent, groupedQ, scoreLabels, queryLabels, keyLabels);
  return [operations.reshape(builder, dq, shape), dk];
}

const attention: Primitive<"attention"> = {
  name: "attention",
  shape(inputs, { masked }) {
    requireInputs("attention", inputs, masked ? 4 : 3);
    const { q, v } = requireAttention("attention", inputs, masked);
    const rows = q.shape.slice(0, -1);
    return [
      { dtype: q.dtype, shape: [...rows, v.shape.at(-1)!] },
      { dtype: q.dtype === "f64" ? "f64" : "f32", shape: rows },
    ];
  },
  batch: (builder, attributes, inputs, batched, size) =>
    builder.addAll("attention", batchAll(builder, inputs, batched, size), attributes),
  gradient(context, [output, logSum]) {
    const { builder, node } = context;
    const total: (ValueId | undefined)[] = node.inputs.map(() => undefined);
    const accumulate = (contributions: readonly ValueId[]) => {
      contributions.forEach((value, place) => {
        const sum = total[place];
        total[place] = sum === undefined ? value : operations.add(builder, sum, value);
      });
    };
    if (output !== undefined) {
      accumulate(builder.addAll("attention_backward", [...node.inputs, ...node.outputs, output], node.attributes));
    }
    if (logSum !== undefined) accumulate(logSumGradient(context, logSum));
    return total;
  },
  evaluate([q, k, v, mask], { scale }) {
    const extents = attentionExtents(q!.type, k!.type, v!.type, mask?.type);
    return attend(extents, scale, [q!.data, k!.data, v!.data], mask);
  },
};

const attentionBackward: Primitive<"attention_backward"> = {
  name: "attention_backward",
  shape(inputs, { masked }) {
    requireInputs("attention_backward", inputs, masked ? 7 : 6);
    const { q, k, v } = requireAttention("attention_backward", inputs, masked);
    const rows = q.shape.slice(0, -1);
    const [output, logSum, cotangent] = [inputs.at(-3)!, inputs.at(-2)!, inputs.at(-1)!];
    const outputShape = [...rows, v.shape.at(-1)!];
    if (
      !sameShape(output.shape, outputShape) ||
      !sameShape(cotangent.shape, outputShape) ||
      !sameShape(logSum.shape, rows)
    ) {
      throw new ShapeError(
        `attention_backward: output ${formatShape(output.shape)}, log-sum ${formatShape(logSum.shape)} and cotangent ${formatShape(cotangent.shape)} are not those of q ${formatShape(q.shape)} and v ${formatShape(v.shape)}`,
        [output.shape, logSum.shape, cotangent.shape],
      );
    }
    return [q, k, v];
  },
  batch: (builder, attributes, inputs, batched, size) =>
    builder.addAll("attention_backward", batchAll(builder, inputs, batched, size), attributes),
  gradient() {
    throw new Error("attention_backward has no gradient: gradients are first order");
  },
  evaluate(inputs, { scale, masked }) {
    const [q, k, v] = [inputs[0]!, inputs[1]!, inputs[2]!];
    const mask = masked ? inputs[3]! : undefined;
    const [output, logSum, cotangent] = [inputs.at(-3)!, inputs.at(-2)!, inputs.at(-1)!];
    const extents = attentionExtents(q.type, k.type, v.type, mask?.type);
    const operands = [q.data, k.data, v.data] as const;
    return attendBackward(extents, scale, operands, mask, output.data, logSum.data, cotangent.data);
  },
};

export const attentions = { attention, attention_backward: attentionBackward };
