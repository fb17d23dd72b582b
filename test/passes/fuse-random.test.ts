import { randomGraph } from "../graphs/random.js";
import { assertSameResults, withBuffers } from "../kernels/against-interpreter.js";

const graphs = Number(process.env.WEFT_GRAPHS ?? 150);

function forSeeds(count: number, check: (seed: number) => void): void {
  for (let seed = 0; seed < count; seed++) {
    try {
      check(seed);
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
  }
}

describe("fused random graphs", () => {
  it("compute what the interpreter computes", () => {
    forSeeds(graphs, (seed) => {
      const { graph, environment } = randomGraph(seed, { nodes: 10 + (seed % 40), maximumElements: 128 });
      assertSameResults(graph, environment());
    });
  });

  it("keep stored tensors right when they are updated in place", () => {
    forSeeds(graphs, (seed) => {
      const { graph, environment } = randomGraph(seed, { ranges: true, updates: true, maximumElements: 64 });
      assertSameResults(graph, environment());
    });
  });

  it("compute the same on a target that binds few buffers and has no prologues", () => {
    forSeeds(graphs, (seed) => {
      const { graph, environment } = randomGraph(seed, { nodes: 30, maximumElements: 64 });
      assertSameResults(graph, environment(), { target: { ...withBuffers(8), contractionPrologue: false } });
    });
  });
});
