import assert from "node:assert/strict";
import type { GraphBuilder } from "../../src/graph/builder.js";
import type { Graph } from "../../src/graph/graph.js";
import { buffersOf } from "../../src/kernels/access.js";
import type { ContractionKernel, KernelList } from "../../src/kernels/record.js";
import { optimizerGraph } from "../../src/optimizers/optimizer.js";
import { batch } from "../../src/passes/batch.js";
import { deduplicate } from "../../src/passes/deduplicate.js";
import { differentiate } from "../../src/passes/differentiate.js";
import { simplify } from "../../src/passes/simplify.js";
import * as operations from "../../src/primitives/operations.js";
import { anyTarget, assertSameResults, withBuffers } from "../kernels/against-interpreter.js";
import { anyValues, gelu, graphOf, input, layerNorm, linear, parameter, softmax } from "./fuse-graphs.js";

/** Fuses, checks the numbers, and names the kernels by archetype. */
function kernelsOf(graph: Graph, target = anyTarget): { list: KernelList; names: string[] } {
  const list = assertSameResults(graph, anyValues(graph), { target });
  return { list, names: list.kernels.map(({ archetype }) => archetype) };
}

const optimised = (graph: Graph): Graph => deduplicate(simplify(graph));

const gradientsOf = (graph: Graph, withRespectTo: readonly string[]): Graph =>
  optimised(differentiate(graph, { outputs: [{ name: "y", cotangent: "dy" }], withRespectTo }));

