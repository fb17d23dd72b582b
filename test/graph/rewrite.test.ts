import assert from "node:assert/strict";
import { evaluate } from "../../runtime/reference/interpreter.js";
import { GraphBuilder } from "../../src/graph/builder.js";
import { copyInto, rewrite } from "../../src/graph/rewrite.js";
import { parseGraph, printGraph } from "../../src/graph/text.js";
import { verify } from "../../src/graph/verify.js";
import { randomGraph } from "../graphs/random.js";

const lines = (...text: readonly string[]) => text.map((line) => `${line}\n`).join("");
const x = '%0: f32[2] = input() {name: "x", dtype: "f32", shape: [2], perInstance: true}';

describe("rewriting", () => {
  it("without a rule keeps what a graph computes", () => {
    for (let seed = 0; seed < 30; seed++) {
      const random = randomGraph(seed, { updates: true });
      const rebuilt = rewrite(random.graph);
      verify(rebuilt);
      assert.ok(rebuilt.nodes.length <= random.graph.nodes.length);
      assert.deepEqual(evaluate(rebuilt, random.environment()), evaluate(random.graph, random.environment()));
    }
  });

  it("joins equal nodes, drops dead ones and numbers values without gaps", () => {
    const graph = parseGraph(
      lines(
        x,
        "%5: f32[2] = exp(%0) @ a",
        "%6: f32[2] = sin(%0)",
        "%7: f32[2] = exp(%0) @ b",
        "%8: f32[2] = add(%5, %7)",
        'output "y" = %8',
      ),
    );
    assert.equal(
      printGraph(rewrite(graph)),
      lines(x, "%1: f32[2] = exp(%0) @ a", "%2: f32[2] = add(%1, %1)", 'output "y" = %2'),
    );
  });

  it("replaces nodes, gives the new ones their origin and drops what is needed no more", () => {
    const graph = parseGraph(
      lines(
        x,
        "%1: f32[2] = sin(%0)",
        "%2: f32[2] = negate(%1) @ head file.weft:1-2",
        'output "y" = %2',
        'update "s" = %0',
      ),
    );
    const rewritten = rewrite(graph, (node, inputs, builder) => {
      if (node.primitive !== "negate") return undefined;
      const argument = builder.producers[inputs[0]!]!.inputs[0]!;
      return [builder.add("cos", [argument], {})];
    });
    assert.equal(
      printGraph(rewritten),
      lines(x, "%1: f32[2] = cos(%0) @ head file.weft:1-2", 'output "y" = %1', 'update "s" = %0'),
    );
  });

  it("keeps only what other roots need", () => {
    const graph = parseGraph(lines(x, "%1: f32[2] = sin(%0)", "%2: f32[2] = cos(%0)", 'output "y" = %2'));
    const roots = { outputs: [{ name: "s", value: 1 }], updates: [] };
    assert.equal(
      printGraph(rewrite(graph, () => undefined, roots)),
      lines(x, "%1: f32[2] = sin(%0)", 'output "s" = %1'),
    );
  });

  it("may copy into a builder that has nodes already, and says where each value went", () => {
    const graph = parseGraph(lines(x, "%1: f32[2] = sin(%0)", "%2: f32[2] = cos(%0)", 'output "y" = %2'));
    const builder = new GraphBuilder();
    builder.add("constant", [], { dtype: "f32", shape: [], value: 1 });
    const values = copyInto(builder, graph);
    assert.deepEqual([...values], [1, undefined, 2]);
  });

  it("is quick on long graphs", () => {
    const builder = new GraphBuilder();
    let value = builder.add("input", [], { name: "x", dtype: "f32", shape: [], perInstance: false });
    for (let count = 0; count < 20000; count++) value = builder.add(count % 2 === 0 ? "sin" : "cos", [value], {});
    builder.output("y", value);
    const start = performance.now();
    assert.equal(rewrite(builder.finish()).nodes.length, 20001);
    assert.ok(performance.now() - start < 5000);
  });
});

describe("the graph builder", () => {
  it("shares equal nodes and tells apart constants that differ in sign of zero", () => {
    const builder = new GraphBuilder();
    const constant = (value: number) => builder.add("constant", [], { dtype: "f32", shape: [], value });
    assert.equal(constant(1), constant(1));
    assert.notEqual(constant(0), constant(-0));
    assert.notEqual(constant(Number.POSITIVE_INFINITY), constant(Number.NaN));
  });
});
