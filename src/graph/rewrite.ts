import { GraphBuilder } from "./builder.js";
import type { Graph, NamedValue } from "./graph.js";
import type { Node, ValueId } from "./node.js";
import type { TensorType } from "./shape.js";

/** What a graph is for. */
export type Roots = Pick<Graph, "outputs" | "updates">;

/**
 * Says what takes a node's place: values for its outputs, added to the builder (or among its inputs), or undefined to keep the
 * node. `inputs` are the node's inputs in the new graph.
 */
export type RewriteRule = (
  node: Node,
  inputs: readonly ValueId[],
  builder: GraphBuilder,
) => readonly ValueId[] | undefined;

/** Nodes that the roots need, as flags by place in `graph.nodes`. O(n). */
export function liveNodes(graph: Graph, roots: Roots = graph): boolean[] {
  const needed = new Uint8Array(graph.types.length);
  for (const { value } of [...roots.outputs, ...roots.updates]) needed[value] = 1;
  const live = new Array<boolean>(graph.nodes.length).fill(false);
  for (let place = graph.nodes.length - 1; place >= 0; place--) {
    const node = graph.nodes[place]!;
    if (!node.outputs.some((output) => needed[output])) continue;
    live[place] = true;
    for (const input of node.inputs) needed[input] = 1;
  }
  return live;
}

/**
 * Adds the live nodes of a graph to a builder, each through the rule, and returns the new value of every old one (undefined where
 * the node was dead). New nodes take the origin of the node they come from.
 */
export function copyInto(
  builder: GraphBuilder,
  graph: Graph,
  rule: RewriteRule = () => undefined,
  roots: Roots = graph,
): readonly (ValueId | undefined)[] {
  const live = liveNodes(graph, roots);
  const values = new Array<ValueId | undefined>(graph.types.length);
  const origin = builder.origin;
  graph.nodes.forEach((node, place) => {
    if (!live[place]) return;
    builder.origin = node.origin;
    const inputs = node.inputs.map((input) => values[input]!);
    const outputs = rule(node, inputs, builder) ?? builder.addAll(node.primitive, inputs, node.attributes);
    node.outputs.forEach((output, index) => {
      values[output] = outputs[index];
    });
  });
  builder.origin = origin;
  return values;
}

/**
 * Rebuilds a graph node by node: the tool of every pass. Equal nodes become one, dead ones disappear (also those that the rule made
 * superfluous), origins stay. `roots` (values of the old graph) replaces what the graph is for. Linear in nodes and edges.
 */
export function rewrite(graph: Graph, rule: RewriteRule = () => undefined, roots: Roots = graph): Graph {
  const builder = new GraphBuilder();
  const values = copyInto(builder, graph, rule, roots);
  for (const { name, value } of roots.outputs) builder.output(name, values[value]!);
  for (const { name, value } of roots.updates) builder.update(name, values[value]!);
  return withoutDeadNodes(builder.finish());
}

/** The graph without nodes that nothing needs, its values numbered without gaps. O(n). */
export function withoutDeadNodes(graph: Graph): Graph {
  const live = liveNodes(graph);
  if (live.every(Boolean)) return graph;
  const types: TensorType[] = [];
  const values: ValueId[] = [];
  const nodes = graph.nodes
    .filter((_, place) => live[place])
    .map((node) => {
      const inputs = node.inputs.map((input) => values[input]!);
      const outputs = node.outputs.map((output) => {
        values[output] = types.push(graph.types[output]!) - 1;
        return values[output]!;
      });
      return { ...node, inputs, outputs } as Node;
    });
  const renumbered = (entries: readonly NamedValue[]) =>
    entries.map(({ name, value }) => ({ name, value: values[value]! }));
  return { nodes, types, outputs: renumbered(graph.outputs), updates: renumbered(graph.updates) };
}
