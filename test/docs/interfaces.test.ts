import { strict as assert } from "node:assert";
import { type InterfaceDescription, standardInterfaces } from "../../src/api/interfaces.js";
import { simplify } from "../../src/passes/simplify.js";
import { cases, type InterfaceCase } from "../std/interfaces/cases.js";
import { multiplyAdds } from "../std/interfaces/cost.js";
import { buildTrial, numberOf } from "../std/interfaces/trial.js";
import { codeIn, section, tableRows } from "./blocks.js";

const page = "docs/interfaces.md";
const rows = tableRows(section(page, "All of them"));

/** Modules of sides that differ, so that no formula holds by chance, and inputs of so many tokens. */
const measured: Readonly<Record<string, (tokens: number) => readonly [string, readonly number[]]>> = {
  Linear: (tokens) => ["Linear(24, 40)", [tokens, 24]],
  Conv2d: (tokens) => ["Conv2d(4, 6, 3)", [4, tokens + 2, 3]],
  Attention: (tokens) => ["Attention(12, heads: 4, kv_heads: 2, context_dim: 12)", [tokens, 12]],
  RMSNorm: (tokens) => ["RMSNorm(6)", [tokens, 6]],
  LayerNorm: (tokens) => ["LayerNorm(6)", [tokens, 6]],
  MLP: (tokens) => ["MLP(6)", [tokens, 6]],
};

/** Multiply-adds beyond the module's own. */
async function extra({ name, settings, module }: InterfaceCase, tokens: number) {
  const [made, shape] = measured[module.slice(0, module.indexOf("("))]!(tokens);
  const model = await buildTrial(made, `${name}(${settings})`, shape);
  const cost = (entry: string) => multiplyAdds(simplify(model.entryPoint(entry).graph));
  return { model, cost: cost("adapted") - cost("base") };
}

describe("the comparison of interfaces", () => {
  let described: readonly InterfaceDescription[];
  before(async () => {
    described = await standardInterfaces();
  });

  it("has all of the library, in its order, and says of each what it says of itself", () => {
    const says = described.map(({ name, generates, mergeable, needsWeight, changesStart }) => [
      `\`${name}\``,
      `\`${generates}\``,
      mergeable ? "yes" : "no",
      needsWeight ? "yes" : "no",
      changesStart ? "changed" : "its base",
    ]);
    assert.deepEqual(
      rows.map(([name, generates, , , ...facts]) => [name, generates, ...facts]),
      says,
    );
  });

  for (const [name, , perToken, once] of rows) {
    const interfaceName = codeIn(name!)[0]!;
    const [each] = codeIn(perToken!);
    const [first] = codeIn(once!);
    if (each === undefined || first === undefined) continue;
    it(`counts the multiply-adds of ${interfaceName} as they are`, async () => {
      const tried = cases.filter((candidate) => candidate.name === interfaceName);
      assert.ok(tried.length > 0);
      for (const candidate of tried) {
        // A picture of the settings' size fixes the number of tokens.
        for (const tokens of interfaceName === "ConvAdapter" ? [6] : [3, 8]) {
          const { model, cost } = await extra(candidate, tokens);
          const found: number = cost - tokens * (await numberOf(each, model));
          const expected = await numberOf(first, model);
          if (once!.startsWith("about"))
            assert.ok(found >= expected && found <= 1.5 * expected, `${found}, ${expected}`);
          else assert.equal(found, expected, `${candidate.settings}, ${tokens} tokens`);
        }
      }
    });
  }
});
