/** A decoder block with a mixture of experts, whose maps are changed by operators of each instance; and the same with every expert run on every row. */
import type { BuiltModel } from "../../src/build/build.js";
import { build } from "../build/support.js";

const text = `import { Attention, Linear, MLP, RMSNorm } from "std/layers"
import { LoRA } from "std/interfaces"
import { RankAnchored } from "std/layouts"

module Mixture(dim: int, hidden: int, count: int, chosen: int) {
  router  = Linear(dim, count, use_bias: false)
  experts = [MLP(dim, hidden: hidden)] * count

  shares(x: [n, dim]) -> ([n, chosen], int[n, chosen]) {
    let (scores, index) = top_k(router(x), chosen)
    (softmax(scores), index)
  }

  forward(x: [n, dim]) -> [n, dim] {
    let (weights, index) = shares(x)
    sum(experts[index](repeat(x, "n d -> n k d", k: chosen)) * weights[:, :, none], axis: 1)
  }

  /// Every expert runs on every row, and all but the chosen are weighed by 0.
  dense(x: [n, dim]) -> [n, dim] {
    let (weights, index) = shares(x)
    let shares = sum(one_hot(index, count) * weights[:, :, none], axis: 1)
    let total = 0.0 * x
    for (k, expert) in enumerate(experts) { total = total + expert(x) * shares[:, k:k + 1] }
    total
  }
}

module Block(dim: int, hidden: int, count: int, chosen: int) {
  before  = RMSNorm(dim)
  attend  = Attention(dim, heads: 2, use_bias: false)
  between = RMSNorm(dim)
  mixture = Mixture(dim, hidden, count, chosen)

  attended(x: [n, dim]) -> [n, dim] {
    let rows = arange(n)
    x + attend(before(x), allowed: rows[:, none] >= rows[none, :])
  }
  forward(x: [n, dim]) -> [n, dim] {
    let y = attended(x)
    y + mixture(between(y))
  }
  dense(x: [n, dim]) -> [n, dim] {
    let y = attended(x)
    y + mixture.dense(between(y))
  }
}

model Decoder(n: int = 5, dim: int = 4, hidden: int = 6, count: int = 3, chosen: int = 2, depth: int = 2, rank: int = 2) {
  layers = [Block(dim, hidden, count, chosen)] * depth
  memory = adapt layers[*].mixture.experts[*].{up, down} with LoRA(rank: rank) as RankAnchored(segment: 2)

  fn sparse(x: [n, dim], t: memory.tokens) -> [n, dim] {
    for layer in layers { x = (layer with memory(t))(x) }
    x
  }
  fn dense(x: [n, dim], t: memory.tokens) -> [n, dim] {
    for layer in layers { x = (layer with memory(t)).dense(x) }
    x
  }
  fn base(x: [n, dim]) -> [n, dim] {
    for layer in layers { x = layer(x) }
    x
  }
  fn loss(x: [n, dim], t: memory.tokens, y: [n, dim]) -> [] { mean((sparse(x, t) - y) ** 2) }
  fn dense_loss(x: [n, dim], t: memory.tokens, y: [n, dim]) -> [] { mean((dense(x, t) - y) ** 2) }

  train all on loss { update: [layers], optimizer: adamw(1e-3), batch: 3, steps: 6, clip: 1.0, data: rows }
  train all_dense on dense_loss { update: [layers], optimizer: adamw(1e-3), batch: 3, steps: 6, clip: 1.0, data: rows }
  train parts on loss {
    update: [layers[0].mixture.experts[1], layers[1].mixture]
    optimizer: sgd(1e-4), batch: 3, accumulate: 2, steps: 6, data: rows
  }
  train parts_dense on dense_loss {
    update: [layers[0].mixture.experts[1], layers[1].mixture]
    optimizer: sgd(1e-4), batch: 3, accumulate: 2, steps: 6, data: rows
  }
}
`;

export const buildDecoder = (settings: Readonly<Record<string, number>> = {}): Promise<BuiltModel> =>
  build(text, { settings });
