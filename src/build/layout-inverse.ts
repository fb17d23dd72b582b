/**
 * The inverse of a layout. `tokens` is traced once per slot shape; walking its movement nodes backwards gives the way from tokens to the slot, and
 * running both on an index tensor proves that nothing is lost, doubled or misplaced.
 */
import { GraphBuilder } from "../graph/builder.js";
import type { Node, ValueId } from "../graph/node.js";
import { elementCount, formatShape, type Shape } from "../graph/shape.js";
import * as operations from "../primitives/operations.js";
import type { ReferenceTensor } from "../primitives/primitive.js";
import { primitiveOf } from "../primitives/registry.js";

/** A part of a value: the elements `starts`, `starts + steps`, ... of each axis. */
interface Box {
  readonly starts: readonly number[];
  readonly steps: readonly number[];
  readonly value: ValueId;
}

export type Detokenize = (builder: GraphBuilder, tokens: ValueId) => ValueId;

/** A layout for one slot shape: the way it cuts, replayed in any graph, and its derived inverse. */
export interface Cut {
  readonly tokenize: (builder: GraphBuilder, slot: ValueId) => ValueId;
  readonly detokenize: Detokenize;
}

/**
 * The inverse of the nodes that lead from `input` to `output`, or the reason why there is none: a string in the user's terms.
 */
export function deriveInverse(traced: GraphBuilder, input: ValueId, output: ValueId): Cut | string {
  const nodes = nodesBetween(traced, input, output);
  const refused = nodes.find((node) => !isMovement(node));
  if (refused) return `it uses ${refused.primitive}, but a layout may only rearrange, pad, slice and concat`;
  const detokenize: Detokenize = (builder, tokens) => {
    const boxes = new Map<ValueId, Box[]>();
    const give = (value: ValueId, box: Box) => {
      const known = boxes.get(value);
      if (known) known.push(box);
      else boxes.set(value, [box]);
    };
    give(output, whole(traced.shape(output), tokens));
    for (const node of [...nodes].reverse()) {
      const known = boxes.get(node.outputs[0]!);
      if (known) undo(builder, node, traced, assemble(builder, traced.shape(node.outputs[0]!), known), give);
    }
    return assemble(builder, traced.shape(input), boxes.get(input) ?? []);
  };
  const tokenize = (builder: GraphBuilder, slot: ValueId): ValueId => {
    const values = new Map([[input, slot]]);
    for (const node of nodes) {
      const inputs = node.inputs.map((value) => values.get(value)!);
      values.set(node.outputs[0]!, builder.add(node.primitive, inputs, node.attributes as never));
    }
    return values.get(output)!;
  };
  return proveBijection(traced, nodes, input, output, detokenize) ?? { tokenize, detokenize };
}

const whole = (shape: Shape, value: ValueId): Box => ({ starts: shape.map(() => 0), steps: shape.map(() => 1), value });

type Movement = Node & { readonly primitive: "reshape" | "transpose" | "slice" | "pad" | "concat" | "constant" };

function isMovement(node: Node): node is Movement {
  switch (node.primitive) {
    case "reshape":
    case "transpose":
    case "slice":
    case "pad":
    case "concat":
    case "constant":
      return true;
    default:
      return false;
  }
}

function nodesBetween(traced: GraphBuilder, input: ValueId, output: ValueId): Node[] {
  const found = new Set<Node>();
  const stack = [output];
  while (stack.length > 0) {
    const value = stack.pop()!;
    const node = traced.producers[value]!;
    if (value === input || found.has(node)) continue;
    found.add(node);
    stack.push(...node.inputs);
  }
  return traced.nodes.filter((node) => found.has(node));
}

/** Passes the value of a node's output back to its inputs. */
function undo(
  builder: GraphBuilder,
  node: Node,
  traced: GraphBuilder,
  value: ValueId,
  give: (value: ValueId, box: Box) => void,
): void {
  const shapes = node.inputs.map((input) => traced.shape(input));
  const [input] = node.inputs;
  const [shape] = shapes;
  switch (node.primitive) {
    case "reshape":
      give(input!, whole(shape!, operations.reshape(builder, value, shape!)));
      return;
    case "transpose": {
      const { permutation } = node.attributes;
      const inverse = permutation.map((_, axis) => permutation.indexOf(axis));
      give(input!, whole(shape!, operations.transpose(builder, value, inverse)));
      return;
    }
    case "slice":
      give(input!, { starts: node.attributes.starts, steps: node.attributes.steps, value });
      return;
    case "pad": {
      const { low, interior } = node.attributes;
      const steps = interior.map((size) => size + 1);
      const limits = shape!.map((size, axis) => low[axis]! + Math.max(size - 1, 0) * steps[axis]! + Math.min(size, 1));
      give(input!, whole(shape!, operations.slice(builder, value, low, limits, steps)));
      return;
    }
    case "concat": {
      const { axis } = node.attributes;
      let start = 0;
      node.inputs.forEach((part, place) => {
        const size = shapes[place]![axis]!;
        give(part, whole(shapes[place]!, operations.sliceAxis(builder, value, axis, start, start + size)));
        start += size;
      });
      return;
    }
    default:
      return;
  }
}

