import { primitives, shapeOf } from "../primitives/registry.js";
import { isDtype } from "./dtype.js";
import type { Graph, NamedValue } from "./graph.js";
import type { Node, ValueId } from "./node.js";
import { formatShape, sameShape, type TensorType } from "./shape.js";
import { printNode } from "./text.js";

/** A graph that breaks a rule of graphs: a mistake of the compiler, or a text that did not come from it. */
export class GraphError extends Error {
  constructor(
    message: string,
    readonly node?: Node,
  ) {
    super(message);
    this.name = "GraphError";
  }
}

const sameType = (a: TensorType, b: TensorType): boolean => a.dtype === b.dtype && sameShape(a.shape, b.shape);
const showType = (type: TensorType | undefined): string => (type ? `${type.dtype}${formatShape(type.shape)}` : "none");

/** What a leaf is called: leaves of one kind and name are one tensor and must agree in everything. */
function leafName(node: Node): string | undefined {
  switch (node.primitive) {
    case "input":
      return `input ${node.attributes.name}`;
    case "parameter":
      return `stored ${node.attributes.path}`;
    case "range":
      return `stored ${node.attributes.name}`;
    default:
      return undefined;
  }
}

/** Numbers an element of a constant may have: finite, and of its dtype. */
function fitsDtype(value: number, type: TensorType): boolean {
  switch (type.dtype) {
    case "f32":
    case "f16":
    case "bf16":
    case "f64":
      return Number.isFinite(value);
    case "i32":
      return (value | 0) === value;
    case "u32":
      return value >>> 0 === value;
    case "bool":
      return value === 0 || value === 1;
  }
}

/**
 * Checks every rule of graphs: known primitives, inputs that stand earlier, one producer per value, types that the shape rules
 * give, finite constants, leaves of one name that agree, and outputs and updates that exist under distinct names. Throws
 * GraphError naming the node. O(n).
 */
export function verify(graph: Graph): void {
  const defined = new Set<ValueId>();
  const leaves = new Map<string, Node>();
  for (const node of graph.nodes) {
    const fail = (reason: string): never => {
      throw new GraphError(`${printNode(node, graph.types)}: ${reason}`, node);
    };
    if (!Object.hasOwn(primitives, node.primitive)) fail(`there is no primitive ${node.primitive}`);
    for (const input of node.inputs) {
      if (!defined.has(input)) fail(`%${input} is not produced by an earlier node`);
    }
    for (const output of node.outputs) {
      if (defined.has(output)) fail(`%${output} has two producers`);
      defined.add(output);
      const type = graph.types[output];
      if (!type) fail(`%${output} has no type`);
      else if (!isDtype(type.dtype)) fail(`there is no dtype ${type.dtype}`);
    }
    verifyTypes(graph, node, fail);
    if (node.primitive === "constant" && !fitsDtype(node.attributes.value, graph.types[node.outputs[0]!]!)) {
      fail(`${node.attributes.value} is no finite ${node.attributes.dtype}`);
    }
    if (node.primitive === "table") {
      const type = graph.types[node.outputs[0]!]!;
      const wrong = node.attributes.values.find((value) => !fitsDtype(value, type));
      if (wrong !== undefined) fail(`${wrong} is no finite ${type.dtype}`);
    }
    const name = leafName(node);
    if (name === undefined) continue;
    const known = leaves.get(name);
    if (known && JSON.stringify(known.attributes) !== JSON.stringify(node.attributes)) {
      fail(`the graph has another leaf of that name: ${printNode(known, graph.types)}`);
    }
    leaves.set(name, node);
  }
  verifyNames("output", graph.outputs, defined);
  verifyNames("update", graph.updates, defined);
  for (const { name, value } of graph.updates) {
    const leaf = leaves.get(`stored ${name}`);
    if (leaf && !sameType(graph.types[leaf.outputs[0]!]!, graph.types[value]!)) {
      throw new GraphError(
        `update ${JSON.stringify(name)} is ${showType(graph.types[value])}, but ${printNode(leaf, graph.types)}`,
        leaf,
      );
    }
  }
}

function verifyTypes(graph: Graph, node: Node, fail: (reason: string) => never): void {
  let expected: TensorType[];
  try {
    expected = shapeOf(
      node.primitive,
      node.inputs.map((input) => graph.types[input]!),
      node.attributes,
    );
  } catch (error) {
    // An attribute that is missing altogether makes the rule itself stumble; both are the node's fault.
    fail(error instanceof Error ? error.message : String(error));
  }
  if (expected.length !== node.outputs.length) fail(`it has ${expected.length} outputs, not ${node.outputs.length}`);
  node.outputs.forEach((output, place) => {
    const type = graph.types[output]!;
    if (!sameType(type, expected[place]!)) fail(`%${output} should be ${showType(expected[place])}`);
  });
}

function verifyNames(kind: string, entries: readonly NamedValue[], defined: ReadonlySet<ValueId>): void {
  const names = new Set<string>();
  for (const { name, value } of entries) {
    if (names.has(name)) throw new GraphError(`two ${kind}s are named ${JSON.stringify(name)}`);
    if (!defined.has(value))
      throw new GraphError(`${kind} ${JSON.stringify(name)} is %${value}, which nothing produces`);
    names.add(name);
  }
}
