/**
 * Lowers values to scalar programs: a value at an affine place of a kernel's space becomes loads, and the operations between them. Views
 * only change the place; padding bounds the loads below it.
 */
import type { Dtype } from "../../graph/dtype.js";
import type { Node, ValueId } from "../../graph/node.js";
import { contiguousStrides } from "../../graph/shape.js";
import type { ScalarInstruction } from "../../kernels/scalar.js";
import type { BinaryName, UnaryName } from "../../primitives/names.js";
import {
  type Affine,
  type Bound,
  flatten,
  rangeOf,
  SplitRequest,
  scaled,
  shifted,
  throughReshape,
  zero,
} from "./affine.js";
import type { Cluster } from "./cluster.js";
import { constantOf, foldLabels, keptLabels, reduceSpace, shapeOfValue, typeOf } from "./facts.js";
import type { LoweringContext } from "./lowering.js";
import { ProgramBuilder } from "./program.js";
import type { Dimension, Layout } from "./space.js";
import type { Storage } from "./strides.js";

/** What a kernel's own sums are called inside its expressions. */
export interface LocalRoots {
  /** The contraction's accumulator may be named here (in epilogues). */
  readonly accumulator: boolean;
}

export class Expression {
  readonly program = new ProgramBuilder();
  /** Values whose nodes were lowered here. */
  readonly lowered = new Set<ValueId>();
  readonly #context: LoweringContext;
  readonly #cluster: Cluster;
  readonly #space: readonly Dimension[];
  readonly #extents: readonly number[];
  readonly #roots: LocalRoots;
  readonly #known = new Map<string, number>();

  constructor(context: LoweringContext, cluster: Cluster, space: readonly Dimension[], roots: LocalRoots) {
    this.#context = context;
    this.#cluster = cluster;
    this.#space = space;
    this.#extents = space.map((name) => context.dimensions.extent(name));
    this.#roots = roots;
  }

  get rank(): number {
    return this.#space.length;
  }

  /** Index functions of a value that is laid out over the space. */
  mapOf(layout: Layout): Affine[] {
    const { dimensions } = this.#context;
    return dimensions.resolveLayout(layout).map((axis) => {
      const strides = new Array<number>(this.rank).fill(0);
      let stride = 1;
      for (const name of axis.toReversed()) {
        const place = this.#space.indexOf(name);
        if (place < 0) throw new Error("a layout names a dimension that its kernel lacks");
        strides[place] = stride;
        stride *= dimensions.extent(name);
      }
      return { offset: 0, strides };
    });
  }

  /** Element offsets of `storage` at `map`. */
  placeOf(storage: Storage, map: readonly Affine[]): Affine {
    return shifted(flatten(map, storage.strides, this.rank), storage.offset);
  }

  /** Loads a value from where it is seen in memory. */
  load(storage: Storage, map: readonly Affine[], value: ValueId): number {
    return this.#load(storage, map, [], typeOf(this.#context.facts, value).dtype);
  }

  /** The instruction that is `value` at `map`, zero outside of the bounds. Throws a SplitRequest. */
  lower(value: ValueId, map: readonly Affine[], bounds: readonly Bound[] = []): number {
    const key = `${value}|${map.map(({ offset, strides }) => `${offset},${strides.join(",")}`).join(";")}|${JSON.stringify(bounds)}`;
    let place = this.#known.get(key);
    if (place === undefined) {
      place = this.#lower(value, map, bounds);
      this.#known.set(key, place);
    }
    return place;
  }

  #lower(value: ValueId, map: readonly Affine[], bounds: readonly Bound[]): number {
    const context = this.#context;
    const { facts } = context;
    const { dtype } = typeOf(facts, value);
    const local = context.owner(value) === this.#cluster;
    if (!local) {
      const constant = constantOf(facts, value);
      if (constant !== undefined) return this.program.constant(constant, dtype);
      const storage = context.viewOf(value, this.#cluster);
      if (storage) return this.#load(storage, map, bounds, dtype);
    }
    this.lowered.add(value);
    if (local) {
      const own = this.#lowerRoot(value, dtype);
      if (own !== undefined) return own;
    }
    return this.#lowerNode(facts.producers[value]!, value, map, bounds);
  }

  #load(storage: Storage, map: readonly Affine[], bounds: readonly Bound[], dtype: Dtype): number {
    const at = this.placeOf(storage, map);
    return this.program.emit({ kind: "load", access: this.#access(storage.buffer, at, bounds), dtype });
  }

  #access(buffer: number, at: Affine, bounds: readonly Bound[]): number {
    const access = { buffer, offset: at.offset, strides: at.strides };
    if (bounds.length === 0) return this.program.access(access);
    return this.program.access({ ...access, bounds: bounds.map((bound) => ({ ...bound.at, size: bound.size })) });
  }

