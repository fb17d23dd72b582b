/** Makes the record of a cluster: lowers its expressions, keeps within the target's limits, and joins loops. */
import type { Node, ValueId } from "../../graph/node.js";
import type {
  Access,
  ContractionKernel,
  ElementwiseKernel,
  KernelRecord,
  Operand,
  Product,
  ReductionKernel,
  Store,
} from "../../kernels/record.js";
import type { ScalarProgram } from "../../kernels/scalar.js";
import { type Affine, SplitRequest } from "./affine.js";
import type { Cluster, ClusterProduct, Root } from "./cluster.js";
import { Expression } from "./expression.js";
import { typeOf } from "./facts.js";
import type { LoweringContext } from "./lowering.js";
import { type DimensionGroup, type Merging, mergedAffine, mergedExtents, mergedStrides, planMerging } from "./merge.js";
import { describe } from "./naming.js";
import { sides } from "./products.js";
import { relieve } from "./relieve.js";
import type { Dimension } from "./space.js";
import { attentionRecord, indexedRecord } from "./structured.js";

/** What was made of a cluster: its record, or nothing when nobody needs its values; "again" when it was changed and has to be lowered anew. */
export type Made = KernelRecord | "nothing" | "again";

export function makeRecord(context: LoweringContext, cluster: Cluster): Made {
  for (;;) {
    try {
      return tryMake(context, cluster);
    } catch (error) {
      if (!(error instanceof DimensionSplit)) throw error;
      if (!context.dimensions.split(error.dimension, error.inner)) throw new Error("a dimension cannot be split");
    }
  }
}

/** A split request with the dimension's name. */
class DimensionSplit {
  constructor(
    readonly dimension: Dimension,
    readonly inner: number,
  ) {}
}

/** Runs a step of lowering over a space; names the dimension of a split request. */
function within<T>(space: readonly Dimension[], step: () => T): T {
  try {
    return step();
  } catch (error) {
    if (error instanceof SplitRequest) throw new DimensionSplit(space[error.place]!, error.inner);
    throw error;
  }
}

function tryMake(context: LoweringContext, cluster: Cluster): Made {
  const { root } = cluster;
  switch (root.kind) {
    case "assembly":
      return "nothing";
    case "attention":
      return attentionRecord(context, cluster, root.node);
    case "indexed":
      return indexedRecord(context, cluster, root.node);
    case "elementwise":
    case "reduction":
    case "contraction":
      break;
  }
  const stores = context.storesOf(cluster);
  if (stores.length + cluster.copies.length === 0) return "nothing";
  const lowered =
    root.kind === "contraction"
      ? contraction(context, cluster, root, stores)
      : pointwise(context, cluster, root, stores);
  if (lowered === "again") return "again";
  const { record, expressions } = lowered;
  if (context.bindingCount(record) > context.target.limits.buffersPerKernel) {
    const changed = relieve(context, cluster, stores, expressions);
    if (changed) return "again";
  }
  return record;
}

interface LoweredStore {
  readonly buffer: number;
  readonly at: Affine;
  readonly value: number;
}

/** Lowers everything a cluster writes. */
function lowerStores(
  context: LoweringContext,
  cluster: Cluster,
  expression: Expression,
  values: readonly ValueId[],
): LoweredStore[] {
  const stores = values.map((value): LoweredStore => {
    const map = expression.mapOf(context.layout(value)!);
    const storage = context.storageOf(value);
    return { buffer: storage.buffer, at: expression.placeOf(storage, map), value: expression.lower(value, map) };
  });
  for (const { request, layout } of cluster.copies) {
    const map = expression.mapOf(layout);
    const value =
      request.value === undefined
        ? expression.program.constant(0, typeOf(context.facts, request.like).dtype)
        : expression.lower(request.value, map);
    stores.push({ buffer: request.storage.buffer, at: expression.placeOf(request.storage, map), value });
  }
  const kept = expression.program.keep(stores.map(({ value }) => value));
  return stores.map((store, place) => ({ ...store, value: kept[place]! }));
}

/** Everything affine in a program over a space. */
function vectorsOf(accesses: readonly Access[], body: ScalarProgram): (readonly number[])[] {
  return [
    ...accesses.map(({ strides }) => strides),
    ...accesses.flatMap(({ bounds }) => (bounds ?? []).map(({ strides }) => strides)),
    ...body.flatMap((instruction) => (instruction.kind === "index" ? [instruction.strides] : [])),
  ];
}

