/** Records of kernels without expressions: attention, and those that go by indices. Their operands are views of memory. */
import type { NodeOf, ValueId } from "../../graph/node.js";
import type { Access, KernelRecord } from "../../kernels/record.js";
import type { Cluster, IndexedNode } from "./cluster.js";
import { shapeOfValue } from "./facts.js";
import { groupedProduct } from "./grouped.js";
import type { LoweringContext } from "./lowering.js";
import { describe } from "./naming.js";
import type { Storage } from "./strides.js";

type AttentionNode = NodeOf<"attention"> | NodeOf<"attention_backward">;

/** A view over a tensor's axes. Axes of size 1 get stride 0. */
function accessOf(storage: Storage, shape: readonly number[]): Access {
  const strides = storage.strides.map((stride, axis) => (shape[axis] === 1 ? 0 : stride));
  return { buffer: storage.buffer, offset: storage.offset, strides };
}

function operand(context: LoweringContext, cluster: Cluster, value: ValueId): Access {
  return accessOf(context.viewOrStore(value, cluster), shapeOfValue(context.facts, value));
}

/** Results are stored once: beside a result itself, or one view of it, further views are left to kernels of their own. */
function evictViews(context: LoweringContext, cluster: Cluster, results: readonly ValueId[]): boolean {
  const written = new Set<ValueId>();
  let changed = false;
  const stores = context.storesOf(cluster);
  // The result itself goes first, and then views in order.
  for (const member of [...stores.filter((value) => results.includes(value)), ...stores]) {
    const base = baseOf(context, cluster, member);
    if (member === base || !written.has(base)) {
      written.add(base);
    } else if (context.owner(member) === cluster) {
      context.evict(member);
      changed = true;
    }
  }
  return changed;
}

/** Where a result goes: its own place, or that of the view of it that is stored. */
function result(context: LoweringContext, cluster: Cluster, value: ValueId): Access {
  const own = context.layout(value)!;
  const stores = context.storesOf(cluster).filter((member) => baseOf(context, cluster, member) === value);
  const target = stores.includes(value) ? value : (stores[0] ?? value);
  const storage = context.storageOf(target);
  const strideOf = new Map<number, number>();
  context.dimensions.resolveLayout(context.layout(target)!).forEach((axis, place) => {
    let stride = storage.strides[place]!;
    for (const name of axis.toReversed()) {
      strideOf.set(name, stride);
      stride *= context.dimensions.extent(name);
    }
  });
  const strides = own.map(([name]) => (name === undefined ? 0 : strideOf.get(name)!));
  return { buffer: storage.buffer, offset: storage.offset, strides };
}

/** The result of the kernel's node that a member is a view of. */
function baseOf(context: LoweringContext, cluster: Cluster, member: ValueId): ValueId {
  const { facts } = context;
  let at = member;
  while (facts.roles[at] === "view" && context.owner(facts.producers[at]!.inputs[0]!) === cluster) {
    at = facts.producers[at]!.inputs[0]!;
  }
  return at;
}

export function attentionRecord(
  context: LoweringContext,
  cluster: Cluster,
  node: AttentionNode,
): KernelRecord | "again" {
  if (evictViews(context, cluster, node.outputs)) return "again";
  const { scale, masked } = node.attributes;
  const [q, k, v] = [node.inputs[0]!, node.inputs[1]!, node.inputs[2]!];
  const shape = shapeOfValue(context.facts, q);
  const [heads, queries, width] = shape.slice(-3) as [number, number, number];
  const [keyHeads, keys, valueWidth] = shapeOfValue(context.facts, v).slice(-3) as [number, number, number];
  const results = node.outputs.map((output) => result(context, cluster, output));
  const read = (value: ValueId) => operand(context, cluster, value);
  const common = {
    ...describe(context.facts, cluster, []),
    batch: shape.slice(0, -3),
    heads,
    group: heads / keyHeads,
    queries,
    keys,
    width,
    valueWidth,
    scale,
    q: read(q),
    k: read(k),
    v: read(v),
    ...(masked && { mask: read(node.inputs[3]!) }),
  };
  if (node.primitive === "attention") {
    return { archetype: "attention", ...common, output: results[0]!, logSum: results[1]! };
  }
  const [output, logSum, cotangent] = node.inputs.slice(-3) as [ValueId, ValueId, ValueId];
  return {
    archetype: "attention_backward",
    ...common,
    output: read(output),
    logSum: read(logSum),
    cotangent: read(cotangent),
    dq: results[0]!,
    dk: results[1]!,
    dv: results[2]!,
  };
}

export function indexedRecord(context: LoweringContext, cluster: Cluster, node: IndexedNode): KernelRecord | "again" {
  if (evictViews(context, cluster, node.outputs)) return "again";
  const described = describe(context.facts, cluster, []);
  const read = (value: ValueId) => operand(context, cluster, value);
  switch (node.primitive) {
    case "scatter_add":
      return { ...described, ...scatterAdd(context, cluster, node) };
    case "argsort": {
      const shape = shapeOfValue(context.facts, node.inputs[0]!);
      const keys = read(node.inputs[0]!);
      const order = result(context, cluster, node.outputs[0]!);
      return { ...described, archetype: "sort", batch: shape.slice(0, -1), length: shape.at(-1)!, keys, order };
    }
    case "grouped_contraction":
    case "grouped_sum":
      return {
        ...described,
        ...groupedProduct(context, cluster, node, result(context, cluster, node.outputs[0]!), read),
      };
  }
}

function scatterAdd(context: LoweringContext, cluster: Cluster, node: NodeOf<"scatter_add">) {
  const { batch, size } = node.attributes;
  const [source, indices] = [node.inputs[0]!, node.inputs[1]!];
  const shape = shapeOfValue(context.facts, source);
  const rank = shapeOfValue(context.facts, indices).length;
  const target = result(context, cluster, node.outputs[0]!);
  return {
    archetype: "scatter_add",
    batch: shape.slice(0, batch),
    updates: shape.slice(batch, rank),
    size,
    rest: shape.slice(rank),
    indices: operand(context, cluster, indices),
    source: operand(context, cluster, source),
    target,
  } as const;
}
