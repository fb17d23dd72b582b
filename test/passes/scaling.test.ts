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

/** Time of `count` runs whose results all stay alive, so that small and large graphs leave the garbage collector alike. */
function milliseconds(run: () => Graph, count: number): number {
  const kept: Graph[] = [];
  const start = performance.now();
  for (let index = 0; index < count; index++) kept.push(run());
  const time = performance.now() - start;
  assert.equal(kept.length, count);
  return time;
}

describe("passes grow with the graph", () => {
  const factor = 32;
  const [few, many] = [passes(6), passes(6 * factor)];

  for (const [name, small] of few) {
    it(`${name} takes at most 45 times as long for ${factor} times the nodes`, function () {
      this.retries(3);
      const large = many.get(name)!;
      milliseconds(small, factor);
      milliseconds(large, 1);
      // The best of several runs: other processes only ever make a run slower.
      const times = Array.from({ length: 6 }, () => [milliseconds(small, factor) / factor, milliseconds(large, 1)]);
      const [before, after] = [0, 1].map((place) => Math.min(...times.map((pair) => pair[place]!)));
      assert.ok(after! <= 45 * before!, `${before} ms for the small graph, ${after} ms for the large one`);
    });
  }
});
