import assert from "node:assert/strict";
import { GraphBuilder } from "../../src/graph/builder.js";
import { GraphTextError, parseGraph, printGraph } from "../../src/graph/text.js";
import type { PrimitiveName } from "../../src/primitives/names.js";
import { primitives } from "../../src/primitives/registry.js";
import { randomGraph } from "../graphs/random.js";

const parseFails = (text: string, message: RegExp) =>
  assert.throws(
    () => parseGraph(text),
    (error) => error instanceof GraphTextError && message.test(error.message),
  );

describe("the text of graphs", () => {
  it("is one readable line per node", () => {
    const builder = new GraphBuilder();
    builder.origin = { path: "backbone.blocks.0", span: { file: "model.weft", start: 12, end: 34 } };
    const x = builder.add("input", [], { name: "x", dtype: "f32", shape: [2, 3], perInstance: true });
    builder.origin = { path: "" };
    const y = builder.add("contraction", [x, x], { lhs: [0, 1], rhs: [2, 1], out: [0, 2] });
    builder.origin = undefined;
    builder.output("gram", y);
    builder.update("w.0", builder.add("reduce_sum", [y], { axes: [0, 1] }));
    assert.equal(
      printGraph(builder.finish()),
      [
        '%0: f32[2, 3] = input() {name: "x", dtype: "f32", shape: [2, 3], perInstance: true} @ backbone.blocks.0 model.weft:12-34',
        '%1: f32[2, 2] = contraction(%0, %0) {lhs: [0, 1], rhs: [2, 1], out: [0, 2]} @ ""',
        "%2: f32[] = reduce_sum(%1) {axes: [0, 1]}",
        'output "gram" = %1',
        'update "w.0" = %2',
        "",
      ].join("\n"),
    );
  });

  it("parses back to the same graph, for graphs of every primitive", () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 60; seed++) {
      const { graph } = randomGraph(seed, { perInstance: seed % 2 === 0, ranges: true, updates: seed % 3 === 0 });
      for (const { primitive } of graph.nodes) seen.add(primitive);
      const text = printGraph(graph);
      const parsed = parseGraph(text);
      assert.deepStrictEqual(parsed, graph);
      assert.equal(printGraph(parsed), text);
    }
    assert.deepEqual(
      (Object.keys(primitives) as PrimitiveName[]).filter((name) => !seen.has(name)),
      [],
    );
  });

  it("keeps every number, name and place exactly", () => {
    const builder = new GraphBuilder();
    const odd = [0.1, -0, 1e-320, 1.7976931348623157e308, 2 ** -24, 1 / 3, Infinity, -Infinity, NaN, 1e21];
    builder.origin = { path: 'weird "path" %1', span: { file: "C:\\my files\\a@b.weft", start: 0, end: 9 } };
    const values = odd.map((value) => builder.add("constant", [], { dtype: "f64", shape: [], value }));
    values.forEach((value, place) => {
      builder.output(`out "${place}"\n= %3`, value);
    });
    builder.output("table", builder.add("table", [], { dtype: "f32", shape: [10], values: odd }));
    const graph = builder.finish();
    assert.deepStrictEqual(parseGraph(printGraph(graph)), graph);
    assert.equal(new Set(values).size, odd.length);
  });

  it("may have blank lines and other line ends", () => {
    const graph = parseGraph('\r\n%0: i32[2] = iota() {shape: [2], axis: 0}\r\n\n  output "i" = %0');
    assert.deepEqual(graph.outputs, [{ name: "i", value: 0 }]);
  });

  it("is refused with the line that is wrong", () => {
    const first = "%0: i32[2] = iota() {shape: [2], axis: 0}\n";
    parseFails(`${first}%1: i32[2] = negate %0`, /^line 2: expected "\(" at "%0"/);
    parseFails(`${first}%1: x32[2] = negate(%0)`, /^line 2: expected a dtype, not x32/);
    parseFails(`${first}\n%1: i32[2] = negated(%0)`, /^line 3: there is no primitive negated/);
    parseFails(`${first}%0: i32[2] = negate(%0)`, /^line 2: %0 is there already/);
    parseFails(`${first}%1: i32[2] = negate(%0) extra`, /^line 2: expected the end of the line at "extra"/);
    parseFails(`${first}%1: i32[2] = toString(%0)`, /^line 2: there is no primitive toString/);
    parseFails(`${first}output i = %0`, /^line 2: expected a string/);
    parseFails(`${first}output "i = %0`, /^line 2: expected a string/);
    parseFails(`${first}update "i" = %0 %1`, /^line 2: expected the end of the line/);
    parseFails("nonsense", /^line 1: expected "%"/);
    parseFails("%0: f32[] = constant() {value: x}", /^line 1: expected a number at "x}"/);
    parseFails("%0: f32[] = constant() {value: 1", /^line 1: expected "}" at the end/);
  });
});
