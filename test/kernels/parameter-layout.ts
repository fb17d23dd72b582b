import { bytesPerElement } from "../../src/graph/dtype.js";
import type { Graph } from "../../src/graph/graph.js";
import { elementCount } from "../../src/graph/shape.js";
import { type ParameterLayout, type ParameterPlace, segmentAlignment } from "../../src/kernels/layout.js";

/** The layout of a graph's own parameters: by path, each at an aligned offset. */
export function layoutFor(graph: Graph): ParameterLayout {
  const leaves = graph.nodes.flatMap((node) => (node.primitive === "parameter" ? [node.attributes] : []));
  leaves.sort((a, b) => (a.path < b.path ? -1 : 1));
  const places: ParameterPlace[] = [];
  let bytes = 0;
  for (const { path, dtype, shape } of leaves) {
    places.push({ path, dtype, shape, offset: bytes });
    const size = elementCount(shape) * bytesPerElement[dtype];
    bytes += Math.ceil(size / segmentAlignment) * segmentAlignment;
  }
  return { places, bytes };
}
