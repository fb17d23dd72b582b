import assert from "node:assert/strict";
import type { GraphBuilder } from "../../src/graph/builder.js";
import type { KernelList } from "../../src/kernels/record.js";
import * as operations from "../../src/primitives/operations.js";
import { assertSameResults } from "../kernels/against-interpreter.js";
import { anyValues, graphOf, input, linear, parameter } from "./fuse-graphs.js";

function check(build: (b: GraphBuilder) => void): KernelList {
  const graph = graphOf(build);
  return assertSameResults(graph, anyValues(graph));
}

const archetypes = (list: KernelList) => list.kernels.map(({ archetype }) => archetype);

describe("fusion at the edges", () => {
  it("handles tensors without elements, and sums over none", () => {
    check((b) => {
      const x = input(b, "x", [0, 4]);
      b.output("reshaped", operations.tanh(b, operations.reshape(b, x, [4, 0])));
      b.output("sums", operations.reduceSum(b, x, [0]));
      b.output("joined", operations.concat(b, [x, input(b, "y", [2, 4])], 0));
      b.output("product", linear(b, x, parameter(b, "w", [3, 4])));
      b.output("zeros", operations.matmul(b, operations.transpose(b, x, [1, 0]), x));
    });
  });

  it("copies a result that has to stand in two places, and one that is an input", () => {
    check((b) => {
      const x = input(b, "x", [3, 4]);
      const y = operations.exp(b, x);
      b.output("input", x);
      b.output("first", y);
      b.output("second", y);
      b.output("transposed", operations.transpose(b, y, [1, 0]));
      b.output("flat", operations.reshape(b, y, [12]));
      b.output("constant", operations.constant(b, 2, [2]));
      b.output("indices", operations.iota(b, [2, 3], 1));
    });
  });

  it("computes each piece of a concatenation where it belongs", () => {
    const list = check((b) => {
      const x = input(b, "x", [3, 4]);
      const inner = operations.concat(b, [operations.exp(b, x), operations.sin(b, x)], 0);
      b.output("y", operations.concat(b, [inner, operations.tanh(b, inner)], 1));
    });
    assert.ok(list.kernels.every(({ label }) => label !== "copy"));
    assert.ok(list.buffers.every(({ home }) => home.segment !== "scratch"));
  });

  it("copies a piece that two concatenations share", () => {
    check((b) => {
      const x = input(b, "x", [3, 4]);
      const y = operations.exp(b, x);
      b.output("twice", operations.concat(b, [y, x, y], 0));
      b.output("beside", operations.concat(b, [x, y], 1));
    });
  });

  it("puts zeros between elements by a kernel that clears and one that fills", () => {
    const list = check((b) => {
      const x = operations.tanh(b, input(b, "x", [3, 4]));
      b.output("y", operations.pad(b, x, [1, 0], [0, 2], [1, 2]));
    });
    assert.deepEqual(archetypes(list), ["elementwise", "elementwise"]);
  });

  it("splits loops where a reshape cuts through an axis, and copies where that does not come out even", () => {
    const even = check((b) => {
      const x = operations.transpose(b, input(b, "x", [6, 4]), [1, 0]);
      b.output("y", operations.tanh(b, operations.reshape(b, x, [8, 3])));
    });
    assert.equal(even.kernels.length, 1);
    const odd = check((b) => {
      const x = operations.slice(b, input(b, "x", [6, 4]), [1, 1], [6, 4]);
      b.output("y", operations.tanh(b, operations.reshape(b, x, [3, 5])));
    });
    assert.deepEqual(
      odd.kernels.map(({ label }) => label),
      ["copy", "tanh"],
    );
  });

  it("gathers from views and from what is computed", () => {
    const list = check((b) => {
      const table = parameter(b, "table", [5, 6]);
      const rows = b.add("input", [], { name: "rows", dtype: "i32", shape: [3, 2], perInstance: false });
      b.output("view", operations.tanh(b, operations.gather(b, operations.transpose(b, table, [1, 0]), rows)));
      b.output("computed", operations.gather(b, operations.exp(b, table), rows));
    });
    assert.deepEqual(archetypes(list), ["elementwise", "elementwise", "elementwise"]);
  });

  it("evaluates draws where they are used, each instance by its own row", () => {
    const list = check((b) => {
      const seed = b.add("scalar", [], { name: "seed" });
      const step = b.add("scalar", [], { name: "step" });
      const draw = b.add("random", [seed, step, operations.iota(b, [3], 0)], {
        distribution: "normal",
        key: 9,
        shape: [2, 5],
      });
      b.output("y", operations.add(b, operations.transpose(b, draw, [2, 0, 1]), input(b, "x", [5, 3, 2])));
    });
    assert.equal(list.kernels.length, 1);
  });

  it("writes the new value of a tensor in place only when nobody reads the old one afterwards", () => {
    const scratch = (list: KernelList) => list.buffers.filter(({ home }) => home.segment === "scratch").length;
    const alone = check((b) => b.update("w", operations.scale(b, parameter(b, "w", [4, 4]), 0.5)));
    assert.equal(scratch(alone), 0);
    const read = check((b) => {
      const weight = parameter(b, "w", [4, 4]);
      b.update("w", operations.scale(b, weight, 0.5));
      b.output("old", operations.reduceSum(b, weight, [0]));
    });
    assert.equal(scratch(read), 1);
    assert.equal(read.kernels.at(-1)!.label, "copy");
    const turned = check((b) => {
      b.update("w", operations.tanh(b, operations.transpose(b, parameter(b, "w", [4, 4]), [1, 0])));
    });
    assert.equal(scratch(turned), 1);
  });
});
