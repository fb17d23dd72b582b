import type { Graph } from "../graph/graph.js";
import { rewrite } from "../graph/rewrite.js";

/** The graph with equal nodes merged and nodes that no output or update needs removed. Linear. */
export const deduplicate = (graph: Graph): Graph => rewrite(graph);
