import { strict as assert } from "node:assert";
import { builtins } from "../../dsl/check/builtins.js";
import type { Builtin } from "../../src/build/builtins/arguments.js";
import { creationBuiltins } from "../../src/build/builtins/creation.js";
import { derivativeBuiltins } from "../../src/build/builtins/derivatives.js";
import { elementwiseBuiltins } from "../../src/build/builtins/elementwise.js";
import { instanceBuiltins } from "../../src/build/builtins/instances.js";
import { movementBuiltins } from "../../src/build/builtins/movement.js";
import { operatorBuiltins } from "../../src/build/builtins/operators.js";
import { productBuiltins } from "../../src/build/builtins/products.js";
import { reductionBuiltins } from "../../src/build/builtins/reductions.js";
import { builtinNames } from "../../src/build/builtins/registry.js";
import { staticBuiltins } from "../../src/build/builtins/static.js";
import { trainingBuiltins } from "../../src/build/builtins/training.js";
import { build, run } from "./support.js";

const built: Readonly<Record<string, Builtin>> = {
  ...elementwiseBuiltins,
  ...reductionBuiltins,
  ...movementBuiltins,
  ...productBuiltins,
  ...creationBuiltins,
  ...instanceBuiltins,
  ...derivativeBuiltins,
  ...operatorBuiltins,
  ...staticBuiltins,
  ...trainingBuiltins,
};

describe("built-in functions", () => {
  it("are the same when names are checked and when a model is built", () => {
    assert.deepEqual(Object.keys(built).sort(), [...builtinNames()].sort());
    // `mixture(a: 0.7)` is read as it is written, since its names are those of data.
    const checked = [...builtins.keys()].filter((name) => name !== "mixture");
    assert.deepEqual(checked.sort(), Object.keys(built).sort());
  });

  it("have the parameters that their calls are checked with", () => {
    for (const [name, { forms }] of builtins) {
      if (name === "mixture") continue;
      const names = built[name]!.parameters.map((parameter) => parameter.replace(/[?*]$/, ""));
      for (const { parameters, variadic } of forms) {
        for (const parameter of variadic ? [] : parameters)
          assert.ok(names.includes(parameter.name), `${name} is built without ${parameter.name}`);
      }
    }
  });

  it("take arguments by name", async () => {
    const model = await build(`model M() {
  fn f(x: [2, 3]) -> ([3], [3]) {
    let y = x[0]
    for i in range(stop: 3) { y = y + i }
    (einsum(x, pattern: "i j -> j"), y)
  }
}`);
    assert.deepEqual(run(model, "f", { x: [1, 2, 3, 4, 5, 6] }), { "output.0": [5, 7, 9], "output.1": [4, 5, 6] });
  });

  it("find the extremes of any number of numbers, or of a list", async () => {
    const values = "[max(1, 2, 3, 4), min(4, 3, 2, 1), max(2, 7), min([5, 6, 8])]";
    const model = await build(`model M() {
  fn f(x: int[4]) -> int[4] { x + tensor(${values}) }
}`);
    assert.deepEqual(run(model, "f", { x: [0, 0, 0, 0] }), { output: [4, 1, 7, 5] });
  });
});
