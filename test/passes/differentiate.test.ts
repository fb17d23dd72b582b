import assert from "node:assert/strict";
import { environmentOf } from "../../runtime/reference/environment.js";
import { interpret } from "../../runtime/reference/interpreter.js";
import { GraphBuilder } from "../../src/graph/builder.js";
import { isFloat } from "../../src/graph/dtype.js";
import type { Graph } from "../../src/graph/graph.js";
import type { ValueId } from "../../src/graph/node.js";
import { elementCount } from "../../src/graph/shape.js";
import { verify } from "../../src/graph/verify.js";
import { differentiate } from "../../src/passes/differentiate.js";
import { leafValues } from "../../src/passes/leaves.js";
import type { PrimitiveName } from "../../src/primitives/names.js";
import {
  add,
  contraction,
  multiply,
  reduceSum,
  sliceAxis,
  stopGradient,
  tanh,
} from "../../src/primitives/operations.js";
import { primitives } from "../../src/primitives/registry.js";
import { type RandomGraph, randomGraph } from "../graphs/random.js";
import { sourceOf } from "../graphs/source.js";
import { graphCount } from "./agreement.js";

const lossGradients = (graph: Graph, withRespectTo: readonly string[]): Graph =>
  differentiate(graph, { outputs: [{ name: "loss", cotangent: "one" }], withRespectTo });

const floatLeaves = (graph: Graph): string[] =>
  [...leafValues(graph)].filter(([, value]) => isFloat(graph.types[value]!.dtype)).map(([name]) => name);

/** The loss with one leaf moved by `distance` along a direction. */
function lossAt(random: RandomGraph, leaf: string, direction: Float64Array, distance: number): number {
  const moved = (data: Float64Array) => data.map((number, index) => number + distance * direction[index]!);
  const inputs = new Map([...random.inputs].map(([name, data]) => [name, data[0]!]));
  const stored = new Map(random.stored);
  for (const values of [inputs, stored]) {
    const data = values.get(leaf);
    if (data) values.set(leaf, moved(data));
  }
  return interpret(random.graph, environmentOf({ inputs, stored, scalars: random.scalars })).outputs.get("loss")!
    .data[0]!;
}

