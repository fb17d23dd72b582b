import type { GraphBuilder } from "../../src/graph/builder.js";
import * as operations from "../../src/primitives/operations.js";
import { anyValues, graphOf, input, parameter, softmax } from "../passes/fuse-graphs.js";
import { describeOnDevices } from "./devices.js";
import { assertDeviceAgrees } from "./graph-runs.js";

describeOnDevices("parameters that are replaced by what is computed from them", (device) => {
  const check = (build: (b: GraphBuilder) => void): Promise<void> => {
    const graph = graphOf(build);
    return assertDeviceAgrees(device(), graph, anyValues(graph));
  };

  it("move along themselves, in either direction", () =>
    check((b) => {
      const [up, down] = [parameter(b, "up", [6, 3]), parameter(b, "down", [6, 3])];
      const next = operations.tanh(b, input(b, "x", [1, 3]));
      b.update("up", operations.concat(b, [operations.slice(b, up, [1, 0], [6, 3]), next], 0));
      b.update("down", operations.concat(b, [next, operations.slice(b, down, [0, 0], [5, 3])], 0));
      b.output("sum", operations.reduceSum(b, up, [0]));
    }));

  it("are added to products, of themselves too, and turned", () =>
    check((b) => {
      const [u, v, w] = [parameter(b, "u", [40, 40]), parameter(b, "v", [40, 40]), parameter(b, "w", [40, 40])];
      const x = input(b, "x", [40, 40]);
      b.update("u", operations.add(b, operations.matmul(b, x, x), operations.transpose(b, u, [1, 0])));
      b.update("v", operations.add(b, operations.matmul(b, v, x), v));
      b.update("w", operations.add(b, operations.matmul(b, x, x), w));
    }));

  it("follow from their own rows and columns", () =>
    check((b) => {
      const [rows, columns] = [parameter(b, "rows", [5, 3000]), parameter(b, "columns", [300, 7])];
      const weights = softmax(b, rows);
      b.update("rows", operations.add(b, weights, rows));
      b.output("mean", operations.reduceSum(b, operations.multiply(b, weights, rows), [1]));
      const turned = operations.transpose(b, softmax(b, operations.transpose(b, columns, [1, 0])), [1, 0]);
      b.update("columns", operations.subtract(b, columns, turned));
    }));
});