function mergeAccess(access: Access, merging: Merging): Access {
  const { bounds, ...rest } = access;
  const strides = mergedStrides(access.strides, merging);
  if (!bounds) return { ...rest, strides };
  return {
    ...rest,
    strides,
    bounds: bounds.map((bound) => ({ ...bound, strides: mergedStrides(bound.strides, merging) })),
  };
}

const mergeBody = (body: ScalarProgram, merging: Merging): ScalarProgram =>
  body.map((instruction) =>
    instruction.kind === "index"
      ? { ...instruction, strides: mergedStrides(instruction.strides, merging) }
      : instruction,
  );

function mergeStores(stores: readonly LoweredStore[], merging: Merging): Store[] {
  return stores.map(({ buffer, at, value }) => ({ access: { buffer, ...mergedAffine(at, merging) }, value }));
}

interface Lowered {
  readonly record: KernelRecord;
  readonly expressions: readonly Expression[];
}

function pointwise(
  context: LoweringContext,
  cluster: Cluster,
  root: Extract<Root, { kind: "elementwise" | "reduction" }>,
  values: readonly ValueId[],
): Lowered {
  const { dimensions } = context;
  const rows = dimensions.resolve(root.kind === "elementwise" ? root.layout.flat() : root.rows);
  const reduced = root.kind === "elementwise" ? [] : dimensions.resolve(root.reduced);
  const space = [...rows, ...reduced];
  const expression = new Expression(context, cluster, space, { accumulator: false });
  const stores = within(space, () => lowerStores(context, cluster, expression, values));
  const { accesses, instructions } = expression.program;
  const extents = space.map((name) => dimensions.extent(name));
  const ordered = instructions.some(
    (instruction) => instruction.kind === "reduce" && instruction.reduction === "argmax",
  );
  const groups: DimensionGroup[] = [
    { count: rows.length, sortable: true },
    { count: reduced.length, sortable: !ordered },
  ];
  const vectors = [...stores.map(({ at }) => at.strides), ...vectorsOf(accesses, instructions)];
  const merging = planMerging(extents, groups, vectors);
  const merged = {
    ...describe(context.facts, cluster, [expression]),
    accesses: accesses.map((access) => mergeAccess(access, merging)),
    body: mergeBody(instructions, merging),
    stores: mergeStores(stores, merging),
  };
  const [rowExtents, reducedExtents] = merging.map((group) => mergedExtents(extents, group)) as [number[], number[]];
  if (root.kind === "reduction") {
    const record: ReductionKernel = {
      archetype: "reduction",
      ...merged,
      extents: [...rowExtents, ...reducedExtents],
      reduced: reducedExtents.length,
    };
    return { record, expressions: [expression] };
  }
  const record: ElementwiseKernel = { archetype: "elementwise", ...merged, extents: rowExtents };
  return { record: rowExtents.length === 0 ? onePoint(record) : record, expressions: [expression] };
}

/** A kernel of one number has one dimension of one point. */
function onePoint(record: ElementwiseKernel): ElementwiseKernel {
  const widen = (access: Access): Access => ({
    ...access,
    strides: [0],
    ...(access.bounds && { bounds: access.bounds.map((bound) => ({ ...bound, strides: [0] })) }),
  });
  return {
    ...record,
    extents: [1],
    accesses: record.accesses.map(widen),
    body: record.body.map((instruction) =>
      instruction.kind === "index" ? { ...instruction, strides: [0] } : instruction,
    ),
    stores: record.stores.map(({ access, value }) => ({ access: widen(access), value })),
  };
}

