import { batch } from "../../src/passes/batch.js";
import { deduplicate } from "../../src/passes/deduplicate.js";
import { differentiate } from "../../src/passes/differentiate.js";
import { leafValues } from "../../src/passes/leaves.js";
import { removeStopGradient, simplify } from "../../src/passes/simplify.js";
import type { PrimitiveName } from "../../src/primitives/names.js";
import { primitives } from "../../src/primitives/registry.js";
import { randomGraph } from "../graphs/random.js";
import { assertSameResults, graphCount } from "./agreement.js";

describe("passes that preserve values", () => {
  const count = graphCount(80);

  it(`simplify and deduplicate leave ${count} random graphs' results as they are`, () => {
    for (let seed = 0; seed < count; seed++) {
      const { graph, environment } = randomGraph(seed, { nodes: 25, updates: true });
      assertSameResults(graph, simplify(graph), environment(), `seed ${seed}, simplified`);
      assertSameResults(graph, deduplicate(graph), environment(), `seed ${seed}, deduplicated`);
    }
  });

  it(`simplify leaves ${count} random batched graphs' results as they are`, () => {
    for (let seed = 0; seed < count; seed++) {
      const { graph, instances, batchedEnvironment } = randomGraph(seed, { nodes: 20, perInstance: true });
      const batched = batch(graph, instances);
      const simplified = removeStopGradient(simplify(batched));
      assertSameResults(batched, simplified, batchedEnvironment(), `seed ${seed}`);
    }
  });

  it(`simplify leaves the gradients of ${count} random batched graphs as they are`, () => {
    const differentiable = (Object.keys(primitives) as PrimitiveName[]).filter((name) => name !== "attention_backward");
    for (let seed = 0; seed < count; seed++) {
      const options = { nodes: 20, perInstance: true, primitives: differentiable };
      const { graph, instances, batchedEnvironment } = randomGraph(seed, options);
      const batched = batch(graph, instances);
      const floats = [...leafValues(batched)].filter(([, value]) => batched.types[value]!.dtype === "f32");
      const gradients = differentiate(batched, {
        outputs: [{ name: "loss", cotangent: "one" }],
        withRespectTo: floats.map(([name]) => name),
      });
      const simplified = simplify(removeStopGradient(gradients));
      assertSameResults(gradients, simplified, batchedEnvironment(), `seed ${seed}`);
    }
  });
});
