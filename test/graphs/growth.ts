import { environmentOf } from "../../runtime/reference/environment.js";
import { GraphBuilder } from "../../src/graph/builder.js";
import type { Dtype } from "../../src/graph/dtype.js";
import type { ValueId } from "../../src/graph/node.js";
import { elementCount, type Shape } from "../../src/graph/shape.js";
import type { ScalarName } from "../../src/primitives/names.js";
import * as operations from "../../src/primitives/operations.js";
import type { ReferenceTensor } from "../../src/primitives/primitive.js";
import { primitiveOf } from "../../src/primitives/registry.js";
import type { Source } from "./source.js";

export interface GrowthLimits {
  readonly maximumElements: number;
  readonly maximumRank: number;
  readonly perInstance: boolean;
  readonly instances: number;
}

/** Numbers nearer than this to a jump of a function (a tie, an integer under floor) are kept away from it. */
export const margin = 0.01;

/** Magnitude that no float offered to later nodes exceeds. */
const largest = 4;

/**
 * A graph that grows while its values are computed for every instance, so that a recipe can see whether a primitive is
 * well-conditioned on its operands.
 */
export class Growth {
  readonly builder = new GraphBuilder();
  /** One array per instance; those of a shared input are one object. */
  readonly inputs = new Map<string, readonly Float64Array[]>();
  readonly stored = new Map<string, Float64Array>();
  readonly scalars: Readonly<Record<ScalarName, number>>;
  /** Values a later node may take. */
  readonly values: ValueId[] = [];
  readonly #evaluated: ReferenceTensor[][];
  #evaluatedNodes = 0;

  constructor(
    readonly source: Source,
    readonly limits: GrowthLimits,
  ) {
    this.#evaluated = Array.from({ length: limits.instances }, () => []);
    this.scalars = {
      seed: source.integer(0, 1000),
      step: source.integer(0, 50),
      learning_rate: source.number(0.01, 1),
      row_offset: limits.perInstance ? 5 : 3,
    };
  }

  environment(instance: number) {
    const inputs = new Map([...this.inputs].map(([name, data]) => [name, data[instance]!]));
    return environmentOf({ inputs, stored: this.stored, scalars: this.scalars, instance });
  }

  /** The value's numbers, one array per instance. */
  data(value: ValueId): readonly Float64Array[] {
    this.#evaluate();
    return this.#evaluated.map((values) => values[value]!.data);
  }

