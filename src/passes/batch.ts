import { GraphBuilder } from "../graph/builder.js";
import type { Graph } from "../graph/graph.js";
import type { Node, ValueId } from "../graph/node.js";
import { broadcastLeading } from "../primitives/operations.js";
import { primitiveOf } from "../primitives/registry.js";

export interface BatchOptions {
  /** Inputs that have one value for the whole batch although they are declared per instance: an operator that all instances use. */
  readonly sharedInputs?: ReadonlySet<string>;
  /** Outputs that are left without an instance axis; what they are made of may not depend on the instance. */
  readonly sharedOutputs?: ReadonlySet<string>;
}

/** An output or update that must be the same for all instances, but is not. */
export class InstanceError extends Error {
  constructor(readonly output: string) {
    super(`"${output}" depends on the instance, so it has no single value for the whole batch`);
    this.name = "InstanceError";
  }
}

/** A graph that was traced for another number of instances than it is batched for. */
function wrongSize(traced: number, size: number): Error {
  return new Error(`the graph gathers ${traced} instances, but the batch has ${size}`);
}

/**
 * The graph of one instance as the graph of `size` instances: every value that depends on an input with `perInstance` or on
 * `instance_index` gets a leading axis of `size`; all others are computed once and stay as they are. Inputs that were per instance become plain
 * inputs of shape [size, ...shape]; `instance_index` becomes iota(size) + row_offset. Every output gets the leading axis (one that
 * does not depend on the instance is repeated), except those in `options.sharedOutputs`; updates never get one. `gather_instances` gives
 * its operand with all its instances, which from there on is one value that they share.
 * Throws InstanceError when a shared output or an update depends on the instance.
 */
export function batch(graph: Graph, size: number, options: BatchOptions = {}): Graph {
  const builder = new GraphBuilder();
  const values = new Int32Array(graph.types.length);
  const batched = new Uint8Array(graph.types.length);

  for (const node of graph.nodes) {
    builder.origin = node.origin;
    if (node.primitive === "gather_instances") {
      const { size: traced } = node.attributes;
      if (traced !== size) throw wrongSize(traced, size);
      const [input] = node.inputs as [ValueId];
      const whole = values[input]!;
      values[node.outputs[0]!] = batched[input] === 1 ? whole : broadcastLeading(builder, whole, size);
      continue;
    }
    const isBatched = isPerInstance(node, options) || node.inputs.some((input) => batched[input] === 1);
    const outputs = isBatched ? batchNode(builder, node, values, batched, size) : copyNode(builder, node, values);
    node.outputs.forEach((output, index) => {
      values[output] = outputs[index]!;
      batched[output] = isBatched ? 1 : 0;
    });
  }
  builder.origin = undefined;

  for (const { name, value } of graph.outputs) {
    const shared = options.sharedOutputs?.has(name) ?? false;
    if (shared && batched[value] === 1) throw new InstanceError(name);
    const repeats = !shared && batched[value] === 0;
    builder.output(name, repeats ? broadcastLeading(builder, values[value]!, size) : values[value]!);
  }
  for (const { name, value } of graph.updates) {
    if (batched[value] === 1) throw new InstanceError(name);
    builder.update(name, values[value]!);
  }
  return builder.finish();
}

function isPerInstance(node: Node, { sharedInputs }: BatchOptions): boolean {
  if (node.primitive === "input") return node.attributes.perInstance && !sharedInputs?.has(node.attributes.name);
  return node.primitive === "instance_index";
}

/** A node that is the same for all instances. */
function copyNode(builder: GraphBuilder, node: Node, values: Int32Array): readonly ValueId[] {
  if (node.primitive === "input") return builder.addAll("input", [], { ...node.attributes, perInstance: false });
  const inputs = node.inputs.map((input) => values[input]!);
  return builder.addAll(node.primitive, inputs, node.attributes);
}

function batchNode(
  builder: GraphBuilder,
  node: Node,
  values: Int32Array,
  batched: Uint8Array,
  size: number,
): readonly ValueId[] {
  switch (node.primitive) {
    case "input": {
      const shape = [size, ...node.attributes.shape];
      return builder.addAll("input", [], { ...node.attributes, shape, perInstance: false });
    }
    case "instance_index":
      return [instanceIndices(builder, size)];
    default: {
      const inputs = node.inputs.map((input) => values[input]!);
      const isBatched = node.inputs.map((input) => batched[input] === 1);
      return primitiveOf(node.primitive).batch(builder, node.attributes as never, inputs, isBatched, size);
    }
  }
}

/** i32 [size]: the rows of the global batch. */
function instanceIndices(builder: GraphBuilder, size: number): ValueId {
  const offset = builder.add("scalar", [], { name: "row_offset" });
  const offsets = builder.add("broadcast", [offset], { shape: [size], axes: [] });
  const local = builder.add("iota", [], { shape: [size], axis: 0 });
  return builder.add("add", [local, offsets], {});
}
