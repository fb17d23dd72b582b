import { environmentOf } from "../../runtime/reference/environment.js";
import type { GraphBuilder } from "../../src/graph/builder.js";
import type { ValueId } from "../../src/graph/node.js";
import type { Shape } from "../../src/graph/shape.js";
import * as operations from "../../src/primitives/operations.js";
import { anyValues, graphOf, input, linear, parameter } from "../passes/fuse-graphs.js";
import { describeOnDevices } from "./devices.js";
import { assertDeviceAgrees } from "./graph-runs.js";

describeOnDevices("graphs at the edges", (device) => {
  const check = (build: (b: GraphBuilder) => void): Promise<void> => {
    const graph = graphOf(build);
    return assertDeviceAgrees(device(), graph, anyValues(graph));
  };
  const typed = (b: GraphBuilder, name: string, dtype: "i32" | "bool", shape: Shape): ValueId =>
    b.add("input", [], { name, dtype, shape, perInstance: false });

  it("take and give nothing but tensors without elements", () =>
    check((b) => b.output("y", operations.tanh(b, input(b, "x", [0, 4])))));

  it("have a table without elements beside what is computed", () =>
    check((b) => {
      const table = b.add("table", [], { dtype: "f32", shape: [0, 2], values: [] });
      b.output("y", operations.concat(b, [table, operations.tanh(b, input(b, "x", [3, 2]))], 0));
      b.output("empty", table);
    }));

  it("hand out parameters, inputs, integers and truth values as they are", () =>
    check((b) => {
      const w = parameter(b, "w", [3]);
      const i = typed(b, "i", "i32", [4]);
      const two = operations.constantLike(b, 2, i);
      b.output("w", w);
      b.output("again", w);
      b.output("i", i);
      b.output("less", operations.less(b, i, two));
      b.output("both", operations.and(b, operations.less(b, i, two), operations.not(b, typed(b, "m", "bool", [4]))));
      b.output("largest", operations.argmax(b, operations.cast(b, i, "f32"), 0));
      b.output("count", operations.reduceSum(b, i, [0]));
    }));

  it("exchange two parameters, and give a third what it also hands out", () =>
    check((b) => {
      const [v, w, u] = ["v", "w", "u"].map((path) => parameter(b, path, [5])) as [ValueId, ValueId, ValueId];
      b.update("v", w);
      b.update("w", v);
      const next = operations.multiply(b, u, w);
      b.update("u", next);
      b.output("u", next);
      b.output("before", u);
    }));

  it("turn parameters around each other", () =>
    check((b) => {
      const [a, c, d] = ["a", "c", "d"].map((path) => parameter(b, path, [2, 2])) as [ValueId, ValueId, ValueId];
      b.update("a", operations.transpose(b, c, [1, 0]));
      b.update(
        "c",
        operations.concat(b, [operations.slice(b, d, [1, 0], [2, 2]), operations.slice(b, c, [0, 0], [1, 2])], 0),
      );
      b.update("d", operations.add(b, operations.transpose(b, d, [1, 0]), a));
    }));

  for (const [rows, columns] of [
    [4, 300],
    [1, 70_000],
    [300, 4],
    [200, 2],
  ] as const) {
    it(`read a mean of [${rows}, ${columns}] that they also replace`, () =>
      check((b) => {
        const x = input(b, "x", [rows, columns]);
        const running = parameter(b, "running", [rows]);
        const mean = operations.reduceMean(b, x, [1]);
        const centred = operations.subtract(b, x, operations.unreduce(b, mean, [rows, columns], [1]));
        const scaled = operations.multiply(b, centred, operations.unreduce(b, running, [rows, columns], [1]));
        b.update("running", operations.add(b, operations.scale(b, running, 0.9), operations.scale(b, mean, 0.1)));
        b.output("y", scaled);
      }));
  }

  it("tell tables and constants apart that differ in a sign or in what is not finite", () =>
    check((b) => {
      const table = (value: number) => b.add("table", [], { dtype: "f32", shape: [2], values: [value, 1] });
      b.output("up", operations.minimum(b, table(Number.POSITIVE_INFINITY), input(b, "x", [2])));
      b.output("down", operations.minimum(b, table(Number.NEGATIVE_INFINITY), input(b, "x", [2])));
      const one = operations.constant(b, 1, [2]);
      b.output("table", operations.add(b, operations.divide(b, one, table(0)), operations.divide(b, one, table(-0))));
      const [above, below] = [0, -0].map((zero) => operations.divide(b, one, operations.constant(b, zero, [2])));
      b.output("larger", operations.less(b, below!, above!));
    }));

  it("tell tables of equal numbers and different types apart", () =>
    check((b) => {
      const table = (dtype: "f32" | "i32" | "bool") => b.add("table", [], { dtype, shape: [1, 2], values: [1, 0] });
      const scattered = operations.scatterAdd(b, input(b, "x", [1, 2]), table("i32"), 2, 1);
      b.output("scattered", operations.add(b, scattered, table("f32")));
      const [q, k] = [input(b, "q", [1, 1, 4]), input(b, "k", [1, 2, 2])];
      const mask = operations.reshape(b, table("bool"), [1, 1, 2]);
      const [attended] = b.addAll("attention", [operations.sliceAxis(b, q, 2, 0, 2), k, k, mask], {
        scale: 0.5,
        masked: true,
      });
      b.output("attended", operations.add(b, operations.reshape(b, attended!, [1, 2]), table("f32")));
    }));

  it("saturate where floats become integers, and wrap where integers overflow", async () => {
    const graph = graphOf((b) => {
      const x = input(b, "x", [9]);
      b.output("i32", operations.cast(b, x, "i32"));
      b.output("u32", operations.cast(b, x, "u32"));
      const i = typed(b, "i", "i32", [4]);
      const one = operations.constantLike(b, 1, i);
      b.output("overtaken", operations.less(b, operations.add(b, i, one), i));
      b.output("undercut", operations.less(b, i, operations.subtract(b, i, one)));
      b.output("turned", operations.less(b, operations.negate(b, i), operations.constantLike(b, 0, i)));
      b.output("size", operations.less(b, operations.absolute(b, i), operations.constantLike(b, 0, i)));
      b.output("product", operations.multiply(b, i, i));
      b.output("sum", operations.reduceSum(b, i, [0]));
    });
    const floats = [
      3e9,
      -3e9,
      5e9,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      -1.5,
      2147483520,
      2.9,
    ];
    const inputs = new Map([
      ["x", Float64Array.from(floats)],
      ["i", Float64Array.of(2 ** 31 - 1, -(2 ** 31), 65_537, -3)],
    ]);
    await assertDeviceAgrees(device(), graph, environmentOf({ inputs }));
  });

  it("add up more products than one kernel takes", () =>
    check((b) => {
      const sums = Array.from({ length: 20 }, (_, number) =>
        linear(b, input(b, `x${number}`, [5, 3]), parameter(b, `w${number}`, [4, 3])),
      );
      b.output(
        "y",
        sums.reduce((sum, one) => operations.add(b, sum, one)),
      );
    }));

  it("attend to no keys, and pass the gradient of that", () =>
    check((b) => {
      const [q, k, v] = [input(b, "q", [2, 3, 4]), input(b, "k", [1, 0, 4]), input(b, "v", [1, 0, 5])];
      const [output, logSum] = b.addAll("attention", [q, k, v], { scale: 0.5, masked: false });
      const cotangent = input(b, "c", [2, 3, 5]);
      const slopes = b.addAll("attention_backward", [q, k, v, output!, logSum!, cotangent], {
        scale: 0.5,
        masked: false,
      });
      b.output("output", output!);
      for (const [place, slope] of slopes.entries()) b.output(`slope${place}`, slope);
    }));

  it("attend with heads of no width", () =>
    check((b) => {
      const [q, k, v] = [input(b, "q", [2, 3, 0]), input(b, "k", [2, 4, 0]), input(b, "v", [2, 4, 0])];
      const [output, logSum] = b.addAll("attention", [q, k, v], { scale: 0.5, masked: false });
      b.output("output", output!);
      b.output("logSum", logSum!);
    }));

  it("attend to one value that is repeated for more keys than fit a block", () =>
    check((b) => {
      const [q, k] = [input(b, "q", [1, 2, 8]), input(b, "k", [1, 2500, 8])];
      const v = operations.broadcast(b, input(b, "v", [1, 100]), [1, 2500, 100], [0, 2]);
      const [output] = b.addAll("attention", [q, k, v], { scale: 0.5, masked: false });
      b.output("output", output!);
    }));

  it("attend with masks that are repeated along odd axes, and keys without the batch", () =>
    check((b) => {
      const q = input(b, "q", [3, 4, 5, 8]);
      const k = operations.broadcast(b, input(b, "k", [2, 7, 8]), [3, 2, 7, 8], [1, 2, 3]);
      const v = operations.broadcast(b, input(b, "v", [2, 7, 6]), [3, 2, 7, 6], [1, 2, 3]);
      const mask = operations.broadcast(b, typed(b, "m", "bool", [3, 5]), [3, 1, 5, 7], [0, 2]);
      const [output, logSum] = b.addAll("attention", [q, k, v, mask], { scale: 0.3, masked: true });
      const slopes = b.addAll("attention_backward", [q, k, v, mask, output!, logSum!, input(b, "c", [3, 4, 5, 6])], {
        scale: 0.3,
        masked: true,
      });
      b.output("output", output!);
      for (const [place, slope] of slopes.entries()) b.output(`slope${place}`, operations.reduceSum(b, slope, [0]));
    }));

  it("attend with the widest heads, one query and one key", () =>
    check((b) => {
      for (const [queries, keys] of [
        [1, 1],
        [70, 1],
        [1, 170],
        [65, 170],
      ] as const) {
        const name = `${queries}x${keys}`;
        const [q, k, v] = [
          input(b, `q${name}`, [1, queries, 1024]),
          input(b, `k${name}`, [1, keys, 1024]),
          input(b, `v${name}`, [1, keys, 1024]),
        ];
        const [output, logSum] = b.addAll("attention", [q, k, v], { scale: 0.03, masked: false });
        const slopes = b.addAll(
          "attention_backward",
          [q, k, v, output!, logSum!, input(b, `c${name}`, [1, queries, 1024])],
          { scale: 0.03, masked: false },
        );
        b.output(`output${name}`, output!);
        for (const [place, slope] of slopes.entries()) b.output(`slope${name}${place}`, slope);
      }
    }));
});
