import type { Graph } from "../../../src/graph/graph.js";
import { elementCount } from "../../../src/graph/shape.js";
import { contractionExtents } from "../../../src/primitives/contraction.js";

/** Multiply-adds of all products of a graph, those inside attention included. */
export function multiplyAdds({ nodes, types }: Graph): number {
  let sum = 0;
  for (const { primitive, attributes, inputs } of nodes) {
    const shape = (place: number) => types[inputs[place]!]!.shape;
    if (primitive === "contraction") {
      sum += elementCount([...contractionExtents(attributes, shape(0), shape(1)).values()]);
    } else if (primitive === "attention") {
      // Queries [.., h, n, d] meet m keys and gather values of e numbers.
      const [keys, width] = [shape(1).at(-2)!, shape(2).at(-1)!];
      const rows = elementCount(shape(0).slice(0, -1));
      sum += rows * keys * (shape(0).at(-1)! + width);
    }
  }
  return sum;
}
