import { type Lowered, storedGradient } from "../src/compile.js";
import type { Dtype } from "../src/graph/dtype.js";
import type { Graph } from "../src/graph/graph.js";
import type { TensorType } from "../src/graph/shape.js";
import type { ScalarName } from "../src/primitives/names.js";

export interface NamedType extends TensorType {
  readonly name: string;
}

/** What a program takes and gives, whatever its target: in order of first appearance. */
export interface ProgramInterface {
  readonly inputs: readonly NamedType[];
  readonly outputs: readonly NamedType[];
  readonly scalars: readonly { readonly name: ScalarName; readonly dtype: Dtype }[];
}

export function programInterface({ graphs, options }: Lowered): ProgramInterface {
  const inputs = new Map<string, NamedType>();
  const scalars = new Map<ScalarName, Dtype>();
  for (const { nodes, types } of graphs) {
    for (const node of nodes) {
      const type = types[node.outputs[0]!]!;
      if (node.primitive === "input") inputs.set(node.attributes.name, { name: node.attributes.name, ...type });
      if (node.primitive === "scalar") scalars.set(node.attributes.name, type.dtype);
    }
  }
  const outputs = graphs.flatMap((graph) =>
    outputsOf(graph).filter(({ name }) => !storedGradient(name, options.purpose)),
  );
  return { inputs: [...inputs.values()], outputs, scalars: [...scalars].map(([name, dtype]) => ({ name, dtype })) };
}

function outputsOf(graph: Graph): NamedType[] {
  return graph.outputs.map(({ name, value }) => ({ name, ...graph.types[value]! }));
}