describe("fusion of forward passes", () => {
  it("makes one kernel of a linear layer, its bias and its activation", () => {
    const graph = graphOf((b) => {
      const x = input(b, "x", [5, 7, 8]);
      b.output("y", gelu(b, linear(b, x, parameter(b, "w", [6, 8]), parameter(b, "b", [6]))));
    });
    const { list, names } = kernelsOf(graph);
    assert.deepEqual(names, ["contraction"]);
    const [kernel] = list.kernels as [ContractionKernel];
    // Instances and positions are one run of rows.
    assert.deepEqual([kernel.batch, kernel.rows, kernel.columns, kernel.products[0]!.reduced], [[], [35], [6], [8]]);
  });

  it("makes one kernel of a layer norm, and one of a softmax", () => {
    const norm = graphOf((b) => {
      const x = input(b, "x", [4, 6, 16]);
      b.output("y", layerNorm(b, x, parameter(b, "gain", [16]), parameter(b, "shift", [16])));
    });
    assert.deepEqual(kernelsOf(norm).names, ["reduction"]);
    const weights = graphOf((b) => b.output("y", softmax(b, input(b, "x", [4, 6, 16]))));
    assert.deepEqual(kernelsOf(weights).names, ["reduction"]);
  });

  it("adds residuals in the epilogue of the product", () => {
    const graph = graphOf((b) => {
      const x = input(b, "x", [4, 8]);
      const y = operations.add(b, x, linear(b, x, parameter(b, "w", [8, 8]), parameter(b, "b", [8])));
      b.output("y", operations.add(b, y, linear(b, gelu(b, y), parameter(b, "v", [8, 8]))));
    });
    assert.deepEqual(kernelsOf(graph).names, ["contraction", "contraction"]);
  });

  it("writes what an epilogue passes on the way too, when it is a result", () => {
    const graph = graphOf((b) => {
      const before = linear(b, input(b, "x", [4, 8]), parameter(b, "w", [8, 8]), parameter(b, "b", [8]));
      b.output("before", before);
      b.output("y", gelu(b, before));
    });
    const { list, names } = kernelsOf(graph);
    assert.deepEqual(names, ["contraction"]);
    assert.equal((list.kernels[0] as ContractionKernel).stores.length, 2);
  });

  it("moves a product down to what its epilogue waits for", () => {
    const graph = graphOf((b) => {
      const x = input(b, "x", [4, 8]);
      const product = linear(b, x, parameter(b, "w", [6, 8]));
      const gate = linear(b, input(b, "c", [8]), parameter(b, "v", [6, 8]));
      b.output("y", operations.multiply(b, product, gate));
    });
    assert.deepEqual(kernelsOf(graph).names, ["contraction", "contraction"]);
  });

  it("runs an adapted linear layer as two kernels: the first factor, then both products into one accumulator", () => {
    const [instances, rows, from, to, rank] = [3, 32, 12, 10, 4];
    const graph = graphOf((b) => {
      const x = input(b, "x", [instances, rows, from]);
      const base = linear(b, x, parameter(b, "w", [to, from]), parameter(b, "b", [to]));
      const first = operations.contraction(
        b,
        x,
        input(b, "A", [instances, rank, from]),
        [0, 1, 2],
        [0, 3, 2],
        [0, 1, 3],
      );
      const second = operations.contraction(
        b,
        first,
        input(b, "B", [instances, to, rank]),
        [0, 1, 3],
        [0, 4, 3],
        [0, 1, 4],
      );
      b.output("y", operations.add(b, base, operations.scale(b, second, 0.5)));
    });
    const { list, names } = kernelsOf(graph);
    assert.deepEqual(names, ["contraction", "contraction"]);
    const kernel = list.kernels[1] as ContractionKernel;
    assert.deepEqual([kernel.batch, kernel.rows, kernel.columns], [[instances], [rows], [to]]);
    assert.deepEqual(kernel.products.map(({ reduced }) => reduced).sort(), [[from], [rank]].sort());
    assert.equal(kernel.stores.length, 1);
  });

  it("keeps a plain product plain when its rows would be cut into pieces that fill no tile", () => {
    const graph = graphOf((b) => {
      const x = input(b, "x", [64, 2, 12]);
      const base = linear(b, x, parameter(b, "w", [10, 12]));
      const first = operations.contraction(b, x, input(b, "A", [64, 4, 12]), [0, 1, 2], [0, 3, 2], [0, 1, 3]);
      const second = operations.contraction(b, first, input(b, "B", [64, 10, 4]), [0, 1, 3], [0, 4, 3], [0, 1, 4]);
      b.output("y", operations.add(b, base, second));
    });
    const { list, names } = kernelsOf(graph);
    assert.equal(names.length, 3);
    assert.ok(list.refusals.some(({ reason }) => reason.includes("straddle")));
    assert.deepEqual((list.kernels[0] as ContractionKernel).rows, [128]);
  });

  it("runs an attention block as six kernels and reads heads as views", () => {
    const [n, dim, heads] = [6, 16, 4];
    const graph = graphOf((b) => {
      const x = input(b, "x", [2, n, dim]);
      const y = layerNorm(b, x, parameter(b, "gain", [dim]));
      const split = (value: number) =>
        operations.transpose(b, operations.reshape(b, value, [2, n, heads, dim / heads]), [0, 2, 1, 3]);
      const [q, k, v] = ["q", "k", "v"].map((name) => split(linear(b, y, parameter(b, name, [dim, dim])))) as [
        number,
        number,
        number,
      ];
      const { output } = operations.attention(b, q, k, v, undefined, 0.5);
      const joined = operations.reshape(b, operations.transpose(b, output, [0, 2, 1, 3]), [2, n, dim]);
      b.output(
        "y",
        operations.add(b, x, linear(b, joined, parameter(b, "out", [dim, dim]), parameter(b, "bias", [dim]))),
      );
    });
    const { list, names } = kernelsOf(graph);
    assert.deepEqual(names, ["reduction", "contraction", "contraction", "contraction", "attention", "contraction"]);
    // The output stands as the last product reads it: heads side by side.
    assert.deepEqual((list.kernels[5] as ContractionKernel).products[0]!.reduced, [dim]);
  });

  it("computes cheap values again and stores dear ones that several kernels need", () => {
    const uses = (value: (b: GraphBuilder, x: number) => number) =>
      graphOf((b) => {
        const y = value(b, input(b, "x", [64, 64]));
        b.output("rows", operations.reduceSum(b, y, [1]));
        b.output("columns", operations.reduceSum(b, y, [0]));
      });
    const count = (graph: Graph, primitive: string) => {
      const { list, names } = kernelsOf(graph);
      assert.deepEqual(names, ["reduction", "reduction"]);
      return list.kernels.filter(({ label }) => label.includes(primitive)).length;
    };
    assert.equal(
      count(
        uses((b, x) => operations.scale(b, x, 3)),
        "multiply",
      ),
      2,
    );
    assert.equal(
      count(
        uses((b, x) => operations.exp(b, x)),
        "exp",
      ),
      1,
    );
  });

  it("pads without copying: loads are bounded, and what is not zero there is selected away", () => {
    const graph = graphOf((b) => {
      const x = input(b, "x", [5, 6]);
      const weight = parameter(b, "w", [4, 9]);
      b.output("plain", linear(b, operations.pad(b, x, [0, 1], [0, 2]), weight));
      b.output("exp", operations.pad(b, operations.exp(b, operations.pad(b, x, [2, 0], [0, 0])), [1, 1], [0, 3]));
    });
    assert.deepEqual(kernelsOf(graph).names.sort(), ["contraction", "elementwise"]);
  });
});