  /** What a kernel's own sum is called; undefined for other values. */
  #lowerRoot(value: ValueId, dtype: Dtype): number | undefined {
    const { program } = this;
    const { root } = this.#cluster;
    switch (root.kind) {
      case "reduction": {
        const fold = root.folds.get(value);
        if (!fold) return undefined;
        const { node, operands } = fold;
        // Sums of 16-bit numbers run in float32.
        const wide: Dtype = dtype === "f16" || dtype === "bf16" ? "f32" : dtype;
        const factors = operands.map((layout, place) => {
          const factor = this.lower(node.inputs[place]!, this.mapOf(layout));
          return node.primitive === "argmax" ? factor : program.cast(factor, wide);
        });
        const operand = factors.reduce((left, right) => program.multiply(left, right, wide));
        return program.cast(
          program.emit({ kind: "reduce", reduction: reductionOf(node), operand, dtype: wide }),
          dtype,
        );
      }
      case "contraction": {
        if (root.absorbed.has(value)) return program.constant(0, dtype);
        if (value !== root.accumulator) return undefined;
        if (!this.#roots.accumulator) throw new Error("an operand of a product names the product's own sum");
        const own = program.cast(program.emit({ kind: "accumulator", dtype: "f32" }), dtype);
        const node = this.#context.facts.producers[value]!;
        if (this.#context.facts.roles[value] === "contraction") return own;
        const layout = this.#context.layout(value)!;
        return program.add(own, this.#lowerNode(node, value, this.mapOf(layout), []), dtype);
      }
      case "elementwise":
      case "attention":
      case "indexed":
      case "assembly":
        return undefined;
    }
  }

  #lowerNode(node: Node, value: ValueId, map: readonly Affine[], bounds: readonly Bound[]): number {
    const { program } = this;
    const { facts } = this.#context;
    const { dtype } = typeOf(facts, value);
    const operand = (place: number) => this.lower(node.inputs[place]!, map, bounds);
    switch (node.primitive) {
      case "constant":
        return program.constant(node.attributes.value, dtype);
      case "iota":
        return this.#index(map[node.attributes.axis]!);
      case "random":
        return this.#random(node.attributes, node.inputs, map, bounds);
      case "cast":
        return program.cast(operand(0), dtype);
      case "stop_gradient":
      case "concat":
        return operand(0);
      case "select":
        return program.emit({
          kind: "select",
          condition: operand(0),
          // biome-ignore lint/suspicious/noThenProperty: an instruction is no promise
          then: operand(1),
          otherwise: operand(2),
          dtype,
        });
      case "transpose": {
        const from = new Array<Affine>(map.length);
        node.attributes.permutation.forEach((axis, place) => {
          from[axis] = map[place]!;
        });
        return this.lower(node.inputs[0]!, from, bounds);
      }
      case "broadcast":
        return this.lower(
          node.inputs[0]!,
          node.attributes.axes.map((axis) => map[axis]!),
          bounds,
        );
      case "slice": {
        const { starts, steps } = node.attributes;
        return this.lower(
          node.inputs[0]!,
          map.map((at, axis) => shifted(scaled(at, steps[axis]!), starts[axis]!)),
          bounds,
        );
      }
      case "gather_instances":
        // Of a graph that was not batched: all instances are like its one.
        return this.lower(node.inputs[0]!, map.slice(1), bounds);
      case "pad":
        return this.#pad(node.inputs[0]!, node.attributes.low, map, bounds, dtype);
      case "reshape":
        return this.#reshape(node, value, map, bounds);
      case "reduce_sum":
      case "reduce_max":
      case "reduce_min":
        // Over axes of size 1 only, or over nothing.
        if (facts.roles[value] === "generated") return program.constant(0, dtype);
        return this.#reshape(node, value, map, bounds);
      case "argmax":
        return program.constant(0, "i32");
      case "contraction": {
        if (facts.roles[value] === "generated") return program.constant(0, dtype);
        // Nothing is reduced: a product of two views.
        const labels = foldLabels(node, facts.graph);
        const at = new Map(keptLabels(node, facts.graph).map((label, axis) => [label, map[axis]!]));
        for (const { label } of reduceSpace(node, facts.graph)) if (!at.has(label)) at.set(label, zero(this.rank));
        const factors = labels.map((list, place) =>
          this.lower(
            node.inputs[place]!,
            list.map((label) => at.get(label)!),
            bounds,
          ),
        );
        return program.multiply(factors[0]!, factors[1]!, dtype);
      }
      case "gather":
        return this.#gather(node.inputs[0]!, node.inputs[1]!, node.attributes.batch, map, bounds, dtype);
      case "add":
        return program.add(operand(0), operand(1), dtype);
      case "subtract":
        return program.subtract(operand(0), operand(1), dtype);
      case "multiply":
        return program.multiply(operand(0), operand(1), dtype);
      case "divide":
      case "power":
      case "maximum":
      case "minimum":
      case "remainder":
      case "equal":
      case "less":
      case "less_equal":
      case "and":
      case "or":
        return program.emit({
          kind: "binary",
          operation: node.primitive satisfies BinaryName,
          left: operand(0),
          right: operand(1),
          dtype,
        });
      case "negate":
      case "absolute":
      case "sign":
      case "floor":
      case "exp":
      case "log":
      case "sin":
      case "cos":
      case "tanh":
      case "erf":
      case "sqrt":
      case "rsqrt":
      case "logistic":
      case "not":
        return program.emit({
          kind: "unary",
          operation: node.primitive satisfies UnaryName,
          operand: operand(0),
          dtype,
        });
      case "input":
      case "parameter":
      case "range":
      case "scalar":
      case "table":
      case "instance_index":
      case "attention":
      case "attention_backward":
      case "scatter_add":
      case "argsort":
      case "grouped_contraction":
      case "grouped_sum":
        throw new Error(`${node.primitive} is loaded, not evaluated`);
    }
  }

  #index(at: Affine): number {
    if (at.strides.every((stride) => stride === 0)) return this.program.constant(at.offset, "i32");
    return this.program.emit({ kind: "index", offset: at.offset, strides: at.strides, dtype: "i32" });
  }