  #evaluate(): void {
    const { nodes, types } = this.builder;
    for (; this.#evaluatedNodes < nodes.length; this.#evaluatedNodes++) {
      const node = nodes[this.#evaluatedNodes]!;
      this.#evaluated.forEach((values, instance) => {
        const outputTypes = node.outputs.map((output) => types[output]!);
        const results = primitiveOf(node.primitive).evaluate(
          node.inputs.map((input) => values[input]!),
          node.attributes,
          outputTypes,
          this.environment(instance),
          node,
        );
        node.outputs.forEach((output, index) => {
          values[output] = { type: outputTypes[index]!, data: results[index]! };
        });
      });
    }
  }

  every(value: ValueId, holds: (element: number) => boolean): boolean {
    return this.data(value).every((data) => data.every(holds));
  }

  everyPair(x: ValueId, y: ValueId, holds: (a: number, b: number) => boolean): boolean {
    const others = this.data(y);
    return this.data(x).every((data, instance) => data.every((a, index) => holds(a, others[instance]![index]!)));
  }

  magnitude(value: ValueId): number {
    return Math.max(0, ...this.data(value).map((data) => data.reduce((most, x) => Math.max(most, Math.abs(x)), 0)));
  }

  dtype(value: ValueId): Dtype {
    return this.builder.type(value).dtype;
  }

  shape(value: ValueId): Shape {
    return this.builder.shape(value);
  }

  fits(shape: Shape): boolean {
    return shape.length <= this.limits.maximumRank && elementCount(shape) <= this.limits.maximumElements;
  }

  randomShape(leastRank = 0, mostRank = Math.min(4, this.limits.maximumRank)): number[] {
    for (;;) {
      const rank = this.source.integer(leastRank, mostRank);
      const largest = rank <= 2 ? 12 : 5;
      const shape = Array.from({ length: rank }, () => this.source.integer(1, largest));
      if (elementCount(shape) <= this.limits.maximumElements) return shape;
    }
  }

  /** An earlier value of this dtype that suits, or a new leaf. */
  take(dtype: Dtype, suits: (shape: Shape) => boolean, fresh: () => Shape): ValueId {
    const known = this.values.filter((value) => this.dtype(value) === dtype && suits(this.shape(value)));
    return known.length > 0 && this.source.chance(0.85) ? this.source.pick(known) : this.leaf(dtype, fresh());
  }

  float(leastRank = 0): ValueId {
    return this.take(
      "f32",
      (shape) => shape.length >= leastRank,
      () => this.randomShape(leastRank),
    );
  }

  any(leastRank = 0): ValueId {
    const dtype = this.source.pick(["f32", "f32", "f32", "i32", "bool"] as const);
    return this.take(
      dtype,
      (shape) => shape.length >= leastRank,
      () => this.randomShape(leastRank),
    );
  }

  /** A value of this very type: an earlier one, one that broadcasts to it, or a new leaf. */
  like(dtype: Dtype, shape: Shape): ValueId {
    const broadcasts = (from: Shape) => {
      const lead = shape.length - from.length;
      return lead >= 0 && from.every((size, axis) => size === 1 || size === shape[axis + lead]);
    };
    return operations.broadcastTo(
      this.builder,
      this.take(dtype, broadcasts, () => shape),
      shape,
    );
  }

  /** A new leaf: an input, a parameter or a literal. Floats are in [-2, 2), integers in -4..9 unless bounds are given. */
  leaf(dtype: Dtype, shape: Shape, low = dtype === "f32" ? -2 : -4, high = dtype === "f32" ? 2 : 9): ValueId {
    const { source } = this;
    const draw = (): Float64Array => {
      const data = new Float64Array(elementCount(shape));
      if (dtype === "f32") return data.map(() => source.number(low, high));
      return data.map(() =>
        dtype === "bool" ? source.integer(0, 1) : source.integer(dtype === "u32" ? 0 : low, high),
      );
    };
    const kind = source.pick(["input", "input", "parameter", "table"] as const);
    switch (kind) {
      case "input":
        return this.addInput(dtype, shape, draw, this.limits.perInstance && source.chance(0.75));
      case "parameter": {
        const path = `weights.p${this.stored.size}`;
        this.stored.set(path, draw());
        return this.keep(this.builder.add("parameter", [], { path, dtype, shape }));
      }
      case "table":
        return this.keep(this.builder.add("table", [], { dtype, shape, values: [...draw()] }));
    }
  }

  addInput(dtype: Dtype, shape: Shape, draw: () => Float64Array, perInstance: boolean): ValueId {
    const name = `x${this.inputs.size}`;
    const shared = draw();
    this.inputs.set(
      name,
      Array.from({ length: this.limits.instances }, () => (perInstance ? draw() : shared)),
    );
    return this.keep(this.builder.add("input", [], { name, dtype, shape, perInstance }));
  }

  /** Offers a value to later nodes, floats scaled back into -4..4, so that none overflows or loses its digits. */
  offer(value: ValueId): ValueId {
    const magnitude = this.dtype(value) === "f32" ? this.magnitude(value) : 0;
    if (magnitude <= largest) return this.keep(value);
    return this.keep(operations.scale(this.builder, value, 2 ** -Math.ceil(Math.log2(magnitude / largest))));
  }

  keep(value: ValueId): ValueId {
    if (!this.values.includes(value)) this.values.push(value);
    return value;
  }

  /** |x| + 1/2: away from zero, for divisors, roots and logs. */
  positive(x: ValueId): ValueId {
    const half = operations.constantLike(this.builder, 0.5, x);
    return operations.add(this.builder, operations.absolute(this.builder, x), half);
  }

  /** A float tensor of this shape that depends on an earlier value. */
  connected(shape: Shape): ValueId {
    const { builder } = this;
    const x = this.float();
    const sum = operations.reduceSum(
      builder,
      x,
      this.shape(x).map((_, axis) => axis),
    );
    const factor = operations.add(builder, operations.tanh(builder, sum), operations.constant(builder, 1.5));
    return operations.multiply(builder, this.leaf("f32", shape), factor);
  }
}