describe("fusion of backward passes and updates", () => {
  it("writes each gradient of a sliced token grid once, in its place, without copies", () => {
    const [layers, tokens, rows, columns] = [2, 3, 4, 6];
    const graph = graphOf((b) => {
      const grid = input(b, "tokens", [layers, tokens, rows, columns]);
      let x = input(b, "x", [16, columns]);
      for (let layer = 0; layer < layers; layer++) {
        for (let token = 0; token < tokens; token++) {
          const piece = operations.slice(b, grid, [layer, token, 0, 0], [layer + 1, token + 1, rows, columns]);
          const weight = operations.reshape(b, piece, [rows, columns]);
          const hidden = linear(b, x, weight);
          const square = operations.contraction(b, hidden, weight, [0, 1], [1, 2], [0, 2]);
          x = operations.tanh(b, square);
        }
      }
      b.output("y", x);
    });
    const gradient = gradientsOf(graph, ["tokens"]);
    assert.ok(gradient.nodes.some(({ primitive }) => primitive === "concat"));
    const { list, names } = kernelsOf(gradient);
    assert.deepEqual([...new Set(names)], ["contraction"]);
    const home = list.buffers.findIndex(({ home: at }) => at.segment === "outputs" && at.name === "gradient:tokens");
    const stores = (list.kernels as ContractionKernel[]).flatMap((kernel) => kernel.stores);
    assert.equal(stores.filter(({ access }) => access.buffer === home).length, layers * tokens);
  });

  it("accumulates the gradients of a layer that is used twice in one kernel", () => {
    const graph = graphOf((b) => {
      const weight = parameter(b, "w", [8, 8]);
      const x = operations.tanh(b, linear(b, input(b, "x", [32, 8]), weight));
      b.output("y", linear(b, x, weight));
    });
    const { list } = kernelsOf(gradientsOf(graph, ["w"]));
    const products = list.kernels.map((kernel) => (kernel.archetype === "contraction" ? kernel.products.length : 0));
    assert.deepEqual(products.sort(), [1, 1, 1, 2]);
  });

  it("runs the backward pass of an adapted linear layer with both products into one gradient of its input", () => {
    const graph = graphOf((b) => {
      const x = input(b, "x", [32, 12]);
      const base = linear(b, x, parameter(b, "w", [10, 12]));
      const side = linear(b, linear(b, x, input(b, "A", [4, 12])), input(b, "B", [10, 4]));
      b.output("y", operations.add(b, base, side));
    });
    const perInstance: Graph = {
      ...graph,
      nodes: graph.nodes.map((node) =>
        node.primitive === "input" ? { ...node, attributes: { ...node.attributes, perInstance: true } } : node,
      ),
    };
    const { list } = kernelsOf(gradientsOf(batch(perInstance, 3), ["x", "A", "B"]));
    const products = list.kernels.map((kernel) => (kernel.archetype === "contraction" ? kernel.products.length : 0));
    // x A^T and dy B, the output, and the gradients of B, A and x.
    assert.deepEqual(products.sort(), [1, 1, 1, 1, 2, 2]);
  });

  it("runs the gradient of a layer norm as one kernel", () => {
    const graph = graphOf((b) => {
      const x = layerNorm(b, linear(b, input(b, "x", [48, 16]), parameter(b, "v", [16, 16])));
      b.output("y", linear(b, x, parameter(b, "w", [12, 16])));
    });
    const { names } = kernelsOf(gradientsOf(graph, ["x"]));
    assert.deepEqual(names, ["contraction", "reduction", "contraction", "contraction", "reduction", "contraction"]);
  });

  const adamw = (elements: number): Graph =>
    optimised(
      optimizerGraph({
        optimizer: {
          kind: "adamw",
          learningRate: 0.01,
          momentum: 0,
          beta1: 0.9,
          beta2: 0.999,
          epsilon: 1e-8,
          weightDecay: 0.1,
        },
        clip: 1,
        ranges: [{ offset: 64, elements }],
        stateStride: 32_768,
      }),
    );

  it("runs AdamW over a range as a norm and one kernel that updates in place", () => {
    const { list, names } = kernelsOf(adamw(20_000));
    assert.deepEqual(names, ["reduction", "elementwise"]);
    const update = list.kernels[1];
    assert.ok(update?.archetype === "elementwise");
    const read = new Set(update.accesses.map(({ buffer }) => buffer));
    assert.equal(update.stores.length, 3);
    assert.ok(update.stores.every(({ access }) => read.has(access.buffer)));
    assert.ok(list.buffers.every(({ home, elements }) => home.segment !== "scratch" || elements === 1));
  });

  it("runs AdamW over a short range, norm included, as one kernel", () => {
    assert.deepEqual(kernelsOf(adamw(300)).names, ["reduction"]);
  });

  it("keeps the old value of a tensor for kernels that still read it", () => {
    const graph = graphOf((b) => {
      const weight = parameter(b, "w", [8, 8]);
      const next = operations.scale(b, operations.transpose(b, weight, [1, 0]), 0.5);
      b.update("w", next);
      b.output("y", linear(b, operations.add(b, next, input(b, "x", [8, 8])), weight));
    });
    kernelsOf(graph);
  });
});

