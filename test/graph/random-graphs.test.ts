import assert from "node:assert/strict";
import { evaluate } from "../../runtime/reference/interpreter.js";
import { isFloat } from "../../src/graph/dtype.js";
import { elementCount } from "../../src/graph/shape.js";
import { printGraph } from "../../src/graph/text.js";
import { verify } from "../../src/graph/verify.js";
import { randomGraph } from "../graphs/random.js";

describe("random graphs", () => {
  it("are the same for the same seed and differ between seeds", () => {
    const text = (seed: number) => printGraph(randomGraph(seed).graph);
    assert.equal(text(3), text(3));
    assert.notEqual(text(3), text(4));
  });

  it("are well-typed and keep every float finite and small", () => {
    for (let seed = 0; seed < 60; seed++) {
      const random = randomGraph(seed, { perInstance: seed % 2 === 0, ranges: true, updates: true });
      verify(random.graph);
      for (let instance = 0; instance < random.instances; instance++) {
        for (const [name, { type, data }] of evaluate(random.graph, random.environment(instance))) {
          assert.ok(data.every(Number.isFinite), `seed ${seed}, ${name}`);
          // The loss is a sum of means of squares over all results; results themselves stay within 4.
          if (isFloat(type.dtype) && name.startsWith("output")) {
            assert.ok(
              data.every((value) => Math.abs(value) <= 4),
              `seed ${seed}, ${name}`,
            );
          }
        }
      }
    }
  });

  it("respect their limits", () => {
    for (let seed = 0; seed < 20; seed++) {
      const { graph } = randomGraph(seed, {
        maximumElements: 32,
        maximumRank: 4,
        primitives: ["broadcast", "contraction", "pad", "concat"],
      });
      const sizes = graph.outputs.map(({ value }) => graph.types[value]!.shape);
      assert.ok(
        sizes.every((shape) => elementCount(shape) <= 32 && shape.length <= 4),
        `seed ${seed}`,
      );
    }
  });

  it("stack the inputs of their instances for the batched graph", () => {
    const { batchedInputs, inputs, graph, instances } = randomGraph(2, { perInstance: true });
    let stacked = 0;
    for (const node of graph.nodes) {
      if (node.primitive !== "input") continue;
      const { name, shape, perInstance } = node.attributes;
      const parts = inputs.get(name)!;
      const expected = perInstance ? parts.flatMap((part) => [...part]) : [...parts[0]!];
      assert.deepEqual([...batchedInputs.get(name)!], expected);
      assert.equal(expected.length, elementCount(shape) * (perInstance ? instances : 1));
      if (perInstance) stacked++;
    }
    assert.ok(stacked > 0);
  });
});
