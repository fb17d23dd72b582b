/** Tensors that a target cannot bind at once, told in the user's terms. */
import type { Diagnostic, Span } from "../../../dsl/diagnostics/diagnostic.js";
import { compileMessages } from "../../../dsl/diagnostics/messages/compile.js";
import { diagnose } from "../../../dsl/diagnostics/registry.js";
import type { ParameterSpec } from "../../build/model.js";
import { bytesPerElement } from "../../graph/dtype.js";
import type { Graph } from "../../graph/graph.js";
import type { Origin } from "../../graph/node.js";
import { elementCount } from "../../graph/shape.js";
import { readsOf, writesOf } from "../../kernels/access.js";
import { pieceBytes } from "../../kernels/layout.js";
import type { BufferHome, BufferId, KernelList } from "../../kernels/record.js";
import type { Target } from "../../target.js";

/** Where there are many, the largest tell enough. */
const mostTold = 4;

interface Oversized {
  readonly what: string;
  readonly bytes: number;
  readonly span: Span;
}

function told(found: readonly Oversized[], target: Target, batch: number): Diagnostic[] {
  const places = new Set<string>();
  const largest = [...found]
    .sort((a, b) => b.bytes - a.bytes)
    .filter(({ what, span }) => {
      const place = `${what} ${span.file} ${span.start}`;
      return places.size !== places.add(place).size;
    });
  return largest.slice(0, mostTold).map(({ what, bytes, span }) =>
    diagnose(compileMessages.tensorTooLarge, span, {
      what,
      bytes,
      limit: pieceBytes(target.limits.bytesPerBinding),
      target: target.name,
      batch,
    }),
  );
}

/** Stored tensors that the target cannot bind. */
export function oversizedParameters(parameters: readonly ParameterSpec[], target: Target): Diagnostic[] {
  const limit = pieceBytes(target.limits.bytesPerBinding);
  const found = parameters.flatMap(({ path, dtype, shape, span }): Oversized[] => {
    const bytes = elementCount(shape) * bytesPerElement[dtype];
    return bytes > limit ? [{ what: `parameter \`${path}\``, bytes, span }] : [];
  });
  return told(found, target, 1);
}

/**
 * Inputs, outputs and tensors between kernels that the target cannot bind; `span` is where the entry point stands, for what comes from no
 * line of its own. What follows the parameter layout is left out.
 */
export function oversizedBuffers(
  lists: readonly KernelList[],
  graphs: readonly Graph[],
  span: Span,
  target: Target,
  batch: number,
): Diagnostic[] {
  const limit = pieceBytes(target.limits.bytesPerBinding);
  const found = lists.flatMap((list) =>
    list.buffers.flatMap(({ dtype, elements, home }, id): Oversized[] => {
      const bytes = elements * bytesPerElement[dtype];
      if (bytes <= limit || home.segment === "parameters" || home.segment === "gradients" || home.segment === "range")
        return [];
      const origin = home.segment === "inputs" ? inputOrigin(graphs, home.name) : kernelOrigin(list, id);
      return [{ what: nameOf(home, origin), bytes, span: origin?.span ?? span }];
    }),
  );
  return told(found, target, batch);
}

function nameOf(home: BufferHome, origin: Origin | undefined): string {
  switch (home.segment) {
    case "inputs":
      return `input \`${home.name}\``;
    case "outputs":
      return `output \`${home.name}\``;
    default:
      return origin?.path ? `a tensor that \`${origin.path}\` computes here` : "a tensor that is computed here";
  }
}

function inputOrigin(graphs: readonly Graph[], name: string): Origin | undefined {
  for (const graph of graphs) {
    for (const node of graph.nodes) {
      if (node.primitive === "input" && node.attributes.name === name) return node.origin;
    }
  }
  return undefined;
}

/** Of the kernel that writes a buffer, or the first one that reads it. */
function kernelOrigin({ kernels }: KernelList, id: BufferId): Origin | undefined {
  const writer = kernels.find((kernel) => writesOf(kernel).some(({ buffer }) => buffer === id));
  const user = writer ?? kernels.find((kernel) => readsOf(kernel).some(({ buffer }) => buffer === id));
  return user?.origins[0];
}