describe("fusion within limits", () => {
  const wide = graphOf((b) => {
    let sum = input(b, "x0", [16, 16]);
    for (let term = 1; term < 20; term++) {
      sum = operations.add(b, sum, operations.multiply(b, sum, input(b, `x${term}`, [16, 16])));
    }
    b.output("sum", sum);
    const product = linear(b, sum, parameter(b, "w", [16, 16]));
    let y = product;
    for (let term = 0; term < 12; term++) y = operations.multiply(b, y, input(b, `y${term}`, [16, 16]));
    b.output("y", y);
  });

  for (const limit of [4, 8, 16]) {
    it(`binds no more than ${limit} buffers in any kernel`, () => {
      const { list } = kernelsOf(wide, withBuffers(limit));
      for (const kernel of list.kernels) assert.ok(buffersOf(kernel).size <= limit);
      if (limit < 16) assert.ok(list.refusals.some(({ reason }) => reason.includes(`${limit} buffers`)));
    });
  }

  it("feeds products plain views where operands do not pass through registers", () => {
    const graph = graphOf((b) => {
      const x = gelu(b, input(b, "x", [6, 8]));
      b.output("y", linear(b, operations.transpose(b, x, [1, 0]), parameter(b, "w", [4, 6])));
    });
    assert.deepEqual(kernelsOf(graph).names, ["contraction"]);
    const { list, names } = kernelsOf(graph, { ...anyTarget, contractionPrologue: false });
    assert.deepEqual(names, ["elementwise", "contraction"]);
    const [, kernel] = list.kernels as [unknown, ContractionKernel];
    for (const { lhs, rhs } of kernel.products) {
      assert.deepEqual([lhs.body.length, rhs.body.length], [1, 1]);
    }
  });

  it("cuts chains of thousands of elementwise operations into kernels of bounded size", () => {
    const graph = graphOf((b) => {
      const start = input(b, "x", [8]);
      let x = start;
      for (let step = 0; step < 3000; step++) {
        x = operations.tanh(b, operations.add(b, x, step % 7 === 0 ? start : operations.sin(b, x)));
      }
      b.output("y", x);
    });
    const { list } = kernelsOf(graph);
    assert.ok(list.kernels.length >= 3000 / 100 && list.kernels.length < 300);
    for (const kernel of list.kernels) {
      assert.ok(kernel.archetype === "elementwise" && kernel.body.length <= 250);
    }
  });
});