  #random(
    { distribution, key, shape }: { distribution: "uniform" | "normal"; key: number; shape: readonly number[] },
    inputs: readonly ValueId[],
    map: readonly Affine[],
    bounds: readonly Bound[],
  ): number {
    const lead = map.length - shape.length;
    const [seed, step] = [this.lower(inputs[0]!, []), this.lower(inputs[1]!, [])];
    const row = this.lower(inputs[2]!, map.slice(0, lead), bounds);
    const element = this.#index(flatten(map.slice(lead), contiguousStrides(shape), this.rank));
    return this.program.emit({ kind: "random", distribution, key, seed, step, row, element, dtype: "f32" });
  }

  #pad(input: ValueId, low: readonly number[], map: readonly Affine[], bounds: readonly Bound[], dtype: Dtype): number {
    const shape = shapeOfValue(this.#context.facts, input);
    const from = map.map((at, axis) => shifted(at, -low[axis]!));
    const own: Bound[] = [];
    for (const [axis, at] of from.entries()) {
      const size = shape[axis]!;
      const [first, last] = rangeOf(at, this.#extents);
      if (last < 0 || first >= size) return this.program.constant(0, dtype);
      if (first < 0 || last >= size) own.push({ at, size });
    }
    if (own.length === 0) return this.lower(input, from, bounds);
    const value = this.lower(input, from, [...bounds, ...own]);
    if (this.program.zeroOutside(value)) return value;
    const condition = own.map((bound) => this.#holds(bound)).reduce((left, right) => this.#and(left, right));
    return this.program.emit({
      kind: "select",
      condition,
      // biome-ignore lint/suspicious/noThenProperty: an instruction is no promise
      then: value,
      otherwise: this.program.constant(0, dtype),
      dtype,
    });
  }

  #holds({ at, size }: Bound): number {
    const { program } = this;
    const index = this.#index(at);
    const [first, last] = rangeOf(at, this.#extents);
    const tests: number[] = [];
    const test = (operation: "less" | "less_equal", left: number, right: number) =>
      tests.push(program.emit({ kind: "binary", operation, left, right, dtype: "bool" }));
    if (first < 0) test("less_equal", program.constant(0, "i32"), index);
    if (last >= size) test("less", index, program.constant(size, "i32"));
    return tests.reduce((left, right) => this.#and(left, right));
  }

  #and(left: number, right: number): number {
    return this.program.emit({ kind: "binary", operation: "and", left, right, dtype: "bool" });
  }

  #reshape(node: Node, value: ValueId, map: readonly Affine[], bounds: readonly Bound[]): number {
    const { facts } = this.#context;
    const input = node.inputs[0]!;
    const [to, from] = [shapeOfValue(facts, value), shapeOfValue(facts, input)];
    const before = throughReshape(map, to, from, this.#extents);
    if (before instanceof SplitRequest) {
      if (this.#context.canSplit(this.#space[before.place]!)) throw before;
    } else if (before) {
      return this.lower(input, before, bounds);
    }
    const storage = this.#context.storeForReshape(input, value, this.#cluster);
    return this.#load(storage, map, bounds, typeOf(facts, value).dtype);
  }

  #gather(
    table: ValueId,
    indices: ValueId,
    batch: number,
    map: readonly Affine[],
    bounds: readonly Bound[],
    dtype: Dtype,
  ): number {
    const { facts } = this.#context;
    const rank = shapeOfValue(facts, indices).length;
    const index = this.lower(indices, map.slice(0, rank), bounds);
    const storage = this.#context.viewOrStore(table, this.#cluster);
    const at = [...map.slice(0, batch), zero(this.rank), ...map.slice(rank)];
    const instruction: ScalarInstruction = {
      kind: "load_indexed",
      access: this.#access(storage.buffer, this.placeOf(storage, at), bounds),
      index,
      stride: storage.strides[batch]!,
      limit: shapeOfValue(facts, table)[batch]!,
      dtype,
    };
    return this.program.emit(instruction);
  }
}

function reductionOf(node: Node): "sum" | "maximum" | "minimum" | "argmax" {
  switch (node.primitive) {
    case "reduce_max":
      return "maximum";
    case "reduce_min":
      return "minimum";
    case "argmax":
      return "argmax";
    default:
      return "sum";
  }
}
