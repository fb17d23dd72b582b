/** Runs a graph through the interpreter and, fused, through the record evaluator, and compares every result. */
import assert from "node:assert/strict";
import { interpret } from "../../runtime/reference/interpreter.js";
import type { Graph } from "../../src/graph/graph.js";
import { elementCount } from "../../src/graph/shape.js";
import type { MemoryPlan } from "../../src/kernels/layout.js";
import type { BufferHome, KernelList } from "../../src/kernels/record.js";
import { leafHome } from "../../src/passes/fuse/placement.js";
import { type FuseHomes, fuse } from "../../src/passes/fuse.js";
import type { ReferenceEnvironment } from "../../src/primitives/primitive.js";
import type { Target } from "../../src/target.js";
import { evaluateKernels } from "./evaluate.js";
import { contentsOf, type InitialContents, type KernelMemory, plannedMemory, separateMemory } from "./memory.js";

/** A target that allows everything. */
export const anyTarget: Target = {
  name: "test",
  language: "graph",
  dtypes: ["f32", "i32", "u32", "bool"],
  vectorWidth: 8,
  threads: 1,
  limits: { buffersPerKernel: 64, bytesPerBinding: 2 ** 31 },
  cacheBytes: { level1: 32_768, level2: 1_048_576 },
  contractionPrologue: true,
};

export const withBuffers = (buffersPerKernel: number): Target => ({
  ...anyTarget,
  limits: { ...anyTarget.limits, buffersPerKernel },
});

/** What a graph's leaves hold, by home. */
export function leafContents(graph: Graph, environment: ReferenceEnvironment): InitialContents {
  const known = new Map<string, ArrayLike<number>>();
  for (const node of graph.nodes) {
    switch (node.primitive) {
      case "input":
      case "parameter":
      case "range":
      case "scalar":
      case "instance_index":
        known.set(JSON.stringify(leafHome(node)), environment.leaf(node).data);
        break;
      case "table":
        known.set(JSON.stringify(leafHome(node)), node.attributes.values);
        break;
      default:
    }
  }
  return (home: BufferHome) => known.get(JSON.stringify(home));
}

export interface Comparison {
  readonly target?: Target;
  readonly homes?: FuseHomes;
  /** Lays memory out; every buffer is by itself without. */
  readonly plan?: (list: KernelList) => MemoryPlan;
  readonly tolerance?: number;
}

/** Fuses, runs both, and asserts that outputs and updates agree. Returns the kernels. */
export function assertSameResults(
  graph: Graph,
  environment: ReferenceEnvironment,
  options: Comparison = {},
): KernelList {
  const { target = anyTarget, homes = {}, plan, tolerance = 1e-9 } = options;
  const list = fuse(graph, target, homes);
  const initial = leafContents(graph, environment);
  const memory = plan ? plannedMemory(list, plan(list), initial) : separateMemory(list, initial);
  evaluateKernels(list, memory);
  const expected = interpret(graph, environment);
  for (const { name, value } of graph.outputs) {
    const home = homes.outputs?.[name] ?? { segment: "outputs", name };
    same(`output ${name}`, resultAt(list, memory, home), expected.outputs.get(name)!.data, tolerance);
    assert.equal(expected.outputs.get(name)!.data.length, elementCount(graph.types[value]!.shape));
  }
  for (const { name } of graph.updates) {
    const home = homes.updates?.[name] ?? updateHome(graph, name);
    same(`update ${name}`, resultAt(list, memory, home), expected.updates.get(name)!.data, tolerance);
  }
  return list;
}

function updateHome(graph: Graph, name: string): BufferHome {
  for (const node of graph.nodes) {
    if (node.primitive === "range" && node.attributes.name === name) return leafHome(node);
  }
  return { segment: "parameters", path: name };
}

function resultAt(list: KernelList, memory: KernelMemory, home: BufferHome): Float64Array {
  const buffer = list.buffers.findIndex((candidate) => JSON.stringify(candidate.home) === JSON.stringify(home));
  assert.ok(buffer >= 0, `no buffer has home ${JSON.stringify(home)}`);
  return contentsOf(list, memory, buffer);
}

function same(what: string, actual: Float64Array, expected: Float64Array, tolerance: number): void {
  assert.equal(actual.length, expected.length, what);
  expected.forEach((value, element) => {
    const difference = Math.abs(actual[element]! - value);
    assert.ok(
      difference <= tolerance * Math.max(1, Math.abs(value)) || Object.is(actual[element], value),
      `${what}, element ${element}: ${actual[element]} instead of ${value}`,
    );
  });
}
