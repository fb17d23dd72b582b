import type { Graph } from "../graph/graph.js";
import { rewrite } from "../graph/rewrite.js";

/** The graph without `stop_gradient`: once gradients are taken, or when none will be, it is the identity. */
export const removeStopGradient = (graph: Graph): Graph =>
  rewrite(graph, (node, inputs) => (node.primitive === "stop_gradient" ? inputs : undefined));
