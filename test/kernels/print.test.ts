import assert from "node:assert/strict";
import { printKernels } from "../../src/kernels/print.js";
import { fuse } from "../../src/passes/fuse.js";
import * as operations from "../../src/primitives/operations.js";
import { graphOf, input, linear, parameter } from "../passes/fuse-graphs.js";
import { anyTarget } from "./against-interpreter.js";

describe("printed kernel lists", () => {
  it("show buffers with their homes, iteration spaces, views and expressions", () => {
    const graph = graphOf((b) => {
      const x = operations.pad(b, input(b, "x", [4, 3]), [0, 1], [0, 0]);
      const y = operations.tanh(b, linear(b, x, parameter(b, "layer.weight", [2, 4]), parameter(b, "layer.bias", [2])));
      b.output("y", y);
      b.output("most", operations.reduceMax(b, y, [1]));
    });
    assert.equal(
      printKernels(fuse(graph, anyTarget)),
      `buffer #0: f32[12] inputs x
buffer #1: f32[8] parameters layer.weight
buffer #2: f32[2] parameters layer.bias
buffer #3: f32[8] outputs y
buffer #4: f32[4] outputs most

kernel 0: contraction contraction+add+tanh
  over batch [], rows [4], columns [2]
  product reduced [4]
    lhs
      %0: f32 = #0[-1 + 3 a + c] where 0 <= -1 + c < 3
    rhs
      %0: f32 = #1[4 b + c]
  %0: f32 = accumulator
  %1: f32 = #2[b]
  %2: f32 = add %0, %1
  %3: f32 = tanh %2
  #3[2 a + b] = %3

kernel 1: reduction reduce_max
  over [4], reduced [2]
  %0: f32 = #3[2 a + b]
  %1: f32 = reduce maximum %0
  #4[a] = %1
`,
    );
  });

  it("say why neighbours were not fused", () => {
    const graph = graphOf((b) => {
      const x = input(b, "x", [4, 4]);
      const product = linear(b, x, parameter(b, "w", [4, 4]));
      b.output("y", operations.add(b, product, operations.transpose(b, product, [1, 0])));
    });
    assert.match(
      printKernels(fuse(graph, anyTarget)),
      /\nnot in kernel 0: add, because its operands are the same kernel's numbers in different arrangements\n$/,
    );
  });
});
