/**
 * Whether a computation does the same affine thing to every row of a tensor, and the map if it does. The proof is the walk from the tensor x to the
 * result y: on the way stand only primitives that are linear in what they get from x, and nothing treats one row otherwise than the next.
 *
 * Rows are all axes of x but one, its columns. A result may look at several views of x, whose rows are cut out and padded: y[rows, ..] = sum over
 * views of view[rows, :] . linear, + constant. A linear map looks at x alone, a convolution at a view for each place of its window.
 */
import type { GraphBuilder } from "../graph/builder.js";
import type { Node, ValueId } from "../graph/node.js";
import { elementCount, type Shape, sameShape } from "../graph/shape.js";
import { binaries } from "../primitives/binary.js";
import type { AttributesOf, PrimitiveName } from "../primitives/names.js";
import * as operations from "../primitives/operations.js";
import { primitiveOf } from "../primitives/registry.js";
import { unaries } from "../primitives/unary.js";

export interface RowMap {
  /** The axis of x, and of all views of it, that is no row. */
  readonly columns: number;
  /** The axes of x that are rows, but those of size 1; and the axis of y that each has become. */
  readonly rows: readonly number[];
  readonly places: readonly number[];
  /** [columns, ...axes of y that are no rows], by view: x, or what only cuts and pads its rows. */
  readonly terms: ReadonlyMap<ValueId, ValueId>;
  /** [...axes of y that are no rows]; undefined when it is zero. */
  readonly constant: ValueId | undefined;
}

/** Why there is no such map. */
export interface NoRowMap {
  readonly node: Node;
  /** What the node does, as a sentence about the computation; undefined where the node itself is not linear. */
  readonly reason: string | undefined;
}

/** The map from `x` to `y`, added to the builder. Values made before x count as independent of it. */
export function deriveRowMap(builder: GraphBuilder, x: ValueId, columns: number, y: ValueId): RowMap | NoRowMap {
  const origin = builder.origin;
  try {
    return new RowWalk(builder, x, columns).derive(y);
  } catch (error) {
    if (error instanceof Refused) return error.refusal;
    throw error;
  } finally {
    builder.origin = origin;
  }
}

/** The value of y for another x of the same type. */
export function applyRowMap(builder: GraphBuilder, map: RowMap, probe: ValueId, x: ValueId, shape: Shape): ValueId {
  const { columns, rows, places, terms, constant } = map;
  const kept = [...rows, columns].sort((a, b) => a - b);
  const rest = [...shape.keys()].filter((axis) => !places.includes(axis));
  // Labels: 0 for the columns, then the rows, then what is no row in y.
  const rowLabel = (axis: number) => 1 + rows.indexOf(axis);
  const restLabel = (axis: number) => 1 + rows.length + rest.indexOf(axis);
  const out = [...shape.keys()].map((axis) => (rest.includes(axis) ? restLabel(axis) : 1 + places.indexOf(axis)));
  const products = [...terms].map(([view, linear]) => {
    const from = viewOf(builder, view, probe, x);
    const sizes = builder.shape(from);
    const flat = operations.reshape(
      builder,
      from,
      kept.map((axis) => sizes[axis]!),
    );
    const lhs = kept.map((axis) => (axis === columns ? 0 : rowLabel(axis)));
    return operations.contraction(builder, flat, linear, lhs, [0, ...rest.map(restLabel)], out);
  });
  const parts = constant === undefined ? products : [...products, operations.broadcast(builder, constant, shape, rest)];
  return parts.reduce((sum, part) => operations.add(builder, sum, part));
}

/** A view of `probe` as the same view of `x`. */
function viewOf(builder: GraphBuilder, view: ValueId, probe: ValueId, x: ValueId): ValueId {
  if (view === probe) return x;
  const { primitive, inputs, attributes } = builder.producers[view]!;
  return builder.add(primitive, [viewOf(builder, inputs[0]!, probe, x)], attributes as never);
}

/**
 * The first leaf among what values are computed from that is not the same whenever the program runs: an input, a random draw, an instance's number.
 * Nothing is looked for behind the values of `known`.
 */