describe("differentiate", () => {
  const count = graphCount(60);
  // Gradients are first order, and finite differences see through a stopped gradient.
  const smooth = (Object.keys(primitives) as PrimitiveName[]).filter(
    (name) => name !== "attention_backward" && name !== "stop_gradient",
  );

  it(`agrees with finite differences on ${count} random graphs`, () => {
    let compared = 0;
    for (let seed = 0; seed < count; seed++) {
      const random = randomGraph(seed, { nodes: 18, primitives: smooth });
      const leaves = floatLeaves(random.graph);
      const graph = lossGradients(random.graph, leaves);
      verify(graph);
      const { outputs } = interpret(graph, random.environment());
      const source = sourceOf(seed);
      for (const leaf of leaves) {
        const gradient = outputs.get(`gradient:${leaf}`)!.data;
        const direction = source.numbers(gradient.length, -1, 1);
        const expected = gradient.reduce((sum, number, index) => sum + number * direction[index]!, 0);
        const step = 1e-5;
        const actual = (lossAt(random, leaf, direction, step) - lossAt(random, leaf, direction, -step)) / (2 * step);
        const scale = Math.max(1, Math.abs(expected));
        assert.ok(Math.abs(actual - expected) <= 1e-5 * scale, `seed ${seed}, ${leaf}: ${expected}, but ${actual}`);
        if (expected !== 0) compared++;
      }
    }
    assert.ok(compared > count, "most graphs have gradients that are not zero");
  });

  it("keeps the outputs and gives zeros for a leaf that does not matter", () => {
    const builder = new GraphBuilder();
    const x = parameter(builder, "x", [2]);
    parameter(builder, "unused", [3]);
    builder.output("loss", reduceSum(builder, multiply(builder, x, x), [0]));
    const graph = lossGradients(builder.finish(), ["x", "unused"]);
    const { outputs } = interpret(graph, environmentOf({ stored: new Map([["x", Float64Array.of(3, 4)]]) }));
    assert.deepEqual([...outputs.keys()], ["loss", "gradient:x", "gradient:unused"]);
    assert.equal(outputs.get("loss")!.data[0], 25);
    assert.deepEqual([...outputs.get("gradient:x")!.data], [6, 8]);
    assert.deepEqual([...outputs.get("gradient:unused")!.data], [0, 0, 0]);
  });

  it("weighs an output with a cotangent that is handed in", () => {
    const builder = new GraphBuilder();
    const x = parameter(builder, "x", [2]);
    builder.output("square", multiply(builder, x, x));
    const graph = differentiate(builder.finish(), {
      outputs: [{ name: "square", cotangent: "cotangent.square" }],
      withRespectTo: ["x"],
    });
    const stored = new Map([["x", Float64Array.of(3, 4)]]);
    const inputs = new Map([["cotangent.square", Float64Array.of(1, 10)]]);
    const { outputs } = interpret(graph, environmentOf({ stored, inputs }));
    assert.deepEqual([...outputs.get("gradient:x")!.data], [6, 80]);
  });

  it("computes nothing for leaves that were not asked for", () => {
    const builder = new GraphBuilder();
    const x = parameter(builder, "x", [4, 8]);
    const w = parameter(builder, "w", [8, 8]);
    const y = contraction(builder, tanh(builder, x), w, [0, 1], [1, 2], [0, 2]);
    builder.output("loss", reduceSum(builder, multiply(builder, y, y), [0, 1]));
    const graph = lossGradients(builder.finish(), ["w"]);
    assert.equal(countNodes(graph, "contraction"), 2, "one product forward, one for the weight");
  });

  it("passes nothing through stop_gradient", () => {
    const builder = new GraphBuilder();
    const x = parameter(builder, "x", [1]);
    builder.output("loss", reduceSum(builder, multiply(builder, x, stopGradient(builder, x)), [0]));
    const graph = lossGradients(builder.finish(), ["x"]);
    const { outputs } = interpret(graph, environmentOf({ stored: new Map([["x", Float64Array.of(3)]]) }));
    assert.deepEqual([...outputs.get("gradient:x")!.data], [3]);
  });

  it("differentiates a chain of 40,000 nodes", () => {
    const builder = new GraphBuilder();
    let x = parameter(builder, "x", [1]);
    for (let index = 0; index < 20_000; index++) {
      const wave = builder.add("sin", [x], {});
      x = add(builder, wave, x);
    }
    builder.output("loss", reduceSum(builder, x, [0]));
    const graph = lossGradients(builder.finish(), ["x"]);
    assert.ok(graph.nodes.length > 40_000);
  });

  it("names what it does not find", () => {
    const builder = new GraphBuilder();
    builder.output("loss", reduceSum(builder, parameter(builder, "x", [1]), [0]));
    const graph = builder.finish();
    assert.throws(() => lossGradients(graph, ["y"]), /no leaf named "y"/);
    assert.throws(
      () => differentiate(graph, { outputs: [{ name: "output", cotangent: "one" }], withRespectTo: ["x"] }),
      /no output named "output"/,
    );
  });
});