function contraction(
  context: LoweringContext,
  cluster: Cluster,
  root: Extract<Root, { kind: "contraction" }>,
  values: readonly ValueId[],
): Lowered | "again" {
  const { dimensions } = context;
  const roles = root.products.map((product) => sides(context, product));
  const out = dimensions.resolve(root.out);
  const inRole = (role: "batch" | "lhs" | "rhs") =>
    out.filter((name) => {
      const all = roles.map((map) => map.get(name)!);
      return all.includes("batch") ? role === "batch" : all[0] === role;
    });
  const [batch, rows, columns] = [inRole("batch"), inRole("lhs"), inRole("rhs")];
  const outer = [...batch, ...rows, ...columns];
  const expression = new Expression(context, cluster, outer, { accumulator: true });
  const stores = within(outer, () => lowerStores(context, cluster, expression, values));
  const expressions = [expression];
  const products: { reduced: Dimension[]; lhs: Expression; rhs: Expression }[] = [];
  for (const product of root.products) {
    const reduced = dimensions.resolve(product.reduced);
    const space = [...outer, ...reduced];
    const lower = (side: "lhs" | "rhs", scale: number) =>
      within(space, () => lowerOperand(context, cluster, space, product, side, scale));
    const lhs = lower("lhs", product.scale);
    const rhs = lower("rhs", 1);
    if (!lhs || !rhs) return "again";
    expressions.push(lhs, rhs);
    products.push({ reduced, lhs, rhs });
  }

  const extents = outer.map((name) => dimensions.extent(name));
  const groups = [batch, rows, columns].map(({ length }): DimensionGroup => ({ count: length, sortable: true }));
  const operands = products.flatMap(({ lhs, rhs }) => [lhs.program, rhs.program]);
  const merging = planMerging(extents, groups, [
    ...stores.map(({ at }) => at.strides),
    ...vectorsOf(expression.program.accesses, expression.program.instructions),
    ...operands.flatMap(({ accesses, instructions }) => vectorsOf(accesses, instructions)),
  ]);
  const [batchExtents, rowExtents, columnExtents] = merging.map((group) => mergedExtents(extents, group));
  const record: ContractionKernel = {
    archetype: "contraction",
    ...describe(context.facts, cluster, expressions),
    batch: batchExtents!,
    rows: rowExtents!,
    columns: columnExtents!,
    products: products.map((product) => mergeProduct(context, product, outer, merging)),
    accesses: expression.program.accesses.map((access) => mergeAccess(access, merging)),
    epilogue: mergeBody(expression.program.instructions, merging),
    stores: mergeStores(stores, merging),
  };
  return { record, expressions };
}

function mergeProduct(
  context: LoweringContext,
  { reduced, lhs, rhs }: { reduced: readonly Dimension[]; lhs: Expression; rhs: Expression },
  outer: readonly Dimension[],
  merging: Merging,
): Product {
  const extents = [...outer, ...reduced].map((name) => context.dimensions.extent(name));
  const vectors = [lhs, rhs].flatMap(({ program }) => vectorsOf(program.accesses, program.instructions));
  const inner = vectors.map((vector) => vector.slice(outer.length));
  const innerMerging = planMerging(extents.slice(outer.length), [{ count: reduced.length, sortable: true }], inner);
  const shifted = innerMerging.map((group) => group.map((places) => places.map((place) => place + outer.length)));
  const whole = [...merging, ...shifted];
  const operand = ({ program }: Expression): Operand => ({
    accesses: program.accesses.map((access) => mergeAccess(access, whole)),
    body: mergeBody(program.instructions, whole),
  });
  return { reduced: mergedExtents(extents, shifted[0]!), lhs: operand(lhs), rhs: operand(rhs) };
}

/** An operand's expression; undefined when it had to be stored first. */
function lowerOperand(
  context: LoweringContext,
  cluster: Cluster,
  space: readonly Dimension[],
  product: ClusterProduct,
  side: "lhs" | "rhs",
  scale: number,
): Expression | undefined {
  const value = product[side];
  const expression = new Expression(context, cluster, space, { accumulator: false });
  const { program } = expression;
  const map = expression.mapOf(side === "lhs" ? product.lhsLayout : product.rhsLayout);
  const storage = context.target.contractionPrologue ? undefined : context.viewOf(value, cluster);
  let result = storage ? expression.load(storage, map, value) : expression.lower(value, map);
  const plain = program.instructions.length === 1 && program.instructions[0]!.kind === "load";
  if (!plain && !context.target.contractionPrologue) {
    context.store(operandBase(context, value), cluster);
    return undefined;
  }
  if (!plain || scale !== 1) result = program.cast(result, "f32");
  if (scale !== 1) result = program.multiply(result, program.constant(scale, "f32"), "f32");
  program.keep([result]);
  return expression;
}

/** What of an operand has to be stored for it to be a view of memory: the value below its views, where they can be seen through. */
function operandBase(context: LoweringContext, value: ValueId): ValueId {
  const { facts } = context;
  let at = value;
  for (;;) {
    const node: Node = facts.producers[at]!;
    if (node.primitive !== "transpose" && node.primitive !== "broadcast" && node.primitive !== "stop_gradient")
      return at;
    at = node.inputs[0]!;
  }
}
