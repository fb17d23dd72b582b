import assert from "node:assert/strict";
import { GraphBuilder } from "../../src/graph/builder.js";
import type { ParameterLayout } from "../../src/kernels/layout.js";
import { fuse } from "../../src/passes/fuse.js";
import { pack } from "../../src/passes/plan/pack.js";
import { plan } from "../../src/passes/plan.js";
import * as operations from "../../src/primitives/operations.js";
import { randomGraph } from "../graphs/random.js";
import { anyTarget, assertSameResults } from "../kernels/against-interpreter.js";
import { checkPlan } from "../kernels/check-plan.js";
import { layoutFor } from "../kernels/parameter-layout.js";

const noParameters: ParameterLayout = { places: [], bytes: 0 };

describe("memory plans", () => {
  it("keep every number that is still needed, in one memory laid out by the plan", () => {
    for (let seed = 0; seed < 150; seed++) {
      const { graph, environment } = randomGraph(seed, { nodes: 30, updates: true, maximumElements: 96 });
      const layout = layoutFor(graph);
      const list = assertSameResults(graph, environment(), { plan: (kernels) => plan([kernels], layout) });
      checkPlan(list, plan([list], layout));
    }
  });

  it("keep every tensor within one of the pieces that a target can bind, and its numbers", () => {
    for (let seed = 0; seed < 60; seed++) {
      const { graph, environment } = randomGraph(seed, { nodes: 40, updates: true, maximumElements: 96 });
      const layout = layoutFor(graph);
      for (const bytesPerBinding of [512, 1000]) {
        const list = assertSameResults(graph, environment(), {
          plan: (lists) => plan([lists], layout, bytesPerBinding),
        });
        const planned = plan([list], layout, bytesPerBinding);
        assert.equal(planned.pieceBytes, bytesPerBinding === 512 ? 512 : 768);
        checkPlan(list, planned);
      }
    }
  });

  it("reuse scratch: a chain of products needs two buffers at a time", () => {
    const builder = new GraphBuilder();
    const weight = builder.add("input", [], { name: "w", dtype: "f32", shape: [64, 64], perInstance: false });
    let x = builder.add("input", [], { name: "x", dtype: "f32", shape: [64, 64], perInstance: false });
    for (let step = 0; step < 8; step++) x = operations.tanh(builder, operations.matmul(builder, x, weight));
    builder.output("y", x);
    const list = fuse(builder.finish(), anyTarget);
    const { scratchBytes, lowerBound } = plan([list], noParameters);
    assert.equal(list.kernels.length, 8);
    assert.equal(scratchBytes, 2 * 64 * 64 * 4);
    assert.equal(lowerBound, scratchBytes);
  });

  it("let an elementwise result take the place of an operand that dies", () => {
    const builder = new GraphBuilder();
    const x = builder.add("input", [], { name: "x", dtype: "f32", shape: [64, 16], perInstance: false });
    const sum = (value: number) =>
      operations.unreduce(builder, operations.reduceSum(builder, value, [0]), [64, 16], [0]);
    // Two values with two users each, made one from the other by elementwise kernels.
    const first = operations.exp(builder, x);
    const second = operations.exp(builder, operations.multiply(builder, first, sum(first)));
    const third = operations.multiply(builder, second, sum(second));
    builder.output("y", operations.add(builder, third, sum(third)));
    const graph = builder.finish();
    const list = fuse(graph, anyTarget);
    const { offsets, lowerBound, scratchBytes } = plan([list], noParameters);
    const large = list.buffers.flatMap(({ home, elements }, id) =>
      home.segment === "scratch" && elements === 1024 ? [offsets[id]!] : [],
    );
    assert.ok(large.length >= 2);
    assert.equal(new Set(large).size, 1);
    assert.equal(scratchBytes, lowerBound);
  });

  it("put parameters, gradients and ranges where the parameter layout has them", () => {
    const builder = new GraphBuilder();
    const weight = builder.add("parameter", [], { path: "b.weight", dtype: "f32", shape: [3] });
    const momentum = builder.add("range", [], {
      name: "m",
      segment: "optimizer",
      offset: 128,
      dtype: "f32",
      shape: [3],
    });
    builder.output("gradient:b.weight", operations.multiply(builder, weight, momentum));
    const layout: ParameterLayout = {
      places: [
        { path: "a", dtype: "f32", shape: [100], offset: 0 },
        { path: "b.weight", dtype: "f32", shape: [3], offset: 512 },
      ],
      bytes: 768,
    };
    const list = fuse(builder.finish(), anyTarget, {
      outputs: { "gradient:b.weight": { segment: "gradients", path: "b.weight" } },
    });
    const { offsets } = plan([list], layout);
    const at = Object.fromEntries(list.buffers.map(({ home }, id) => [home.segment, offsets[id]]));
    assert.deepEqual(at, { parameters: 512, gradients: 512, range: 512 });
    assert.throws(() => plan([list], noParameters), /has no b\.weight/);
  });

  const randomStretches = (count: number, largest: number) => {
    let state = 1;
    const random = (limit: number) => {
      state = (state * 48_271) % 2_147_483_647;
      return state % limit;
    };
    return Array.from({ length: count }, () => {
      const first = random(300);
      return { bytes: 256 * (1 + random(largest)), first, last: first + random(12) };
    });
  };

  const assertApart = (stretches: ReturnType<typeof randomStretches>, offsets: readonly number[]): void =>
    stretches.forEach((a, i) => {
      stretches.forEach((b, j) => {
        if (i >= j || a.first > b.last || b.first > a.last) return;
        const [x, y] = [offsets[i]!, offsets[j]!];
        assert.ok(x + a.bytes <= y || y + b.bytes <= x, `stretches ${i} and ${j}`);
      });
    });

  it("pack stretches of different sizes without overlap, close to the lower bound", () => {
    const stretches = randomStretches(400, 64);
    const packing = pack(stretches, 256);
    assertApart(stretches, packing.offsets);
    assert.ok(packing.bytes <= 1.15 * packing.lowerBound);
  });

  // Few stretches are also packed by size, many only in order.
  for (const count of [400, 3500]) {
    it(`pack ${count} stretches without one that straddles two pieces`, () => {
      const stretches = randomStretches(count, 64);
      const piece = 256 * 100;
      const packing = pack(stretches, 256, piece);
      assertApart(stretches, packing.offsets);
      stretches.forEach(({ bytes }, place) => {
        const offset = packing.offsets[place]!;
        assert.equal(Math.floor(offset / piece), Math.floor((offset + bytes - 1) / piece), `stretch ${place}`);
        assert.ok(offset + bytes <= packing.bytes);
      });
      assert.ok(packing.bytes <= 1.5 * packing.lowerBound, `${packing.bytes} for ${packing.lowerBound}`);
    });
  }
});