export function firstVarying(
  builder: GraphBuilder,
  values: readonly ValueId[],
  known: ReadonlySet<ValueId>,
): Node | undefined {
  const seen = new Set<ValueId>(known);
  const stack = [...values];
  for (let value = stack.pop(); value !== undefined; value = stack.pop()) {
    if (seen.has(value)) continue;
    seen.add(value);
    const node = builder.producers[value]!;
    if (isVarying(node)) return node;
    stack.push(...node.inputs);
  }
  return undefined;
}

function isVarying({ primitive }: Node): boolean {
  return primitive === "input" || primitive === "random" || primitive === "instance_index" || primitive === "scalar";
}

class Refused extends Error {
  constructor(readonly refusal: NoRowMap) {
    super(refusal.reason);
  }
}

/** A value on the way from x. */
interface Mapped {
  /** The axis of the value that each row axis of x has become. */
  readonly rows: readonly number[];
  readonly terms: ReadonlyMap<ValueId, ValueId>;
  readonly constant: ValueId | undefined;
}

class RowWalk {
  readonly #mapped = new Map<ValueId, Mapped>();
  readonly #rows: readonly number[];
  readonly #size: number;

  constructor(
    readonly builder: GraphBuilder,
    readonly x: ValueId,
    readonly columns: number,
  ) {
    const shape = builder.shape(x);
    this.#size = shape[columns]!;
    // An axis of size 1 is as good as none, and reshapes lose it.
    this.#rows = shape.flatMap((size, axis) => (axis !== columns && size !== 1 ? [axis] : []));
    const identity = identityMatrix(builder, this.#size);
    const linear = operations.reshape(builder, identity, [this.#size, ...without(shape, this.#rows)]);
    this.#mapped.set(x, { rows: this.#rows, terms: new Map([[x, linear]]), constant: undefined });
  }

  derive(y: ValueId): RowMap {
    for (const node of this.#nodesTo(y)) {
      this.builder.origin = node.origin;
      this.#mapped.set(node.outputs[0]!, this.#step(node));
    }
    const found = this.#mapped.get(y);
    if (!found) return refuse(this.builder.producers[y]!, "its result does not depend on the input");
    const { rows: places, terms, constant } = found;
    return { columns: this.columns, rows: this.#rows, places, terms, constant };
  }

  /** What lies between x and y, in order. */
  #nodesTo(y: ValueId): Node[] {
    const seen = new Set<ValueId>([this.x]);
    const found = new Set<Node>();
    const stack = [y];
    for (let value = stack.pop(); value !== undefined; value = stack.pop()) {
      if (value < this.x || seen.has(value)) continue;
      seen.add(value);
      const node = this.builder.producers[value]!;
      found.add(node);
      stack.push(...node.inputs);
    }
    const depends = new Set<ValueId>([this.x]);
    return [...found]
      .sort((a, b) => a.outputs[0]! - b.outputs[0]!)
      .filter((node) => {
        const reached = node.inputs.some((input) => depends.has(input));
        if (reached) for (const output of node.outputs) depends.add(output);
        return reached;
      });
  }

  #step(node: Node): Mapped {
    switch (node.primitive) {
      case "negate":
      case "stop_gradient":
        return this.#alike(node);
      case "add":
      case "subtract":
        return this.#sum(node, [0, 1]);
      case "select":
        if (this.#mapped.has(node.inputs[0]!)) return refuse(node, "it chooses by its input");
        return this.#sum(node, [1, 2]);
      case "concat": {
        const { axis } = node.attributes;
        const { rows } = this.#first(node);
        if (rows.includes(axis)) return refuse(node, "it adds rows");
        return this.#sum(node, [...node.inputs.keys()], { axis: renumbered(axis, rows) });
      }
      case "multiply":
        if (node.inputs.every((input) => this.#mapped.has(input))) return refuse(node);
        return this.#alike(node);
      case "divide":
        if (this.#mapped.has(node.inputs[1]!)) return refuse(node);
        return this.#alike(node);
      case "reshape": {
        const { shape } = node.attributes;
        const mapped = this.#first(node);
        const rows = axesAfterReshape(this.builder.shape(node.inputs[0]!), shape, mapped.rows);
        if (!rows) return refuse(node, "it joins or cuts rows");
        return this.#apply(node, { shape: without(shape, rows) }, rows, [mapped]);
      }
      case "transpose": {
        const { permutation } = node.attributes;
        const mapped = this.#first(node);
        const rows = mapped.rows.map((row) => permutation.indexOf(row));
        const kept = permutation.filter((axis) => !mapped.rows.includes(axis));
        const attributes = { permutation: kept.map((axis) => renumbered(axis, mapped.rows)) };
        return this.#apply(node, attributes, rows, [mapped]);
      }
      case "broadcast": {
        const { shape, axes } = node.attributes;
        const mapped = this.#first(node);
        const rows = mapped.rows.map((row) => axes[row]!);
        const kept = without(axes, mapped.rows);
        const attributes = { shape: without(shape, rows), axes: kept.map((axis) => renumbered(axis, rows)) };
        return this.#apply(node, attributes, rows, [mapped]);
      }
      case "slice": {
        const { starts, limits, steps } = node.attributes;
        const mapped = this.#first(node);
        const view = (source: ValueId): ValueId => {
          const shape = this.builder.shape(source);
          const [first, end, step] = [shape.map(() => 0), [...shape], shape.map(() => 1)];
          this.#rows.forEach((axis, row) => {
            const place = mapped.rows[row]!;
            [first[axis], end[axis], step[axis]] = [starts[place]!, limits[place]!, steps[place]!];
          });
          return operations.slice(this.builder, source, first, end, step);
        };
        const rest = (numbers: readonly number[]) => without(numbers, mapped.rows);
        const attributes = { starts: rest(starts), limits: rest(limits), steps: rest(steps) };
        return this.#apply(node, attributes, mapped.rows, [this.#viewed(mapped, view)]);
      }
      case "pad": {
        const { low, high, interior } = node.attributes;
        const mapped = this.#first(node);
        const adds = mapped.rows.some((row) => low[row]! + high[row]! + interior[row]! > 0);
        if (adds && mapped.constant !== undefined) return refuse(node, "it adds rows of zeros to what is not zero");
        const view = (source: ValueId): ValueId => {
          const widths = [low, high, interior].map((sizes) => {
            const own = this.builder.shape(source).map(() => 0);
            this.#rows.forEach((axis, row) => {
              own[axis] = sizes[mapped.rows[row]!]!;
            });
            return own;
          });
          return operations.pad(this.builder, source, widths[0]!, widths[1]!, widths[2]!);
        };
        const rest = (numbers: readonly number[]) => without(numbers, mapped.rows);
        const attributes = { low: rest(low), high: rest(high), interior: rest(interior) };
        return this.#apply(node, attributes, mapped.rows, [this.#viewed(mapped, view)]);
      }
      case "reduce_sum": {
        const { axes } = node.attributes;
        const mapped = this.#first(node);
        if (axes.some((axis) => mapped.rows.includes(axis))) return refuse(node, "it adds up rows");
        const rows = mapped.rows.map((row) => renumbered(row, axes));
        return this.#apply(node, { axes: axes.map((axis) => renumbered(axis, mapped.rows)) }, rows, [mapped]);
      }
      case "contraction":
        return this.#contraction(node);
      case "gather": {
        const [table, indices] = [node.inputs[0]!, node.inputs[1]!];
        const mapped = this.#mapped.get(table);
        if (!mapped || this.#mapped.has(indices)) return refuse(node, "it uses its input as indices");
        if (node.attributes.batch > 0 || mapped.rows.includes(0)) return refuse(node, "it picks rows by index");
        const added = this.builder.shape(indices).length - 1;
        const rows = mapped.rows.map((row) => row + added);
        return this.#apply(node, node.attributes, rows, [mapped, indices]);
      }
      case "scatter_add": {
        const [updates, indices] = [node.inputs[0]!, node.inputs[1]!];
        const mapped = this.#mapped.get(updates);
        if (!mapped || this.#mapped.has(indices)) return refuse(node, "it uses its input as indices");
        const indexed = this.builder.shape(indices).length;
        const moves = node.attributes.batch > 0 || mapped.rows.some((row) => row < indexed);
        if (moves) return refuse(node, "it moves rows by index");
        const rows = mapped.rows.map((row) => row - indexed + 1);
        return this.#apply(node, node.attributes, rows, [mapped, indices]);
      }
      default:
        return refuse(node);
    }
  }

  /** The first input that comes from x. */
  #first(node: Node): Mapped {
    return this.#mapped.get(node.inputs.find((input) => this.#mapped.has(input))!)!;
  }

  #viewed(mapped: Mapped, view: (source: ValueId) => ValueId): Mapped {
    return { ...mapped, terms: new Map([...mapped.terms].map(([source, linear]) => [view(source), linear])) };
  }

  /** Elementwise, and linear in the one operand that comes from x; the others are the same in all rows. */
  #alike(node: Node): Mapped {
    const { rows } = this.#first(node);
    const operands = node.inputs.map((input) => this.#mapped.get(input) ?? this.#equalRows(node, input, rows));
    return this.#apply(node, node.attributes, rows, operands);
  }

  #contraction(node: Node & { readonly primitive: "contraction" }): Mapped {
    const place = node.inputs.findIndex((input) => this.#mapped.has(input));
    const other = 1 - place;
    if (this.#mapped.has(node.inputs[other]!)) return refuse(node);
    const mapped = this.#first(node);
    const { lhs, rhs, out } = node.attributes;
    const labels = [lhs, rhs];
    const rowLabels = mapped.rows.map((row) => labels[place]![row]!);
    if (!rowLabels.every((label) => out.includes(label))) return refuse(node, "it adds up rows");
    const shared = labels[other]!.flatMap((label, axis) => (rowLabels.includes(label) ? [axis] : []));
    const rest = this.#equalRows(node, node.inputs[other]!, shared);
    const keep = (list: readonly number[]) => list.filter((label) => !rowLabels.includes(label));
    const rows = rowLabels.map((label) => out.indexOf(label));
    const operands = place === 0 ? [mapped, rest] : [rest, mapped];
    return this.#apply(node, { lhs: keep(lhs), rhs: keep(rhs), out: keep(out) }, rows, operands);
  }

  /** A primitive that is linear in its one operand from x, on values without rows. */
  #apply(node: Node, attributes: object, rows: readonly number[], operands: readonly (Mapped | ValueId)[]): Mapped {
    const place = operands.findIndex((operand) => typeof operand !== "number");
    const { terms, constant } = operands[place] as Mapped;
    const isBatched = operands.map((_, index) => index === place);
    const put = (value: ValueId) => operands.map((operand) => (typeof operand === "number" ? operand : value));
    return {
      rows,
      terms: new Map(
        [...terms].map(([source, linear]) => [source, this.#batched(node, attributes, put(linear), isBatched)]),
      ),
      constant:
        constant === undefined ? undefined : this.builder.add(node.primitive, put(constant), attributes as never),
    };
  }

  /** A primitive that is linear in all operands of `places` together. */
  #sum(node: Node, places: readonly number[], attributes: object = node.attributes): Mapped {
    const { rows } = this.#first(node);
    const { builder } = this;
    const operands = node.inputs.map((input) => this.#mapped.get(input));
    if (operands.some((operand) => operand && !sameShape(operand.rows, rows))) {
      return refuse(node, "it adds up different rows");
    }
    const fixed = node.inputs.map((input, place) => (operands[place] ? input : this.#equalRows(node, input, rows)));
    const zeros = node.inputs.map((input, place) => {
      const shape = operands[place] ? without(builder.shape(input), rows) : builder.shape(fixed[place]!);
      return (lead: Shape) => operations.constant(builder, 0, [...lead, ...shape], builder.type(input).dtype);
    });
    const isBatched = operands.map((_, place) => places.includes(place));
    const sources = new Set(operands.flatMap((operand) => [...(operand?.terms.keys() ?? [])]));
    const terms = [...sources].map((source): [ValueId, ValueId] => {
      const linear = operands.map((operand, place) =>
        isBatched[place] ? (operand?.terms.get(source) ?? zeros[place]!([this.#size])) : fixed[place]!,
      );
      return [source, this.#batched(node, attributes, linear, isBatched)];
    });
    const moved = operands.some((operand, place) => isBatched[place] && (!operand || operand.constant !== undefined));
    const constant = operands.map((operand, place) =>
      operand ? (operand.constant ?? zeros[place]!([])) : fixed[place]!,
    );
    return {
      rows,
      terms: new Map(terms),
      constant: moved ? builder.add(node.primitive, constant, attributes as never) : undefined,
    };
  }

  #batched(node: Node, attributes: object, inputs: readonly ValueId[], isBatched: readonly boolean[]): ValueId {
    const entry = primitiveOf<PrimitiveName>(node.primitive);
    const given = attributes as AttributesOf[PrimitiveName];
    const [output] = entry.batch(this.builder, given, inputs, isBatched, this.#size);
    return output!;
  }

  /** A value that does not come from x, without the given axes, along which it must repeat. */
  #equalRows(node: Node, value: ValueId, axes: readonly number[]): ValueId {
    return withoutRepeats(this.builder, value, axes) ?? refuse(node, "what it does depends on the row");
  }
}

/** `value` without axes along which it only repeats; undefined where that cannot be seen. */
function withoutRepeats(b: GraphBuilder, value: ValueId, axes: readonly number[]): ValueId | undefined {
  if (axes.length === 0) return value;
  const { dtype, shape } = b.type(value);
  const node = b.producers[value]!;
  switch (node.primitive) {
    case "constant":
      return operations.constant(b, node.attributes.value, without(shape, axes), dtype);
    case "broadcast": {
      const kept = node.attributes.axes;
      const inner = kept.flatMap((axis, place) => (axes.includes(axis) ? [place] : []));
      const source = withoutRepeats(b, node.inputs[0]!, inner);
      if (source === undefined) return undefined;
      const left = kept.filter((axis) => !axes.includes(axis)).map((axis) => renumbered(axis, axes));
      return operations.broadcast(b, source, without(shape, axes), left);
    }
    case "transpose": {
      const { permutation } = node.attributes;
      const inner = axes.map((axis) => permutation[axis]!);
      const source = withoutRepeats(b, node.inputs[0]!, inner);
      if (source === undefined) return undefined;
      const kept = permutation.filter((axis) => !inner.includes(axis));
      return operations.transpose(
        b,
        source,
        kept.map((axis) => renumbered(axis, inner)),
      );
    }
    case "reshape": {
      const inner = axesAfterReshape(shape, b.shape(node.inputs[0]!), axes);
      const source = inner && withoutRepeats(b, node.inputs[0]!, inner);
      return source === undefined ? undefined : operations.reshape(b, source, without(shape, axes));
    }
    default: {
      if (!elementwise.has(node.primitive)) return undefined;
      const inputs: ValueId[] = [];
      for (const input of node.inputs) {
        const source = withoutRepeats(b, input, axes);
        if (source === undefined) return undefined;
        inputs.push(source);
      }
      return b.add(node.primitive, inputs, node.attributes as never);
    }
  }
}

/** Primitives whose operands and result have one shape. */
const elementwise: ReadonlySet<string> = new Set([
  ...Object.keys(unaries),
  ...Object.keys(binaries),
  "cast",
  "select",
  "stop_gradient",
]);

/** Where axes stand after a reshape that leaves them whole; undefined when it does not. Of axes of size 1 any will do. */
function axesAfterReshape(from: Shape, to: Shape, axes: readonly number[]): number[] | undefined {
  const found: number[] = [];
  for (const axis of axes) {
    const before = elementCount(from.slice(0, axis));
    const place = to.findIndex(
      (size, other) => size === from[axis] && elementCount(to.slice(0, other)) === before && !found.includes(other),
    );
    if (place < 0) return undefined;
    found.push(place);
  }
  return found;
}

const without = (list: readonly number[], places: readonly number[]): number[] =>
  list.filter((_, place) => !places.includes(place));

/** The number of an axis once others are gone. */
const renumbered = (axis: number, gone: readonly number[]): number =>
  axis - gone.filter((other) => other < axis).length;

function identityMatrix(b: GraphBuilder, size: number): ValueId {
  const [rows, columns] = [operations.iota(b, [size, size], 0), operations.iota(b, [size, size], 1)];
  return operations.cast(b, operations.equal(b, rows, columns), "f32");
}

function refuse(node: Node, reason?: string): never {
  throw new Refused({ node, reason });
}
