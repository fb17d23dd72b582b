import assert from "node:assert/strict";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { environmentOf } from "../../runtime/reference/environment.js";
import { evaluate, interpret } from "../../runtime/reference/interpreter.js";
import { parseGraph } from "../../src/graph/text.js";

const text = (...lines: readonly string[]) => parseGraph(lines.join("\n"));
const x = '%0: f32[2] = input() {name: "x", dtype: "f32", shape: [2], perInstance: false}';

describe("the interpreter", () => {
  it("computes outputs and updates by name, in float64", () => {
    const graph = text(
      x,
      '%1: f32[2] = parameter() {path: "w", dtype: "f32", shape: [2]}',
      "%2: f32[2] = divide(%0, %1)",
      "%3: f32[2] = add(%1, %2)",
      'output "ratio" = %2',
      'update "w" = %3',
    );
    const environment = environmentOf({
      inputs: new Map([["x", Float64Array.of(1, 2)]]),
      stored: new Map([["w", Float64Array.of(3, 7)]]),
    });
    const results = evaluate(graph, environment);
    assert.deepEqual(results.get("ratio"), { type: { dtype: "f32", shape: [2] }, data: Float64Array.of(1 / 3, 2 / 7) });
    assert.deepEqual(results.get("w")?.data, Float64Array.of(3 + 1 / 3, 7 + 2 / 7));
  });

  it("keeps apart an output and an update of one name", () => {
    const graph = text(x, "%1: f32[2] = negate(%0)", 'output "x" = %0', 'update "x" = %1');
    const { outputs, updates } = interpret(graph, environmentOf({ inputs: new Map([["x", Float64Array.of(1, 2)]]) }));
    assert.deepEqual(outputs.get("x")?.data, Float64Array.of(1, 2));
    assert.deepEqual(updates.get("x")?.data, Float64Array.of(-1, -2));
  });

  it("answers scalars and the instance's index", () => {
    const graph = text(
      '%0: u32[] = scalar() {name: "seed"}',
      "%1: i32[] = instance_index()",
      '%2: f32[] = scalar() {name: "learning_rate"}',
      'output "seed" = %0',
      'output "index" = %1',
      'output "rate" = %2',
    );
    const results = evaluate(graph, environmentOf({ scalars: { seed: 9, row_offset: 16 }, instance: 3 }));
    assert.deepEqual(
      [...results.values()].map(({ data }) => data[0]),
      [9, 19, 0],
    );
  });

  it("names a leaf that has no value or not enough of it", () => {
    const graph = text(x, 'output "y" = %0');
    assert.throws(() => evaluate(graph, environmentOf({})), /input "x" has no value/);
    const short = environmentOf({ inputs: new Map([["x", Float64Array.of(1)]]) });
    assert.throws(() => evaluate(graph, short), /input .*"x".* was given 1 numbers/);
  });

  it("drops values after their last use", () => {
    // 100 tensors of 1 MiB, of which two are alive at any time.
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const lines = ['%0: f32[131072] = constant() {dtype: "f32", shape: [131072], value: 1}'];
    for (let value = 1; value <= 100; value++) lines.push(`%${value}: f32[131072] = negate(%${value - 1})`);
    const graph = text(...lines, 'output "y" = %100');
    collect();
    const before = process.memoryUsage().arrayBuffers;
    let peak = 0;
    interpret(graph, environmentOf({}), (node) => {
      if (node.outputs[0]! % 20 !== 0) return;
      collect();
      peak = Math.max(peak, process.memoryUsage().arrayBuffers - before);
    });
    assert.ok(peak < 10 * 2 ** 20, `${peak} bytes at once`);
  });
});
