import type { Graph } from "../graph/graph.js";
import type { Node } from "../graph/node.js";
import { copyInto, liveNodes, rewrite, withoutDeadNodes } from "../graph/rewrite.js";
import { SimplifyingBuilder } from "./simplify/builder.js";
import type { RuleTable } from "./simplify/rule.js";
import { allRules, ruleTable } from "./simplify/rules.js";

const standardRules = ruleTable(allRules);

/** A sweep sees nearly everything at once, because rules work on what earlier rules made; a few more find what counting uses hid. */
const mostRounds = 6;

/**
 * Applies the algebraic laws of `simplify/` until none applies: constants fold, what adds or multiplies nothing disappears, movement cancels,
 * products take over transposes, repeats and sums. Values keep their meaning up to rounding; a product with a zero constant is zero
 * even where the other factor is not finite. Linear in nodes for each round.
 */
export function simplify(graph: Graph, rules: RuleTable = standardRules): Graph {
  let current = graph;
  for (let round = 0; round < mostRounds; round++) {
    const { result, changed } = sweep(current, rules);
    current = result;
    if (!changed) break;
  }
  return current;
}

/** The graph without `stop_gradient`: once gradients are taken, or when none will be, it is the identity. */
export const removeStopGradient = (graph: Graph): Graph =>
  rewrite(graph, (node, inputs) => (node.primitive === "stop_gradient" ? inputs : undefined));

function sweep(graph: Graph, rules: RuleTable): { result: Graph; changed: boolean } {
  const builder = new SimplifyingBuilder(rules);
  const uses = useCounts(graph);
  const values = copyInto(builder, graph, (node: Node, inputs) => {
    const outputs = builder.addAll(node.primitive, inputs, node.attributes);
    node.outputs.forEach((output, index) => {
      builder.use(outputs[index]!, uses[output]!);
    });
    return outputs;
  });
  for (const { name, value } of graph.outputs) builder.output(name, values[value]!);
  for (const { name, value } of graph.updates) builder.update(name, values[value]!);
  return { result: withoutDeadNodes(builder.finish()), changed: builder.changed };
}

/** How many live nodes and results read each value. */
function useCounts(graph: Graph): Int32Array {
  const counts = new Int32Array(graph.types.length);
  const live = liveNodes(graph);
  graph.nodes.forEach((node, place) => {
    if (live[place]) for (const input of node.inputs) counts[input]!++;
  });
  for (const { value } of [...graph.outputs, ...graph.updates]) counts[value]!++;
  return counts;
}
