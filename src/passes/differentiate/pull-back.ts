import type { GraphBuilder } from "../../graph/builder.js";
import { isFloat } from "../../graph/dtype.js";
import type { Node, ValueId } from "../../graph/node.js";
import type { PrimitiveName } from "../../primitives/names.js";
import { primitiveOf } from "../../primitives/registry.js";
import { collectSlices, type SliceCotangent, sumOf } from "./slices.js";

/** Float primitives through which no gradient passes; whatever yields integers or booleans passes none either. */
const stops: ReadonlySet<PrimitiveName> = new Set(["stop_gradient", "floor", "sign"]);

export interface Seed {
  readonly value: ValueId;
  /** Of the type of `value`. */
  readonly cotangent: ValueId;
}

/** What has been added to a value's cotangent so far. */
interface Contributions {
  readonly whole: ValueId[];
  readonly slices: SliceCotangent[];
}

/**
 * Reverse-mode differentiation inside a builder: appends the cotangents of `targets` that follow from the cotangents of the seeds, and returns
 * them (undefined: zero). Targets may be any values already in the builder. Only nodes on a path from a target to a seed are
 * visited by gradient rules. Linear in the nodes, up to sorting slices.
 */
export function pullBack(
  builder: GraphBuilder,
  seeds: readonly Seed[],
  targets: readonly ValueId[],
): readonly (ValueId | undefined)[] {
  const nodeCount = builder.nodes.length;
  const depends = dependants(builder, targets);
  const isTarget = new Set(targets);
  const contributions = new Map<ValueId, Contributions>();
  const found = new Map<ValueId, ValueId>();
  const at = (value: ValueId): Contributions => {
    const known = contributions.get(value) ?? { whole: [], slices: [] };
    contributions.set(value, known);
    return known;
  };
  for (const { value, cotangent } of seeds) if (depends[value]) at(value).whole.push(cotangent);

  const originBefore = builder.origin;
  for (let index = nodeCount - 1; index >= 0 && contributions.size > 0; index--) {
    const node = builder.nodes[index]!;
    if (!node.outputs.some((output) => contributions.has(output))) continue;
    builder.origin = node.origin;
    const cotangents = node.outputs.map((output) => collect(builder, output, contributions));
    node.outputs.forEach((output, position) => {
      const cotangent = cotangents[position];
      if (cotangent !== undefined && isTarget.has(output)) found.set(output, cotangent);
    });
    const needed = node.inputs.map((input) => depends[input] === 1);
    if (stopsGradient(builder, node) || !needed.includes(true)) continue;

    if (node.primitive === "slice") {
      at(node.inputs[0]!).slices.push({ ...node.attributes, cotangent: cotangents[0]! });
      continue;
    }
    const inputCotangents = primitiveOf(node.primitive).gradient({ builder, node, needed } as never, cotangents);
    node.inputs.forEach((input, position) => {
      const cotangent = inputCotangents[position];
      if (needed[position] && cotangent !== undefined) at(input).whole.push(cotangent);
    });
  }
  builder.origin = originBefore;
  return targets.map((target) => found.get(target));
}

/** 1 for every value through which a change of a target passes. */
function dependants(builder: GraphBuilder, targets: readonly ValueId[]): Uint8Array {
  const depends = new Uint8Array(builder.types.length);
  for (const target of targets) depends[target] = 1;
  for (const node of builder.nodes) {
    if (!node.inputs.some((input) => depends[input] === 1) || stopsGradient(builder, node)) continue;
    for (const output of node.outputs) depends[output] = isFloat(builder.type(output).dtype) ? 1 : 0;
  }
  return depends;
}

function stopsGradient(builder: GraphBuilder, node: Node): boolean {
  return stops.has(node.primitive) || !node.outputs.some((output) => isFloat(builder.type(output).dtype));
}

/** The finished cotangent of a value: nothing adds to it any more. */
function collect(
  builder: GraphBuilder,
  value: ValueId,
  contributions: Map<ValueId, Contributions>,
): ValueId | undefined {
  const known = contributions.get(value);
  if (!known) return undefined;
  contributions.delete(value);
  const parts = [...known.whole];
  if (known.slices.length > 0) parts.push(collectSlices(builder, builder.type(value), known.slices));
  return sumOf(builder, parts);
}
