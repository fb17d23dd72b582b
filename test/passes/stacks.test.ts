import assert from "node:assert/strict";
import { GraphBuilder } from "../../src/graph/builder.js";
import type { Graph } from "../../src/graph/graph.js";
import type { ParameterLayout } from "../../src/kernels/layout.js";
import type { BufferHome } from "../../src/kernels/record.js";
import { fuse } from "../../src/passes/fuse.js";
import * as operations from "../../src/primitives/operations.js";
import { anyTarget } from "../kernels/against-interpreter.js";

const count = 3;

/** Rows times the matrices of three modules, and the gradients of those, as outputs `gradient:PATH`. */
function graphOf(paths: readonly string[]): Graph {
  const b = new GraphBuilder();
  const x = b.add("input", [], { name: "x", dtype: "f32", shape: [10, 4], perInstance: false });
  const index = b.add("input", [], { name: "index", dtype: "i32", shape: [10], perInstance: false });
  const weights = paths.map((path) => b.add("parameter", [], { path, dtype: "f32", shape: [4, 6] }));
  const stack = operations.concat(
    b,
    weights.map((weight) => operations.reshape(b, weight, [1, 4, 6])),
    0,
  );
  const y = b.add("grouped_contraction", [x, stack, index], { lhs: [0], rhs: [0, 1], out: [1], groups: 1 });
  b.output("y", y);
  const sums = b.add("grouped_sum", [x, y, index], { lhs: [0], rhs: [1], out: [0, 1], groups: [paths.length] });
  paths.forEach((path, place) => {
    b.output(`gradient:${path}`, operations.reshape(b, operations.sliceAxis(b, sums, 0, place, place + 1), [4, 6]));
  });
  return b.finish();
}

/** Each module has a bias before its matrix; `gap` more bytes stand before the last one. */
function layoutOf(gap = 0): ParameterLayout {
  const places = Array.from({ length: count }, (_, module) => {
    const offset = module * (256 + 256) + (module === count - 1 ? gap : 0);
    return [
      { path: `experts.${module}.bias`, dtype: "f32" as const, shape: [6], offset },
      { path: `experts.${module}.weight`, dtype: "f32" as const, shape: [4, 6], offset: offset + 256 },
    ];
  }).flat();
  return { places, bytes: count * 512 + gap };
}

const paths = Array.from({ length: count }, (_, module) => `experts.${module}.weight`);

function kernelsWith(layout: ParameterLayout, order = paths, bytesPerBinding = 2 ** 20) {
  const outputs: Record<string, BufferHome> = {};
  for (const path of paths) outputs[`gradient:${path}`] = { segment: "gradients", path };
  const target = { ...anyTarget, limits: { ...anyTarget.limits, bytesPerBinding } };
  return fuse(graphOf(order), target, { outputs, layout });
}

const copies = (list: ReturnType<typeof kernelsWith>) =>
  list.kernels.filter(({ archetype, label }) => archetype === "elementwise" && label === "copy").length;

describe("stored tensors of equal modules", () => {
  it("are read, and their gradients written, as views of one stretch of memory", () => {
    const list = kernelsWith(layoutOf());
    assert.equal(copies(list), 0);
    const [product] = list.kernels.filter(({ archetype }) => archetype === "grouped_contraction");
    assert.ok(product?.archetype === "grouped_contraction");
    assert.deepEqual(product.rhs.strides, [512 / 4, 1, 6]);
    assert.deepEqual(list.buffers[product.rhs.buffer], {
      dtype: "f32",
      elements: (2 * 512) / 4 + 24,
      home: { segment: "range", of: "parameters", offset: 256 / 4 },
    });
    const [sum] = list.kernels.filter(({ archetype }) => archetype === "grouped_sum");
    assert.ok(sum?.archetype === "grouped_sum");
    assert.deepEqual(list.buffers[sum.output.buffer]!.home, { segment: "range", of: "gradients", offset: 256 / 4 });
  });

  it("are copied where they stand at unequal distances, or in another order", () => {
    assert.ok(copies(kernelsWith(layoutOf(256))) > 0);
    assert.ok(copies(kernelsWith(layoutOf(), paths.toReversed())) > 0);
  });

  it("are copied where a target cannot bind all of them at once", () => {
    const list = kernelsWith(layoutOf(), paths, 1024);
    assert.ok(copies(list) > 0);
    for (const { home } of list.buffers) assert.notEqual(home.segment, "range");
  });
});
