import assert from "node:assert/strict";
import { environmentOf } from "../../runtime/reference/environment.js";
import { interpret } from "../../runtime/reference/interpreter.js";
import { GraphBuilder } from "../../src/graph/builder.js";
import type { Graph } from "../../src/graph/graph.js";
import { verify } from "../../src/graph/verify.js";
import type { ParameterLayout } from "../../src/kernels/layout.js";
import { accumulateGradients } from "../../src/optimizers/accumulate.js";
import { differentiate } from "../../src/passes/differentiate.js";
import { multiply, reduceSum } from "../../src/primitives/operations.js";

const layout: ParameterLayout = {
  places: [
    { path: "other", dtype: "f32", shape: [3], offset: 0 },
    { path: "weight", dtype: "f32", shape: [2, 2], offset: 256 },
  ],
  bytes: 512,
};

/** sum(weight * x): the gradient of the weight is x. */
function training(): Graph {
  const builder = new GraphBuilder();
  const weight = builder.add("parameter", [], { path: "weight", dtype: "f32", shape: [2, 2] });
  const x = builder.add("input", [], { name: "x", dtype: "f32", shape: [2, 2], perInstance: false });
  builder.output("loss", reduceSum(builder, multiply(builder, weight, x), [0, 1]));
  return differentiate(builder.finish(), { outputs: [{ name: "loss", cotangent: "one" }], withRespectTo: ["weight"] });
}

describe("accumulateGradients", () => {
  it("leaves the mean over the micro-batches of a step, whatever memory held before", () => {
    const graph = accumulateGradients(training(), layout, 3);
    verify(graph);
    assert.deepEqual(
      graph.outputs.map(({ name }) => name),
      ["loss"],
    );
    let memory = Float64Array.of(Number.NaN, 1e30, 7, -7);
    const batches = [1, 2, 6].map((factor) => Float64Array.of(1, 2, 3, 4).map((number) => number * factor));
    batches.forEach((x, index) => {
      const stored = new Map([
        ["weight", Float64Array.of(1, 1, 1, 1)],
        ["gradient:weight", memory],
      ]);
      const inputs = new Map([
        ["x", x],
        ["micro_batch", Float64Array.of(index)],
      ]);
      memory = interpret(graph, environmentOf({ stored, inputs })).updates.get("gradient:weight")!
        .data as typeof memory;
    });
    [3, 6, 9, 12].forEach((expected, index) => {
      assert.ok(Math.abs(memory[index]! - expected) < 1e-12);
    });
  });

  it("reads and updates the gradient where the parameter's place is", () => {
    const graph = accumulateGradients(training(), layout, 2);
    const ranges = graph.nodes.flatMap((node) => (node.primitive === "range" ? [node.attributes] : []));
    assert.deepEqual(ranges, [
      { name: "gradient:weight", segment: "gradients", offset: 64, dtype: "f32", shape: [2, 2] },
    ]);
    assert.deepEqual(
      graph.updates.map(({ name }) => name),
      ["gradient:weight"],
    );
  });

  it("changes nothing for a single micro-batch", () => {
    const graph = training();
    assert.equal(accumulateGradients(graph, layout, 1), graph);
  });
});
