import assert from "node:assert/strict";
import type { Graph } from "../../src/graph/graph.js";
import type { ParameterLayout } from "../../src/kernels/layout.js";
import type { KernelList } from "../../src/kernels/record.js";
import { batch } from "../../src/passes/batch.js";
import { differentiate } from "../../src/passes/differentiate.js";
import { fuse } from "../../src/passes/fuse.js";
import { leafValues } from "../../src/passes/leaves.js";
import { plan } from "../../src/passes/plan.js";
import { simplify } from "../../src/passes/simplify.js";
import { anyTarget } from "../kernels/against-interpreter.js";
import { layoutFor } from "../kernels/parameter-layout.js";
import { layeredGraph } from "./layered-graph.js";

interface Sized {
  readonly graph: Graph;
  readonly layout: ParameterLayout;
}

function training(layers: number): Sized {
  const batched = batch(layeredGraph(layers), 4);
  const outputs = batched.outputs.map(({ name }) => ({ name, cotangent: "one" }));
  const graph = simplify(differentiate(batched, { outputs, withRespectTo: [...leafValues(batched).keys()] }));
  return { graph, layout: layoutFor(graph) };
}

const milliseconds = (run: () => void): number => {
  const start = performance.now();
  run();
  return performance.now() - start;
};

const compileOnce = ({ graph, layout }: Sized): KernelList => {
  const list = fuse(graph, anyTarget);
  plan([list], layout);
  return list;
};

describe("fusion and planning grow with the graph", () => {
  it("takes at most 18 times as long for 10 times the layers, and yields 10 times the kernels", function () {
    this.retries(3);
    const [small, large] = [training(6), training(60)];
    const [few, many] = [compileOnce(small), compileOnce(large)];
    const [before, after] = [small, large].map((sized) =>
      Math.min(...Array.from({ length: 3 }, () => milliseconds(() => compileOnce(sized)))),
    );
    assert.ok(after! <= 18 * before!, `${after} ms after ${before} ms`);
    assert.ok(many.kernels.length <= 10 * few.kernels.length);
  });
});
