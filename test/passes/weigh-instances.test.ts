import assert from "node:assert/strict";
import { environmentOf } from "../../runtime/reference/environment.js";
import { interpret } from "../../runtime/reference/interpreter.js";
import { GraphBuilder } from "../../src/graph/builder.js";
import { verify } from "../../src/graph/verify.js";
import { batch } from "../../src/passes/batch.js";
import { weighInstances } from "../../src/passes/weigh-instances.js";
import { multiply } from "../../src/primitives/operations.js";

function squares(): GraphBuilder {
  const builder = new GraphBuilder();
  const x = builder.add("input", [], { name: "x", dtype: "f32", shape: [], perInstance: true });
  builder.output("output", multiply(builder, x, x));
  return builder;
}

describe("weighInstances", () => {
  it("averages over the instances that count", () => {
    const graph = weighInstances(batch(squares().finish(), 4));
    verify(graph);
    const inputs = new Map([
      ["x", Float64Array.of(1, 2, 3, 100)],
      ["instance_weight", Float64Array.of(1, 1, 2, 0)],
    ]);
    const { outputs } = interpret(graph, environmentOf({ inputs }));
    assert.deepEqual([...outputs.keys()], ["loss"]);
    assert.equal(outputs.get("loss")!.data[0], (1 + 4 + 2 * 9) / 4);
  });

  it("keeps the other outputs", () => {
    const builder = squares();
    builder.output("detail", builder.add("constant", [], { dtype: "f32", shape: [2], value: 3 }));
    const graph = weighInstances(batch(builder.finish(), 2));
    assert.deepEqual(
      graph.outputs.map(({ name }) => name),
      ["loss", "detail"],
    );
  });

  it("refuses an output that is not one number per instance", () => {
    const builder = new GraphBuilder();
    builder.output("output", builder.add("constant", [], { dtype: "f32", shape: [2], value: 3 }));
    assert.throws(() => weighInstances(batch(builder.finish(), 3)), /not one number per instance, but f32\[3, 2\]/);
    assert.throws(() => weighInstances(batch(squares().finish(), 3), "score"), /no output named "score"/);
  });
});
