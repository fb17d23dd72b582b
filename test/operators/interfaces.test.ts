import assert from "node:assert/strict";
import { WeftError } from "../../dsl/diagnostics/diagnostic.js";
import { mergeOperator } from "../../runtime/operators/merge.js";
import { operatorSpace } from "../../runtime/operators/space.js";
import { environmentOf } from "../../runtime/reference/environment.js";
import { evaluate } from "../../runtime/reference/interpreter.js";
import type { BuiltModel } from "../../src/build/build.js";
import { build } from "../build/support.js";
import { cases } from "../std/interfaces/cases.js";
import { imports, interfaces, numbersFor, type Trial } from "../std/interfaces/trial.js";

const resultOf = (model: BuiltModel, entry: string, { numbers, stored, tokens }: Trial): Float64Array => {
  const inputs = new Map([
    ["x", Float64Array.from(numbers.x)],
    ["t", tokens],
  ]);
  return evaluate(model.entryPoint(entry).graph, environmentOf({ inputs, stored })).get("output")!.data;
};

const furthest = (found: Float64Array, expected: Float64Array): number =>
  found.reduce((most, number, place) => Math.max(most, Math.abs(number - expected[place]!)), 0);

for (const { name, settings, module, shape } of cases) {
  describe(`${name}(${settings}) on ${module}, merged`, () => {
    const { doc = "" } = interfaces.find((declaration) => declaration.name.text === name)!;
    const mergeable = !doc.includes("not mergeable");
    let model: BuiltModel;
    let trial: Trial;

    before(async () => {
      const x = `x: [${shape.join(", ")}]`;
      model = await build(`${imports}
model M() {
  net = ${module}
  memory = adapt net with ${name}(${settings}) as Flat(1, 5)
  fn base(${x}) { net(x) }
  fn adapted(${x}, t: memory.tokens) { (net with memory(t))(x) }
  fn merged(${x}, t: memory.tokens) { (net with merge(memory(t)))(x) }
}
`);
      trial = numbersFor(model, shape);
    });

    const written = (): Map<string, Float64Array> => {
      const tokens = Float32Array.from(trial.tokens);
      const stored = (path: string) => {
        const { shape, dtype } = model.parameters.find((spec) => spec.path === path)!;
        const numbers = trial.stored.get(path)!;
        return dtype === "i32"
          ? ({ dtype: "i32", shape, data: Int32Array.from(numbers) } as const)
          : ({ dtype: "f32", shape, data: Float32Array.from(numbers) } as const);
      };
      const merged = mergeOperator(operatorSpace(model, "memory"), tokens, stored);
      const changed = [...merged].map(([path, { data }]) => [path, Float64Array.from(data)] as const);
      return new Map([...trial.stored, ...changed]);
    };

    if (mergeable) {
      it("gives what it gives unmerged, as an expression and as weights", () => {
        const expected = resultOf(model, "adapted", trial);
        assert.ok(furthest(resultOf(model, "base", trial), expected) > 1e-3, "the operator does nothing");
        assert.ok(furthest(resultOf(model, "merged", trial), expected) < 1e-9);
        assert.ok(furthest(resultOf(model, "base", { ...trial, stored: written() }), expected) < 1e-5);
      });
    } else {
      it("is refused, as it says of itself", () => {
        const isRefusal = (error: unknown): boolean => error instanceof WeftError && error.diagnostics.length > 0;
        assert.throws(() => model.entryPoint("merged"), isRefusal);
        assert.throws(written, isRefusal);
      });
    }
  });
}
