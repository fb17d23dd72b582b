import type { GraphBuilder } from "../../graph/builder.js";
import type { ValueId } from "../../graph/node.js";
import { primitiveOf } from "../../primitives/registry.js";
import { dependants, stopsGradient } from "./paths.js";
import { collectSlices, type SliceCotangent, sumOf } from "./slices.js";

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
