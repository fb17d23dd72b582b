/** Random elementwise and reduction records with contents, for comparing code generators with the evaluator. */
import type { Dtype } from "../../src/graph/dtype.js";
import { contiguousStrides, elementCount } from "../../src/graph/shape.js";
import type { Access, Buffer, Store } from "../../src/kernels/record.js";
import type { Reduction, ScalarInstruction } from "../../src/kernels/scalar.js";
import { type KernelCase, listOf } from "./kernel-runs.js";

/** A small generator of pseudo-random numbers in [0, 1): 32-bit xorshift. */
export function randomNumbers(seed: number): () => number {
  let state = (Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 2 ** 32;
  };
}

export class CaseBuilder {
  readonly random: () => number;
  readonly buffers: Buffer[] = [];
  readonly contents: Record<string, number[]> = {};
  readonly accesses: Access[] = [];
  readonly body: ScalarInstruction[] = [];

  constructor(seed: number) {
    this.random = randomNumbers(seed);
  }

  integer(low: number, high: number): number {
    return low + Math.floor(this.random() * (high - low + 1));
  }

  chance(probability: number): boolean {
    return this.random() < probability;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.integer(0, choices.length - 1)]!;
  }

  shuffled<T>(items: readonly T[]): T[] {
    const result = [...items];
    for (let place = result.length - 1; place > 0; place--) {
      const other = this.integer(0, place);
      [result[place], result[other]] = [result[other]!, result[place]!];
    }
    return result;
  }

  /** A number that every format here holds exactly. */
  number(dtype: Dtype): number {
    switch (dtype) {
      case "bool":
        return this.integer(0, 1);
      case "i32":
        return this.integer(-9, 9);
      case "u32":
        return this.integer(0, 20);
      default:
        return this.integer(-32, 32) / 16;
    }
  }

  push(instruction: ScalarInstruction): number {
    return this.body.push(instruction) - 1;
  }

  /** A buffer of random numbers and a view of it: broadcast, permuted, reversed, stepped, or with bounds. */
  view(extents: readonly number[], dtype: Dtype, keep: (dimension: number) => boolean = () => true): number {
    const used = extents.map((_, dimension) => keep(dimension) && this.chance(0.8));
    const order = this.chance(0.6)
      ? extents.map((_, dimension) => dimension)
      : this.shuffled(extents.map((_, dimension) => dimension));
    const bounded = this.chance(0.3) ? this.pick(order) : -1;
    const strides = extents.map(() => 0);
    const bounds: { offset: number; strides: number[]; size: number }[] = [];
    let offset = this.integer(0, 3);
    let elements = 1;
    for (const dimension of [...order].reverse()) {
      if (!used[dimension]) continue;
      const extent = extents[dimension]!;
      if (dimension === bounded) {
        // Part of the dimension lies outside of the axis, on either side.
        const size = this.integer(1, extent + 1);
        const shift = this.integer(-2, 2);
        strides[dimension] = elements;
        offset += shift * elements;
        bounds.push({ offset: shift, strides: extents.map((_, other) => (other === dimension ? 1 : 0)), size });
        elements *= size;
        continue;
      }
      const step = this.chance(0.15) ? 2 : 1;
      const reversed = this.chance(0.15);
      strides[dimension] = reversed ? -elements * step : elements * step;
      if (reversed) offset += (extent - 1) * elements * step;
      elements *= extent * step;
    }
    const name = `in${this.buffers.length}`;
    const total = elements + 4;
    this.buffers.push({ dtype, elements: total, home: { segment: "inputs", name } });
    this.contents[name] = Array.from({ length: total }, () => this.number(dtype));
    const access: Access = {
      buffer: this.buffers.length - 1,
      offset,
      strides,
      ...(bounds.length > 0 ? { bounds } : {}),
    };
    return this.accesses.push(access) - 1;
  }

  load(extents: readonly number[], dtype: Dtype, keep?: (dimension: number) => boolean): number {
    return this.push({ kind: "load", access: this.view(extents, dtype, keep), dtype });
  }

  /** Stores a value at every point, in a random order of the dimensions; `rows` leading dimensions only for row values. */
  store(extents: readonly number[], value: number, rows = extents.length): Store {
    const dtype = this.body[value]!.dtype;
    const dimensions = extents.slice(0, rows).map((_, dimension) => dimension);
    const order = this.chance(0.7) ? dimensions : this.shuffled(dimensions);
    const strides = extents.map(() => 0);
    const contiguous = contiguousStrides(order.map((dimension) => extents[dimension]!));
    for (const [place, dimension] of order.entries()) strides[dimension] = contiguous[place]!;
    const name = `out${this.buffers.length}`;
    const elements = elementCount(extents.slice(0, rows));
    this.buffers.push({ dtype, elements: elements + 3, home: { segment: "outputs", name } });
    return { access: { buffer: this.buffers.length - 1, offset: this.integer(0, 3), strides }, value };
  }

  constant(value: number, dtype: Dtype): number {
    return this.push({ kind: "constant", value, dtype });
  }

  /** A smooth function of f32 values, bounded enough that errors do not grow. */
  smooth(values: readonly number[]): number {
    const x = this.pick(values);
    const y = this.pick(values);
    const unary = (operation: Extract<ScalarInstruction, { kind: "unary" }>["operation"], operand: number) =>
      this.push({ kind: "unary", operation, operand, dtype: "f32" });
    const binary = (
      operation: Extract<ScalarInstruction, { kind: "binary" }>["operation"],
      left: number,
      right: number,
    ) => this.push({ kind: "binary", operation, left, right, dtype: "f32" });
    const tame = () => unary("tanh", x);
    const positive = () => binary("add", binary("multiply", x, x), this.constant(0.5, "f32"));
    switch (this.integer(0, 15)) {
      case 0:
        return binary("add", x, y);
      case 1:
        return binary("subtract", x, y);
      case 2:
        return binary("multiply", tame(), y);
      case 3:
        return binary("divide", y, positive());
      case 4:
        return binary("maximum", x, y);
      case 5:
        return binary("minimum", x, y);
      case 6:
        return unary("exp", tame());
      case 7:
        return unary("log", positive());
      case 8:
        return unary(this.pick(["sin", "cos"]), tame());
      case 9:
        return unary(this.pick(["erf", "logistic", "tanh"]), x);
      case 10:
        return unary(this.pick(["sqrt", "rsqrt"]), positive());
      case 11:
        return unary(this.pick(["negate", "absolute"]), x);
      case 12:
        return binary("power", positive(), tame());
      case 13:
        return binary("power", tame(), this.constant(this.pick([1, 2, 3, 4]), "f32"));
      case 14:
        return binary("power", positive(), this.constant(this.pick([-1, -2, 0.5]), "f32"));
      default:
        return this.push({ kind: "cast", operand: tame(), dtype: "f32" });
    }
  }

  /** Integers and conditions are made of loads and indices alone, which are exact on both sides. */
  condition(extents: readonly number[]): number {
    const dtype = this.pick(["f32", "i32", "bool"] as const);
    if (dtype === "bool") {
      const flag = this.load(extents, "bool");
      return this.chance(0.5) ? flag : this.push({ kind: "unary", operation: "not", operand: flag, dtype: "bool" });
    }
    const left = this.load(extents, dtype);
    const right = this.chance(0.5) ? this.load(extents, dtype) : this.constant(this.number(dtype), dtype);
    const compared = this.push({
      kind: "binary",
      operation: this.pick(["less", "less_equal", "equal"]),
      left,
      right,
      dtype: "bool",
    });
    if (this.chance(0.6)) return compared;
    const other = this.load(extents, "bool");
    return this.push({
      kind: "binary",
      operation: this.pick(["and", "or"]),
      left: compared,
      right: other,
      dtype: "bool",
    });
  }

  index(extents: readonly number[]): number {
    const strides = extents.map(() => (this.chance(0.6) ? this.integer(-2, 3) : 0));
    return this.push({ kind: "index", offset: this.integer(-5, 5), strides, dtype: "i32" });
  }

  /** An i32 value of loads and indices. */
  whole(extents: readonly number[]): number {
    const left = this.chance(0.5) ? this.index(extents) : this.load(extents, "i32");
    const right = this.chance(0.4) ? this.index(extents) : this.constant(this.pick([-3, -1, 1, 2, 5]), "i32");
    const operation = this.pick(["add", "subtract", "multiply", "maximum", "minimum", "divide", "remainder"] as const);
    const safe =
      operation === "divide" || operation === "remainder" ? this.constant(this.pick([-3, 2, 7]), "i32") : right;
    return this.push({ kind: "binary", operation, left, right: safe, dtype: "i32" });
  }

  /** An f32 gathered from a table by an index that may lie outside. */
  gathered(extents: readonly number[]): number {
    const index = this.whole(extents);
    const limit = this.integer(1, 6);
    const stride = this.integer(1, 3);
    const name = `in${this.buffers.length}`;
    const inner = extents.map((_, dimension) =>
      dimension === extents.length - 1 && this.chance(0.5) ? limit * stride : 0,
    );
    const elements = limit * stride * (extents[extents.length - 1] ?? 1) + 1;
    this.buffers.push({ dtype: "f32", elements, home: { segment: "inputs", name } });
    this.contents[name] = Array.from({ length: elements }, () => this.number("f32"));
    const access =
      this.accesses.push({ buffer: this.buffers.length - 1, offset: this.integer(0, 1), strides: inner }) - 1;
    return this.push({ kind: "load_indexed", access, index, stride, limit, dtype: "f32" });
  }

  /** An f32 value that may depend on everything. */
  value(extents: readonly number[], depth: number): number {
    const values = [this.load(extents, "f32"), this.load(extents, this.pick(["f32", "f16", "bf16"] as const))];
    if (this.chance(0.3)) values.push(this.gathered(extents));
    if (this.chance(0.3)) values.push(this.push({ kind: "cast", operand: this.whole(extents), dtype: "f32" }));
    for (let step = 0; step < depth; step++) {
      values.push(this.smooth(values));
      if (this.chance(0.2)) {
        const [then, otherwise] = [this.pick(values), this.pick(values)];
        values.push(this.push({ kind: "select", condition: this.condition(extents), then, otherwise, dtype: "f32" }));
      }
    }
    return values[values.length - 1]!;
  }

  extents(rank: number, most: number): number[] {
    return Array.from({ length: rank }, () => (this.chance(0.15) ? 1 : this.integer(1, most)));
  }
}

