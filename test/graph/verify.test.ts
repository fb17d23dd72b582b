import assert from "node:assert/strict";
import type { Graph } from "../../src/graph/graph.js";
import type { Node } from "../../src/graph/node.js";
import { parseGraph } from "../../src/graph/text.js";
import { GraphError, verify } from "../../src/graph/verify.js";
import { randomGraph } from "../graphs/random.js";
import { sourceOf } from "../graphs/source.js";

const good = `
%0: f32[2, 3] = input() {name: "x", dtype: "f32", shape: [2, 3], perInstance: true}
%1: f32[3] = parameter() {path: "w", dtype: "f32", shape: [3]}
%2: f32[2] = contraction(%0, %1) {lhs: [0, 1], rhs: [1], out: [0]} @ head model.weft:3-9
%3: f32[3] = negate(%1)
output "y" = %2
update "w" = %3
`;

/** The good graph with one piece of its text replaced. */
const refused = (before: string, after: string, message: RegExp) => {
  const text = good.replace(before, after);
  assert.notEqual(text, good);
  assert.throws(
    () => verify(parseGraph(text)),
    (error) => error instanceof GraphError && message.test(error.message),
  );
};

describe("the verifier", () => {
  it("accepts well-formed graphs", () => {
    verify(parseGraph(good));
    for (let seed = 0; seed < 20; seed++) {
      verify(randomGraph(seed, { perInstance: true, ranges: true, updates: true }).graph);
    }
  });

  it("names the node whose type the shape rule does not give", () => {
    refused("%2: f32[2]", "%2: f32[3]", /%2: f32\[3\] = contraction.*@ head model.weft:3-9: %2 should be f32\[2\]/);
    refused("%3: f32[3]", "%3: i32[3]", /%3 should be f32\[3\]/);
  });

  it("names the node whose inputs do not fit", () => {
    refused("contraction(%0, %1)", "contraction(%0, %0)", /contraction: labels \[1\] do not suit \[2, 3\]/);
    refused("negate(%1)", "negate(%1, %1)", /negate takes 1 operand, not 2/);
    refused("lhs: [0, 1], ", "", /%2: f32\[2\] = contraction/);
  });

  it("refuses inputs that nothing earlier produces", () => {
    refused("negate(%1)", "negate(%7)", /%7 is not produced by an earlier node/);
    refused("negate(%1)", "negate(%3)", /%3 is not produced by an earlier node/);
  });

  it("refuses outputs and updates that nothing produces, and names used twice", () => {
    refused('output "y" = %2', 'output "y" = %9', /output "y" is %9, which nothing produces/);
    refused('update "w" = %3', 'output "y" = %3', /two outputs are named "y"/);
    refused('update "w" = %3', 'update "w" = %2', /update "w" is f32\[2\], but %1: f32\[3\] = parameter/);
  });

  it("refuses constants that are not finite or not of their dtype", () => {
    const constant = (dtype: string, value: string) =>
      refused("negate(%1)", `constant() {dtype: "${dtype}", shape: [3], value: ${value}}`, /is no finite|should be/);
    constant("f32", "inf");
    constant("f32", "nan");
    const alone = (text: string, message: RegExp) =>
      assert.throws(
        () => verify(parseGraph(text)),
        (error) => error instanceof GraphError && message.test(error.message),
      );
    alone('%0: i32[] = constant() {dtype: "i32", shape: [], value: 0.5}', /0.5 is no finite i32/);
    alone('%0: u32[] = constant() {dtype: "u32", shape: [], value: -1}', /-1 is no finite u32/);
    alone('%0: bool[1] = table() {dtype: "bool", shape: [1], values: [2]}', /2 is no finite bool/);
  });

  it("refuses leaves of one name that disagree", () => {
    refused(
      "%3: f32[3] = negate(%1)",
      '%3: f32[3] = input() {name: "x", dtype: "f32", shape: [3], perInstance: true}',
      /the graph has another leaf of that name: %0/,
    );
  });

  it("refuses a value with two producers and a primitive it does not know", () => {
    const graph = parseGraph(good);
    const [x, w, y, z] = graph.nodes as [Node, Node, Node, Node];
    const broken = (nodes: readonly Node[]): Graph => ({ ...graph, nodes });
    assert.throws(() => verify(broken([x, w, y, z, { ...z, outputs: [2] } as Node])), /%2 has two producers/);
    assert.throws(
      () => verify(broken([x, w, y, { ...z, primitive: "invert" } as unknown as Node])),
      /no primitive invert/,
    );
    assert.throws(() => verify(broken([w, y, x, z])), /%0 is not produced by an earlier node/);
  });

  it("catches a type changed anywhere in a random graph", () => {
    for (let seed = 0; seed < 40; seed++) {
      const { graph } = randomGraph(seed, { nodes: 10 });
      const value = sourceOf(seed).integer(0, graph.types.length - 1);
      const types = graph.types.map((type, place) => (place === value ? { ...type, shape: [...type.shape, 2] } : type));
      assert.throws(() => verify({ ...graph, types }), GraphError, `seed ${seed}, %${value}`);
    }
  });
});
