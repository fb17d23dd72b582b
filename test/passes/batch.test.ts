import assert from "node:assert/strict";
import { interpret } from "../../runtime/reference/interpreter.js";
import { GraphBuilder } from "../../src/graph/builder.js";
import { elementCount } from "../../src/graph/shape.js";
import { verify } from "../../src/graph/verify.js";
import { batch, InstanceError } from "../../src/passes/batch.js";
import { multiply, reduceSum } from "../../src/primitives/operations.js";
import { randomGraph } from "../graphs/random.js";
import { assertClose, graphCount } from "./agreement.js";

describe("batch", () => {
  const count = graphCount(80);

  it(`gives each instance of ${count} random graphs what it gets alone`, () => {
    for (let seed = 0; seed < count; seed++) {
      const { graph, instances, environment, batchedEnvironment } = randomGraph(seed, { perInstance: true });
      const batched = batch(graph, instances);
      verify(batched);
      const together = interpret(batched, batchedEnvironment()).outputs;
      for (let instance = 0; instance < instances; instance++) {
        for (const [name, alone] of interpret(graph, environment(instance)).outputs) {
          const all = together.get(name)!;
          const size = elementCount(alone.type.shape);
          const data = all.data.slice(instance * size, (instance + 1) * size);
          assert.deepEqual([...all.type.shape], [instances, ...alone.type.shape]);
          const type = { dtype: all.type.dtype, shape: alone.type.shape };
          assertClose({ type, data }, alone, `seed ${seed}, instance ${instance}, ${name}`);
        }
      }
    }
  });

  it("computes what does not depend on the instance once", () => {
    const builder = new GraphBuilder();
    const weight = builder.add("parameter", [], { path: "weight", dtype: "f32", shape: [3] });
    const x = builder.add("input", [], { name: "x", dtype: "f32", shape: [3], perInstance: true });
    const square = multiply(builder, weight, weight);
    builder.output("product", multiply(builder, x, square));
    builder.output("square", square);
    const graph = batch(builder.finish(), 5, { sharedOutputs: new Set(["square"]) });

    const shapeOf = (name: string) => graph.types[graph.outputs.find((output) => output.name === name)!.value]!.shape;
    assert.deepEqual([...shapeOf("product")], [5, 3]);
    assert.deepEqual([...shapeOf("square")], [3]);
  });

  it("takes one value for all instances where an input is shared", () => {
    const builder = new GraphBuilder();
    const tokens = builder.add("input", [], { name: "tokens", dtype: "f32", shape: [2], perInstance: true });
    builder.output("sum", reduceSum(builder, tokens, [0]));
    const graph = batch(builder.finish(), 4, { sharedInputs: new Set(["tokens"]) });
    const input = graph.nodes.find((node) => node.primitive === "input")!;
    assert.deepEqual([...(input.attributes as { shape: readonly number[] }).shape], [2]);
    assert.deepEqual([...graph.types[graph.outputs[0]!.value]!.shape], [4]);
  });

  it("computes once what depends on all instances, but on none of them", () => {
    const builder = new GraphBuilder();
    const x = builder.add("input", [], { name: "x", dtype: "f32", shape: [3], perInstance: true });
    const weight = builder.add("parameter", [], { path: "weight", dtype: "f32", shape: [3] });
    const all = builder.add("gather_instances", [x], { size: 5 });
    const mean = reduceSum(builder, multiply(builder, all, all), [0]);
    builder.output("mean", mean);
    builder.output("weights", builder.add("gather_instances", [weight], { size: 5 }));
    const shared = new Set(["mean", "weights"]);
    const graph = batch(builder.finish(), 5, { sharedOutputs: shared });
    verify(graph);
    const shapes = Object.fromEntries(graph.outputs.map(({ name, value }) => [name, [...graph.types[value]!.shape]]));
    assert.deepEqual(shapes, { mean: [3], weights: [5, 3] });
    assert.throws(() => batch(builder.finish(), 4), /gathers 5 instances, but the batch has 4/);
  });

  it("refuses a shared output that depends on the instance", () => {
    const builder = new GraphBuilder();
    builder.output("index", builder.add("instance_index", [], {}));
    const graph = builder.finish();
    assert.throws(() => batch(graph, 2, { sharedOutputs: new Set(["index"]) }), InstanceError);
  });
});
