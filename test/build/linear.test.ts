import { strict as assert } from "node:assert";
import { build, run } from "./support.js";

const text = `
import { Linear } from "std/layers"

model M(dim: int = 2, out: int = 3, use_bias: bool = true) {
  layer = Linear(dim, out, use_bias: use_bias)
  fn apply(x: [4, dim]) -> [4, out] { layer(x) }
}
`;

describe("a model of one linear layer", () => {
  it("has the layer's stored tensors, ordered by path", async () => {
    const model = await build(text);
    assert.deepEqual(
      model.parameters.map(({ path, shape, initializer }) => ({ path, shape, initializer })),
      [
        { path: "layer.bias", shape: [3], initializer: { kind: "uniform", bound: 2 ** -0.5 } },
        { path: "layer.weight", shape: [3, 2], initializer: { kind: "uniform", bound: 2 ** -0.5 } },
      ],
    );
  });

  it("computes x W^T + b", async () => {
    const model = await build(text);
    const stored = { "layer.weight": [1, 2, 3, 4, 5, 6], "layer.bias": [10, 20, 30] };
    const { output } = run(model, "apply", { x: [1, 0, 0, 1, 1, 1, 2, -1] }, stored);
    assert.deepEqual(output, [11, 23, 35, 12, 24, 36, 13, 27, 41, 10, 22, 34]);
  });

  it("takes settings in place of defaults", async () => {
    const model = await build(text, { settings: { dim: 5, use_bias: false } });
    assert.deepEqual(
      model.parameters.map(({ path, shape }) => [path, shape]),
      [["layer.weight", [3, 5]]],
    );
    assert.deepEqual(model.settings, { dim: 5, out: 3, use_bias: false });
    assert.deepEqual(model.entryPoint("apply").inputs[0]!.shape, [4, 5]);
  });

  it("records for each node the module that it belongs to", async () => {
    const model = await build(text);
    const contraction = model.entryPoint("apply").graph.nodes.find(({ primitive }) => primitive === "contraction");
    assert.equal(contraction?.origin?.path, "layer");
    assert.equal(contraction?.origin?.span?.file, "std/layers");
  });
});
