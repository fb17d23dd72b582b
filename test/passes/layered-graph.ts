import { GraphBuilder } from "../../src/graph/builder.js";
import type { Graph } from "../../src/graph/graph.js";
import type { ValueId } from "../../src/graph/node.js";
import * as o from "../../src/primitives/operations.js";

const width = 8;
const rank = 2;

/**
 * A residual network of `layers` linear layers, each with a low-rank side path cut from a grid of tokens that is handed in per
 * instance ([layers, 2, rank, width]): what the compiler sees of a generated operator, in small. Output `output` is a loss, f32 [].
 */
export function layeredGraph(layers: number): Graph {
  const b = new GraphBuilder();
  const tokens = b.add("input", [], {
    name: "tokens",
    dtype: "f32",
    shape: [layers, 2, rank, width],
    perInstance: true,
  });
  let x = b.add("input", [], { name: "x", dtype: "f32", shape: [4, width], perInstance: true });
  for (let layer = 0; layer < layers; layer++) {
    const own = o.sliceAxis(b, tokens, 0, layer, layer + 1);
    const part = (index: number): ValueId => o.reshape(b, o.sliceAxis(b, own, 1, index, index + 1), [rank, width]);
    const weight = b.add("parameter", [], { path: `layers.${layer}.weight`, dtype: "f32", shape: [width, width] });
    const bias = b.add("parameter", [], { path: `layers.${layer}.bias`, dtype: "f32", shape: [width] });
    const base = o.add(b, o.matmul(b, x, o.transpose(b, weight, [1, 0])), bias);
    const down = o.matmul(b, x, o.transpose(b, part(0), [1, 0]));
    const changed = o.add(b, base, o.scale(b, o.matmul(b, down, part(1)), 0.5));
    const square = o.reduceMean(b, o.multiply(b, changed, changed), [1]);
    const norm = o.broadcast(b, o.add(b, square, o.constant(b, 1e-6)), [4, width], [0]);
    x = o.add(b, x, o.tanh(b, o.multiply(b, changed, b.add("rsqrt", [norm], {}))));
  }
  b.output("output", o.reduceMean(b, o.multiply(b, x, x), [0, 1]));
  return b.finish();
}
