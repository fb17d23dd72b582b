import assert from "node:assert/strict";
import { environmentOf } from "../../runtime/reference/environment.js";
import { GraphBuilder } from "../../src/graph/builder.js";
import type { Graph } from "../../src/graph/graph.js";
import { elementCount } from "../../src/graph/shape.js";
import { printGraph } from "../../src/graph/text.js";
import { allRules, ruleTable } from "../../src/passes/simplify/rules.js";
import { simplify } from "../../src/passes/simplify.js";
import type { ReferenceEnvironment } from "../../src/primitives/primitive.js";
import { sourceOf } from "../graphs/source.js";
import { assertSameResults } from "./agreement.js";
import { type Case, cases } from "./simplify-cases.js";

function graphOf(build: Case["build"]): Graph {
  const builder = new GraphBuilder();
  [build(builder)].flat().forEach((value, place) => {
    builder.output(`output.${place}`, value);
  });
  return builder.finish();
}

/** Some numbers for every leaf. */
function someEnvironment(graph: Graph): ReferenceEnvironment {
  const source = sourceOf(1);
  const stored = new Map<string, Float64Array>();
  for (const node of graph.nodes) {
    if (node.primitive !== "parameter") continue;
    const { path, dtype, shape } = node.attributes;
    const numbers = source.numbers(elementCount(shape), 0.5, 2);
    stored.set(path, dtype === "f32" ? numbers : numbers.map((number) => (number < 1 ? 0 : 1)));
  }
  return environmentOf({ stored });
}

describe("simplify", () => {
  const names = new Set(allRules.map((rule) => rule.name));

  it("has a case for every law, and no other", () => {
    assert.deepEqual([...new Set(cases.map((each) => each.law))].sort(), [...names].sort());
  });

  for (const { law, build, nodes } of cases) {
    it(`knows that ${law} (${nodes})`, () => {
      const graph = graphOf(build);
      const simplified = simplify(graph);
      assert.equal(simplified.nodes.map((node) => node.primitive).join(" "), nodes);
      assertSameResults(graph, simplified, someEnvironment(graph), law);
      const others = ruleTable(allRules.filter((rule) => rule.name !== law));
      assert.notEqual(printGraph(simplify(graph, others)), printGraph(simplified), "other laws do the same");
    });
  }

  it("keeps x - x, by which programs find what is not finite", () => {
    const graph = graphOf((b) => {
      const x = b.add("parameter", [], { path: "x", dtype: "f32", shape: [2] });
      return b.add("subtract", [x, x], {});
    });
    assert.equal(simplify(graph).nodes.length, 2);
  });

  it("does not fold what overflows or has no value", () => {
    for (const [primitive, value] of [
      ["log", 0],
      ["exp", 100],
      ["sqrt", -1],
    ] as const) {
      const graph = graphOf((b) => b.add(primitive, [b.add("constant", [], { dtype: "f32", shape: [2], value })], {}));
      assert.equal(simplify(graph).nodes.length, 2, primitive);
    }
  });

  it("reaches a form that it leaves alone", () => {
    for (const { law, build } of cases) {
      const once = simplify(graphOf(build));
      assert.equal(printGraph(simplify(once)), printGraph(once), law);
    }
  });
});
