import type { Node, ValueId } from "../graph/node.js";

/** Named leaves of a list of nodes: parameters by path, inputs and ranges by name. */
export function leafValues(graph: { readonly nodes: readonly Node[] }): Map<string, ValueId> {
  const leaves = new Map<string, ValueId>();
  for (const node of graph.nodes) {
    if (node.primitive === "parameter") leaves.set(node.attributes.path, node.outputs[0]!);
    else if (node.primitive === "input" || node.primitive === "range")
      leaves.set(node.attributes.name, node.outputs[0]!);
  }
  return leaves;
}
