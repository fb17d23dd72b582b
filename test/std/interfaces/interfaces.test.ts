import { strict as assert } from "node:assert";
import { environmentOf } from "../../../runtime/reference/environment.js";
import { evaluate } from "../../../runtime/reference/interpreter.js";
import { examineStarts, startErrors } from "../../../src/build/zero-start.js";
import { evaluateLeaves } from "../../build/support.js";
import { cases } from "./cases.js";
import { numbersFor, trialOf } from "./trial.js";

for (const trial of cases) {
  const { name, settings, module, shape, changes } = trial;
  describe(`${name}(${settings}) on ${module}`, () => {
    it(changes ? `changes its base at the start, since ${changes}` : "equals its base at the start", async () => {
      const model = await trialOf(trial);
      const reports = examineStarts(model, evaluateLeaves);
      assert.ok(reports.length > 0);
      assert.deepEqual(startErrors(model, reports), []);
      const proven = reports.every(
        ({ result }) => result === "proven by substitution" || result === "checked numerically",
      );
      assert.equal(proven, changes === undefined);
    });

    it("gives what its formula gives, written out", async () => {
      const model = await trialOf(trial);
      const { numbers, stored, tokens } = numbersFor(model, shape);
      const inputs = new Map([
        ["x", Float64Array.from(numbers.x)],
        ["t", tokens],
      ]);
      const { data } = evaluate(model.entryPoint("adapted").graph, environmentOf({ inputs, stored })).get("output")!;
      const expected = trial.expected(numbers);
      assert.equal(data.length, expected.length);
      for (const [place, number] of expected.entries()) {
        assert.ok(Math.abs(data[place]! - number) < 1e-9, `${place}: ${data[place]} instead of ${number}`);
      }
    });
  });
}
