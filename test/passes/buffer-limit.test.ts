import assert from "node:assert/strict";
import { compile } from "../../src/api/load.js";
import type { Model, OptimizerSpec } from "../../src/build/model.js";
import { lower, type Purpose } from "../../src/compile.js";
import type { Graph } from "../../src/graph/graph.js";
import { buffersOf } from "../../src/kernels/access.js";
import type { KernelList } from "../../src/kernels/record.js";
import { optimizerGraph } from "../../src/optimizers/optimizer.js";
import { deduplicate } from "../../src/passes/deduplicate.js";
import { simplify } from "../../src/passes/simplify.js";
import { randomGraph } from "../graphs/random.js";
import { assertSameResults, withBuffers } from "../kernels/against-interpreter.js";
import { anyValues } from "./fuse-graphs.js";

/** What every WebGPU adapter grants. */
const buffers = 8;
const target = withBuffers(buffers);

/** Ten views belong to the backward pass of attention; code generators run it as several kernels. */
function assertWithin({ kernels }: KernelList): void {
  for (const kernel of kernels) {
    if (kernel.archetype === "attention_backward") continue;
    const count = buffersOf(kernel).size;
    assert.ok(count <= buffers, `${kernel.archetype} ${kernel.label} binds ${count} buffers`);
  }
}

describe("kernels of a target that binds eight buffers", () => {
  it("bind no more in random graphs, and compute the same", () => {
    for (let seed = 0; seed < 60; seed++) {
      const options = { nodes: 20 + (seed % 40), maximumElements: 96, updates: seed % 2 === 0, ranges: seed % 3 === 0 };
      const { graph, environment } = randomGraph(seed, options);
      try {
        assertWithin(assertSameResults(graph, environment(), { target }));
      } catch (error) {
        throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
      }
    }
  });

  describe("of the conflict-edit example", () => {
    let model: Model;
    const lowered = (entry: string, purpose: Purpose, batch: number, limit = buffers) =>
      lower(model, entry, { purpose, batch, target: withBuffers(limit) }).lists;

    before(async () => {
      const settings = { words: 20, tasks: 6, length: 8, flow: false };
      ({ model } = await compile("examples/conflict-edit/conflict-edit.weft", { model: "Editor", settings }));
    });

    it("bind no more in any stage's training step, and are few more", () => {
      for (const stage of model.stages) {
        const purpose: Purpose = { kind: "train", stage };
        const lists = lowered(stage.on, purpose, stage.batch);
        lists.forEach(assertWithin);
        const count = (all: readonly KernelList[]) => all.reduce((sum, { kernels }) => sum + kernels.length, 0);
        const free = count(lowered(stage.on, purpose, stage.batch, 64));
        assert.ok(count(lists) <= 1.2 * free, `${stage.name}: ${count(lists)} kernels instead of ${free}`);
      }
    });

    it("bind no more where gradients accumulate, and in every entry point", () => {
      const stage = { ...model.stages.at(-1)!, accumulate: 2, ema: 0.99 };
      for (const kind of ["train", "accumulate"] as const) lowered(stage.on, { kind, stage }, 2).forEach(assertWithin);
      for (const entry of model.entryPoints) lowered(entry, { kind: "forward" }, 2).forEach(assertWithin);
    });
  });

  it("bind no more in a small model of the published shape", async () => {
    const settings = { layers: 2, dim: 256, heads: 4, kv_heads: 2, hidden: 64, experts: 3, top: 2, segment: 64 };
    const sizes = { blocks: 2, condition_length: 8, tokens: 6 };
    const { model } = await compile("examples/hy-wu/hy-wu.weft", { settings: { ...settings, ...sizes } });
    for (const entry of model.entryPoints) {
      const { graph } = model.entryPoint(entry);
      const withRespectTo = graph.nodes.flatMap((node) =>
        node.primitive === "parameter" ? [node.attributes.path] : [],
      );
      const purposes: Purpose[] = [{ kind: "forward" }, { kind: "gradients", withRespectTo }];
      for (const purpose of purposes) lower(model, entry, { purpose, batch: 2, target }).lists.forEach(assertWithin);
    }
  });
});

describe("optimisers on a target that binds eight buffers", () => {
  const adamw: OptimizerSpec = {
    kind: "adamw",
    learningRate: 0.01,
    momentum: 0,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    weightDecay: 0.1,
  };
  /** Stretches beyond what one row of a reduction rewrites. */
  const graphOver = (count: number, more: { ema?: number } = {}): Graph => {
    const elements = 20_000;
    const ranges = Array.from({ length: count }, (_, place) => ({ offset: place * (elements + 64), elements }));
    const stateStride = count * (elements + 64);
    return deduplicate(simplify(optimizerGraph({ optimizer: adamw, clip: 1, ranges, stateStride, ...more })));
  };

  for (const [title, more] of [
    ["AdamW", {}],
    ["AdamW and a moving average", { ema: 0.99 }],
  ] as const) {
    it(`update a stretch by ${title} in one kernel, in place`, () => {
      const graph = graphOver(1, more);
      const list = assertSameResults(graph, anyValues(graph), { target });
      assert.deepEqual(
        list.kernels.map(({ archetype }) => archetype),
        ["reduction", "elementwise"],
      );
      assertWithin(list);
      assert.ok(list.buffers.every(({ home, elements }) => home.segment !== "scratch" || elements === 1));
    });
  }

  it("take two kernels for each of many stretches, and one for the norm of them all", () => {
    const graph = graphOver(12, { ema: 0.99 });
    const list = assertSameResults(graph, anyValues(graph), { target });
    assertWithin(list);
    assert.equal(list.kernels.length, 2 * 12 + 1);
  });
});
