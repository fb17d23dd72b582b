import assert from "node:assert/strict";
import type { Graph } from "../../src/graph/graph.js";
import { batch } from "../../src/passes/batch.js";
import { deduplicate } from "../../src/passes/deduplicate.js";
import { differentiate } from "../../src/passes/differentiate.js";
import { leafValues } from "../../src/passes/leaves.js";
import { simplify } from "../../src/passes/simplify.js";
import { weighInstances } from "../../src/passes/weigh-instances.js";
import { layeredGraph } from "./layered-graph.js";

const gradients = (graph: Graph): Graph =>
  differentiate(graph, {
    outputs: [{ name: "loss", cotangent: "one" }],
    withRespectTo: [...leafValues(graph).keys()].filter((name) => name !== "instance_weight"),
  });

/** The road from a trace to a training graph, with the graph that each pass takes. */
function passes(layers: number): Map<string, () => Graph> {
  const traced = layeredGraph(layers);
  const batched = batch(traced, 4);
  const weighed = weighInstances(batched);
  const differentiated = gradients(weighed);
  return new Map([
    ["batch", () => batch(traced, 4)],
    ["weighInstances", () => weighInstances(batched)],
    ["differentiate", () => gradients(weighed)],
    ["simplify", () => simplify(differentiated)],
    ["deduplicate", () => deduplicate(differentiated)],
  ]);
}

function milliseconds(run: () => unknown, repeats: number): number {
  const start = performance.now();
  for (let repeat = 0; repeat < repeats; repeat++) run();
  return (performance.now() - start) / repeats;
}

const median = (numbers: readonly number[]): number => [...numbers].sort((a, b) => a - b)[numbers.length >> 1]!;

describe("passes grow with the graph", () => {
  const factor = 32;
  const [few, many] = [passes(6), passes(6 * factor)];

  for (const [name, small] of few) {
    it(`${name} takes at most 45 times as long for ${factor} times the nodes`, function () {
      this.retries(2);
      const large = many.get(name)!;
      milliseconds(small, 40);
      milliseconds(large, 2);
      const ratios = Array.from({ length: 5 }, () => {
        const before = milliseconds(small, 12);
        const time = milliseconds(large, 1);
        return time / ((before + milliseconds(small, 12)) / 2);
      });
      assert.ok(median(ratios) <= 45, `${ratios.map((ratio) => ratio.toFixed(1))}`);
    });
  }
});
