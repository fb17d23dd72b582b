/** Small networks as graphs, for tests of fusion. */
import { environmentOf } from "../../runtime/reference/environment.js";
import { GraphBuilder } from "../../src/graph/builder.js";
import type { Graph } from "../../src/graph/graph.js";
import type { ValueId } from "../../src/graph/node.js";
import { elementCount, type Shape } from "../../src/graph/shape.js";
import * as operations from "../../src/primitives/operations.js";
import type { ReferenceEnvironment } from "../../src/primitives/primitive.js";

export const input = (b: GraphBuilder, name: string, shape: Shape): ValueId =>
  b.add("input", [], { name, dtype: "f32", shape, perInstance: false });

export const parameter = (b: GraphBuilder, path: string, shape: Shape): ValueId =>
  b.add("parameter", [], { path, dtype: "f32", shape });

/** x W^T + b for x [..., i], W [o, i], b [o]. */
export function linear(b: GraphBuilder, x: ValueId, weight: ValueId, bias?: ValueId): ValueId {
  const shape = b.shape(x);
  const lead = shape.slice(0, -1).map((_, axis) => axis);
  const [reduced, column] = [lead.length, lead.length + 1];
  const product = operations.contraction(b, x, weight, [...lead, reduced], [column, reduced], [...lead, column]);
  return bias === undefined ? product : operations.add(b, product, bias);
}

/** 0.5 x (1 + erf(x / sqrt 2)) */
export function gelu(b: GraphBuilder, x: ValueId): ValueId {
  const one = operations.constantLike(b, 1, x);
  const error = operations.erf(b, operations.scale(b, x, Math.SQRT1_2));
  return operations.multiply(b, operations.scale(b, x, 0.5), operations.add(b, one, error));
}

/** Over the last axis; `gain` and `shift` [d]. */
export function layerNorm(b: GraphBuilder, x: ValueId, gain?: ValueId, shift?: ValueId): ValueId {
  const shape = b.shape(x);
  const last = [shape.length - 1];
  const centred = operations.subtract(b, x, operations.unreduce(b, operations.reduceMean(b, x, last), shape, last));
  const variance = operations.reduceMean(b, operations.multiply(b, centred, centred), last);
  const inverse = operations.rsqrt(b, operations.add(b, variance, operations.constantLike(b, 1e-5, variance)));
  let y = operations.multiply(b, centred, operations.unreduce(b, inverse, shape, last));
  if (gain !== undefined) y = operations.multiply(b, y, gain);
  return shift === undefined ? y : operations.add(b, y, shift);
}

/** Over the last axis. */
export function softmax(b: GraphBuilder, x: ValueId): ValueId {
  const shape = b.shape(x);
  const last = [shape.length - 1];
  const shifted = operations.subtract(b, x, operations.unreduce(b, operations.reduceMax(b, x, last), shape, last));
  const weights = operations.exp(b, shifted);
  return operations.divide(b, weights, operations.unreduce(b, operations.reduceSum(b, weights, last), shape, last));
}

/** A finished graph, built by a function. */
export function graphOf(build: (b: GraphBuilder) => void): Graph {
  const builder = new GraphBuilder();
  build(builder);
  return builder.finish();
}

/** Leaves filled with numbers of a fixed sequence in (-1, 1). */
export function anyValues(graph: Graph): ReferenceEnvironment {
  let state = 12_345;
  const random = () => {
    state = (state * 48_271) % 2_147_483_647;
    return (2 * state) / 2_147_483_647 - 1;
  };
  const values = new Map<string, Float64Array>();
  for (const node of graph.nodes) {
    if (node.primitive !== "input" && node.primitive !== "parameter" && node.primitive !== "range") continue;
    const name = node.primitive === "parameter" ? node.attributes.path : node.attributes.name;
    const { dtype } = node.attributes;
    const positive = name.startsWith("optimizer");
    values.set(
      name,
      Float64Array.from({ length: elementCount(node.attributes.shape) }, () => {
        const value = random();
        if (dtype === "bool") return value > 0 ? 1 : 0;
        if (dtype === "i32") return Math.floor(Math.abs(value) * 4);
        return positive ? Math.abs(value) : value;
      }),
    );
  }
  return environmentOf({ inputs: values, stored: values, scalars: { seed: 7, step: 3, learning_rate: 0.01 } });
}