/** A value from its parts: itself, a concatenation where they tile one axis, else each in its place among zeros, added. */
function assemble(builder: GraphBuilder, shape: Shape, boxes: readonly Box[]): ValueId {
  const sizes = boxes.map(({ value }) => builder.shape(value));
  const isWhole = (place: number) => sizes[place]!.every((size, axis) => size === shape[axis]);
  const first = boxes.findIndex((_, place) => isWhole(place));
  if (first >= 0) return boxes[first]!.value;
  const differing = shape.map((_, axis) => axis).filter((axis) => sizes.some((size) => size[axis] !== shape[axis]));
  const plain = boxes.every(({ steps }) => steps.every((step) => step === 1));
  if (plain && differing.length === 1) {
    const axis = differing[0]!;
    const ordered = [...boxes].sort((a, b) => a.starts[axis]! - b.starts[axis]!);
    let next = 0;
    const tiled = ordered.every((box) => {
      const fits = box.starts[axis] === next;
      next += builder.shape(box.value)[axis]!;
      return fits;
    });
    if (tiled && next === shape[axis]) {
      return operations.concat(
        builder,
        ordered.map(({ value }) => value),
        axis,
      );
    }
  }
  const placed = boxes.map(({ starts, steps, value }, place) => {
    const extents = sizes[place]!.map((size, axis) => Math.max(size - 1, 0) * steps[axis]! + Math.min(size, 1));
    const high = shape.map((size, axis) => size - starts[axis]! - extents[axis]!);
    return operations.pad(
      builder,
      value,
      starts,
      high,
      steps.map((step) => step - 1),
    );
  });
  return placed.length === 0
    ? operations.constant(builder, 0, shape)
    : placed.reduce((sum, part) => operations.add(builder, sum, part));
}

/** Undefined when tokenising keeps every number once and detokenising puts it back; else the reason. */
function proveBijection(
  traced: GraphBuilder,
  nodes: readonly Node[],
  input: ValueId,
  output: ValueId,
  detokenize: Detokenize,
): string | undefined {
  const shape = traced.shape(input);
  const count = elementCount(shape);
  // Numbers from 1, so that 0 is padding; exact in float64.
  const indices = Float64Array.from({ length: count }, (_, place) => place + 1);
  const slot: ReferenceTensor = { type: traced.type(input), data: indices };
  const tokens = run(traced, nodes, new Map([[input, slot]]), output);
  const seen = new Uint8Array(count + 1);
  for (const index of tokens.data) {
    if (index === 0) continue;
    if (!Number.isInteger(index) || index > count || seen[index])
      return `it puts ${describeIndex(index, shape)} into two places`;
    seen[index] = 1;
  }
  const lost = seen.indexOf(0, 1);
  if (lost >= 0) return `it loses ${describeIndex(lost, shape)}`;
  const builder = new GraphBuilder();
  const start = builder.add("input", [], {
    name: "tokens",
    dtype: "f32",
    shape: traced.shape(output),
    perInstance: false,
  });
  const end = detokenize(builder, start);
  const back = run(builder, nodesBetween(builder, start, end), new Map([[start, tokens]]), end);
  const wrong = back.data.findIndex((index, place) => index !== place + 1);
  return wrong >= 0 ? `its inverse misplaces ${describeIndex(wrong + 1, shape)}` : undefined;
}

function describeIndex(index: number, shape: Shape): string {
  let rest = Math.round(index) - 1;
  const place: number[] = [];
  for (const size of [...shape].reverse()) {
    place.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return `the number at ${formatShape(place)}`;
}

const noLeaves = {
  leaf(): never {
    throw new Error("a layout has no leaves");
  },
};

/** Evaluates movement nodes on known values. */
function run(
  builder: GraphBuilder,
  nodes: readonly Node[],
  values: Map<ValueId, ReferenceTensor>,
  output: ValueId,
): ReferenceTensor {
  for (const node of nodes) {
    const inputs = node.inputs.map((value) => values.get(value)!);
    const types = node.outputs.map((value) => builder.type(value));
    const data = primitiveOf(node.primitive).evaluate(inputs, node.attributes as never, types, noLeaves, node as never);
    node.outputs.forEach((value, place) => {
      values.set(value, { type: types[place]!, data: data[place]! });
    });
  }
  return values.get(output)!;
}