describe("differentiate: cotangents of slices", () => {
  it("joins the gradients of disjoint slices, filling gaps with zeros", () => {
    const builder = new GraphBuilder();
    const x = parameter(builder, "x", [6, 2]);
    const parts = [
      [1, 2],
      [4, 6],
      [2, 3],
    ].map(([start, limit]) => sliceAxis(builder, x, 0, start!, limit!));
    builder.output("loss", sumOfSquares(builder, parts));
    const graph = lossGradients(builder.finish(), ["x"]);
    assert.equal(countNodes(graph, "concat"), 1);
    assert.equal(countNodes(graph, "pad"), 0);
    assert.deepEqual(gradientOf(graph, "x", [6, 2]), [0, 0, 6, 8, 10, 12, 0, 0, 18, 20, 22, 24]);
  });

  it("joins slices of several axes level by level", () => {
    const builder = new GraphBuilder();
    const x = parameter(builder, "x", [3, 4]);
    const parts: ValueId[] = [];
    for (let row = 0; row < 3; row++) {
      for (let column = 0; column < 4; column += 2) {
        const cut = { starts: [row, column], limits: [row + 1, column + 2], steps: [1, 1] };
        parts.push(builder.add("slice", [x], cut));
      }
    }
    builder.output("loss", sumOfSquares(builder, parts));
    const graph = lossGradients(builder.finish(), ["x"]);
    assert.equal(countNodes(graph, "concat"), 4);
    assert.equal(countNodes(graph, "pad"), 0);
    assert.deepEqual(
      gradientOf(graph, "x", [3, 4]),
      Array.from({ length: 12 }, (_, index) => 2 * (index + 1)),
    );
  });

  it("interleaves the gradients of every second element", () => {
    const builder = new GraphBuilder();
    const x = parameter(builder, "x", [2, 6]);
    const parts = [0, 1].map((start) =>
      builder.add("slice", [x], { starts: [0, start], limits: [2, start + 5], steps: [1, 2] }),
    );
    builder.output("loss", sumOfSquares(builder, parts));
    const graph = lossGradients(builder.finish(), ["x"]);
    assert.equal(countNodes(graph, "pad"), 0);
    assert.deepEqual(
      gradientOf(graph, "x", [2, 6]),
      Array.from({ length: 12 }, (_, index) => 2 * (index + 1)),
    );
  });

  it("adds what overlaps, and only there", () => {
    const builder = new GraphBuilder();
    const x = parameter(builder, "x", [8]);
    const parts = [
      [0, 3],
      [2, 4],
      [6, 8],
    ].map(([start, limit]) => sliceAxis(builder, x, 0, start!, limit!));
    builder.output("loss", sumOfSquares(builder, parts));
    const graph = lossGradients(builder.finish(), ["x"]);
    assert.deepEqual(gradientOf(graph, "x", [8]), [2, 4, 12, 8, 0, 0, 14, 16]);
    const sums = graph.nodes
      .filter((node) => node.primitive === "add")
      .map((node) => graph.types[node.outputs[0]!]!.shape);
    assert.ok(sums.every((shape) => elementCount(shape) < 8));
  });

  it("adds the gradient of the whole to those of its parts", () => {
    const builder = new GraphBuilder();
    const x = parameter(builder, "x", [3]);
    builder.output("loss", sumOfSquares(builder, [x, sliceAxis(builder, x, 0, 1, 2)]));
    assert.deepEqual(gradientOf(lossGradients(builder.finish(), ["x"]), "x", [3]), [2, 8, 6]);
  });

  it("writes bytes in proportion to the layers of a token grid", () => {
    const written = (layers: number): number => {
      const tokens = 6;
      const builder = new GraphBuilder();
      const grid = parameter(builder, "tokens", [layers, tokens, 4, 8]);
      const slots: ValueId[] = [];
      for (let layer = 0; layer < layers; layer++) {
        const own = sliceAxis(builder, grid, 0, layer, layer + 1);
        for (let token = 0; token < tokens; token += 2) {
          const pieces = builder.add("reshape", [sliceAxis(builder, own, 1, token, token + 2)], { shape: [2, 4, 8] });
          const joined = builder.add("transpose", [pieces], { permutation: [1, 0, 2] });
          slots.push(builder.add("reshape", [joined], { shape: [4, 16] }));
        }
      }
      builder.output("loss", sumOfSquares(builder, slots));
      const forward = builder.finish();
      const graph = lossGradients(forward, ["tokens"]);
      const bytes = (nodes: Graph) =>
        nodes.nodes.reduce((sum, node) => sum + 4 * elementCount(nodes.types[node.outputs[0]!]!.shape), 0);
      return bytes(graph) - bytes(forward);
    };
    const [few, many] = [written(4), written(64)];
    assert.ok(many <= 16 * few * 1.01, `${few} bytes for 4 layers, ${many} for 64`);
  });
});

const parameter = (builder: GraphBuilder, path: string, shape: readonly number[]): ValueId =>
  builder.add("parameter", [], { path, dtype: "f32", shape });

function sumOfSquares(builder: GraphBuilder, values: readonly ValueId[]): ValueId {
  return values
    .map((value) => reduceSum(builder, multiply(builder, value, value), [...builder.shape(value).keys()]))
    .reduce((sum, square) => add(builder, sum, square));
}

const countNodes = (graph: Graph, primitive: PrimitiveName): number =>
  graph.nodes.filter((node) => node.primitive === primitive).length;

/** The gradient where the leaf holds 1, 2, 3, ... */
function gradientOf(graph: Graph, leaf: string, shape: readonly number[]): number[] {
  const numbers = new Float64Array(elementCount(shape)).map((_, index) => index + 1);
  const { outputs } = interpret(graph, environmentOf({ stored: new Map([[leaf, numbers]]) }));
  return [...outputs.get(`gradient:${leaf}`)!.data];
}
