import { GraphBuilder } from "../graph/builder.js";
import type { Graph, NamedValue } from "../graph/graph.js";
import type { ValueId } from "../graph/node.js";
import { copyInto } from "../graph/rewrite.js";
import { simplify } from "./simplify.js";

/**
 * Whether two values of one graph are equal for all values of the leaves, as far as algebra proves it: true is a proof, false only the lack of one.
 * After simplification equal values are the same node.
 */
export function provenEqual(graph: Graph, first: ValueId, second: ValueId): boolean {
  const outputs: readonly NamedValue[] = [
    { name: "first", value: first },
    { name: "second", value: second },
  ];
  const simplified = simplify({ ...graph, outputs, updates: [] });
  return simplified.outputs[0]!.value === simplified.outputs[1]!.value;
}

/** `provenEqual` for values of two graphs; leaves with equal attributes are the same leaf. */
export function provenEqualAcross(
  first: { readonly graph: Graph; readonly value: ValueId },
  second: { readonly graph: Graph; readonly value: ValueId },
): boolean {
  const builder = new GraphBuilder();
  const [left, right] = [first, second].map(({ graph, value }) => {
    const roots = { outputs: [{ name: "value", value }], updates: [] };
    return copyInto(builder, graph, () => undefined, roots)[value]!;
  });
  return provenEqual(builder.finish(), left!, right!);
}