export function randomElementwise(seed: number): KernelCase {
  const builder = new CaseBuilder(seed);
  const extents = builder.extents(builder.integer(0, 4), 9);
  if (extents.length > 0 && builder.chance(0.4))
    extents[builder.integer(0, extents.length - 1)] = builder.integer(16, 70);
  if (extents.length === 1 && builder.chance(0.3)) extents[0] = builder.integer(4000, 9000);
  // Large enough for tiles, where a load is permuted.
  if (extents.length === 2 && builder.chance(0.5))
    for (const dimension of [0, 1]) extents[dimension] = builder.integer(30, 80);
  const stores = [builder.store(extents, builder.value(extents, builder.integer(0, 5)))];
  if (builder.chance(0.4)) stores.push(builder.store(extents, builder.condition(extents)));
  if (builder.chance(0.4)) stores.push(builder.store(extents, builder.whole(extents)));
  const { accesses, body } = builder;
  const record = {
    archetype: "elementwise",
    origins: [],
    label: `case ${seed}`,
    extents,
    accesses,
    body,
    stores,
  } as const;
  return { list: listOf(builder.buffers, [record]), contents: builder.contents };
}

export function randomReduction(seed: number): KernelCase {
  const builder = new CaseBuilder(seed);
  const rowExtents = builder.extents(builder.integer(0, 3), 7);
  const reducedExtents = builder.extents(builder.integer(1, 3), 9);
  if (rowExtents.length > 0 && builder.chance(0.4)) rowExtents[rowExtents.length - 1] = builder.integer(16, 300);
  if (builder.chance(0.3)) reducedExtents[builder.integer(0, reducedExtents.length - 1)] = builder.integer(16, 70);
  // Long enough to be cut into partial results, and for sums in blocks.
  if (elementCount(rowExtents) < 8 && builder.chance(0.1)) reducedExtents.fill(1).push(builder.integer(66_000, 70_000));
  const extents = [...rowExtents, ...reducedExtents];
  const rows = rowExtents.length;
  const ofRows = (dimension: number) => dimension < rows;
  const long = elementCount(extents) > 60_000;
  const stores: Store[] = [];

  const reduce = (operand: number, reduction: Reduction = builder.pick(["sum", "maximum", "minimum"] as const)) =>
    builder.push({
      kind: "reduce",
      reduction,
      operand,
      dtype: reduction === "argmax" ? "i32" : builder.body[operand]!.dtype,
    });
  let point = builder.value(extents, builder.integer(0, 3));
  const rowValues: number[] = [reduce(point)];
  const passes = long ? 1 : builder.integer(1, 3);
  for (let pass = 1; pass < passes; pass++) {
    const last = rowValues[rowValues.length - 1]!;
    const centred = builder.push({ kind: "binary", operation: "subtract", left: point, right: last, dtype: "f32" });
    point = builder.push({
      kind: "unary",
      operation: builder.pick(["tanh", "logistic", "erf"]),
      operand: centred,
      dtype: "f32",
    });
    rowValues.push(reduce(point));
  }
  if (builder.chance(0.3)) rowValues.push(reduce(builder.whole(extents)));
  if (builder.chance(0.3)) rowValues.push(reduce(builder.load(extents, "f32")));
  if (!long && builder.chance(0.3))
    rowValues.push(reduce(builder.load(extents, builder.pick(["f32", "i32"] as const)), "argmax"));
  for (const value of rowValues) stores.push(builder.store(extents, value, rows));
  if (builder.chance(0.5)) {
    const scale = builder.load(extents, "f32", ofRows);
    const scaled = builder.push({
      kind: "binary",
      operation: "multiply",
      left: rowValues[0]!,
      right: scale,
      dtype: "f32",
    });
    stores.push(builder.store(extents, scaled, rows));
  }
  if (!long && builder.chance(0.5)) {
    const sum = builder.push({ kind: "binary", operation: "add", left: point, right: rowValues[0]!, dtype: "f32" });
    stores.push(builder.store(extents, builder.chance(0.7) ? sum : point));
  }
  const { accesses, body } = builder;
  const record = {
    archetype: "reduction",
    origins: [],
    label: `case ${seed}`,
    extents,
    reduced: reducedExtents.length,
    accesses,
    body,
    stores,
  } as const;
  return { list: listOf(builder.buffers, [record]), contents: builder.contents };
}
