/** Gradients that would pass through what `grad` gave: derivatives of derivatives, which are refused. */
import type { Diagnostic, Label, Span } from "../../dsl/diagnostics/diagnostic.js";
import { buildMessages as messages } from "../../dsl/diagnostics/messages/build.js";
import { diagnose } from "../../dsl/diagnostics/registry.js";
import type { ValueId } from "../graph/node.js";
import { influences, type Nodes } from "../passes/differentiate/paths.js";
import type { EntryPoint } from "./model.js";

/** Stored tensors by path and inputs by name on which an output depends through a derivative, and where that derivative is asked for. */
export function leavesBehindDerivatives(
  graph: Nodes,
  outputs: readonly ValueId[],
  derivatives: ReadonlyMap<ValueId, Span>,
): ReadonlyMap<string, Span> {
  const leaves = new Map<string, Span>();
  if (derivatives.size === 0) return leaves;
  const matters = influences(graph, outputs);
  const mattering = [...derivatives].filter(([value]) => matters[value] !== 0);
  const influence = influences(
    graph,
    mattering.map(([value]) => value),
  );
  for (const node of graph.nodes) {
    const place = influence[node.outputs[0]!]! - 1;
    if (place < 0) continue;
    const [, span] = mattering[place]!;
    if (node.primitive === "parameter") leaves.set(node.attributes.path, span);
    else if (node.primitive === "input") leaves.set(node.attributes.name, span);
  }
  return leaves;
}

/** What is wrong with asking for the gradients of an entry point's outputs by these leaves; `stage` is who asks. */
export function secondOrderErrors(
  { behindDerivatives }: EntryPoint,
  leaves: readonly string[],
  stage?: { readonly name: string; readonly span: Span },
): Diagnostic[] {
  const spans = new Set(leaves.flatMap((name) => behindDerivatives.get(name) ?? []));
  const labels: Label[] = stage === undefined ? [] : [{ span: stage.span, text: "this stage trains through it" }];
  return [...spans].map((span) => diagnose(messages.secondOrder, span, stage ? { stage: stage.name } : {}, labels));
}
