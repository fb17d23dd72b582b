/** A model's `fn` traced for one instance. */
import type { Label } from "../../dsl/diagnostics/diagnostic.js";
import { buildMessages as messages } from "../../dsl/diagnostics/messages/build.js";
import type { FunctionDeclaration, Parameter, TensorType } from "../../dsl/syntax/tree.js";
import { withoutDeadNodes } from "../graph/rewrite.js";
import { formatShape, type Shape } from "../graph/shape.js";
import { callMethod } from "./call.js";
import { type Context, fail } from "./context.js";
import { sourceText } from "./files.js";
import type { EntryPoint, InputSpec, OutputSpec } from "./model.js";
import type { Scope } from "./scope.js";
import { leavesBehindDerivatives } from "./second-order.js";
import type { GivenArgument } from "./signature.js";
import { slotKey, Trace, tensorAt, tokensKey } from "./trace.js";
import { dtypeOf, maskShape, resolveType, shapeOfType } from "./types.js";
import { describeValue, type ModuleValue, type OperatorValue, type TensorValue, type Value } from "./values.js";

/** Whether all parameters are tensors, or tokens of an adaptation: what a caller can hand in. */
export function isEntryPoint(declaration: FunctionDeclaration, scope: Scope): boolean {
  return declaration.parameters.every(
    ({ type }) => type !== undefined && type.kind !== "tuple" && resolveType(type, scope).kind === "tensor",
  );
}

/** `instances`: how many the batch will have. */
export function traceEntryPoint(
  context: Context,
  model: ModuleValue,
  declaration: FunctionDeclaration,
  scope: Scope,
  instances: number,
): EntryPoint {
  const trace = new Trace(instances);
  const name = declaration.name.text;
  const outer = context.trace;
  context.trace = trace;
  try {
    const inputs: InputSpec[] = [];
    const given = declaration.parameters.map((parameter) => inputOf(context, trace, parameter, scope, inputs));
    const value = callMethod(context, model, name, given, declaration.name.span);
    const outputs = outputsOf(context, trace, declaration, value);
    for (const operator of trace.applied.values()) requireConsumed(context, trace, operator);
    const traced = trace.builder.finish();
    const values = traced.outputs.map((output) => output.value);
    return {
      name,
      inputs,
      outputs,
      graph: withoutDeadNodes(traced),
      ...(trace.seesInstances ? { instances } : {}),
      behindDerivatives: leavesBehindDerivatives(traced, values, trace.derivatives),
      span: declaration.span,
    };
  } finally {
    context.trace = outer;
  }
}

function inputOf(
  context: Context,
  trace: Trace,
  parameter: Parameter,
  scope: Scope,
  inputs: InputSpec[],
): GivenArgument {
  const name = parameter.name.text;
  const resolved = resolveType(parameter.type, scope);
  const type = (resolved as { readonly type: TensorType }).type;
  const shape = shapeOfType(type, scope);
  if (!shape || shape.some((size) => size < 0))
    fail(context, messages.inputSize, parameter.span, {
      name,
      type: sourceText(context, parameter.type!.span),
      sizes: shape && formatShape(shape),
    });
  const tokens = parameter.type!.kind === "named";
  const perInstance = !parameter.shared;
  const masked = maskShape(context, type, shape!);
  const add = (input: string, dtype: InputSpec["dtype"], shape: Shape, mask?: string): TensorValue => {
    inputs.push({ name: input, dtype, shape, perInstance, tokens, ...(mask ? { mask } : {}) });
    trace.builder.origin = { path: "", span: parameter.span };
    const id = trace.builder.add("input", [], { name: input, dtype, shape, perInstance });
    return tensorAt(trace.builder, id, parameter.span);
  };
  if (!masked) return { name: parameter.name, value: add(name, dtypeOf(type), shape!), span: parameter.span };
  const column = add(name, dtypeOf(type), shape!, `${name}.mask`);
  const mask = add(`${name}.mask`, "bool", masked);
  return { name: parameter.name, value: { ...column, members: new Map([["mask", mask]]) }, span: parameter.span };
}

function outputsOf(context: Context, trace: Trace, declaration: FunctionDeclaration, value: Value): OutputSpec[] {
  const name = declaration.name.text;
  const parts: readonly (readonly [string, Value])[] =
    value.kind === "tuple" || value.kind === "list"
      ? value.items.map((item, place) => [`output.${place}`, item])
      : [["output", value]];
  return parts.map(([output, part]): OutputSpec => {
    if (part.kind !== "tensor") {
      const span = declaration.body.value?.span ?? declaration.span;
      return fail(context, messages.entryResult, span, { name, found: describeValue(part) });
    }
    trace.builder.output(output, part.id);
    return { name: output, dtype: part.dtype, shape: part.shape };
  });
}

/** Every slot of every site of an operator that was put to use has been read: no token is generated in vain. */
function requireConsumed(context: Context, trace: Trace, operator: OperatorValue): void {
  const read = trace.consumed.get(tokensKey(operator));
  const memory = operator.adaptation.path;
  if (!read) fail(context, messages.operatorUnused, operator.span, { memory });
  for (const application of operator.adaptation.applications) {
    const missing: {
      readonly path: string;
      readonly slot: string;
      readonly reached: boolean;
      readonly label: Label;
    }[] = [];
    for (const site of application.sites) {
      const unread = [...site.slots.values()].filter(({ name }) => !read!.has(slotKey(site, name)));
      const reached = unread.length < site.slots.size;
      const path = site.instance.path ?? "";
      for (const { name, span } of unread)
        missing.push({ path, slot: name, reached, label: { span, text: "the slot" } });
    }
    const [first] = missing;
    if (!first) continue;
    if (first.reached) {
      const values = { slot: `${application.name}.${first.slot}`, site: first.path };
      fail(context, messages.slotUnused, first.label.span, values, [
        { span: operator.span, text: "the operator is used here" },
      ]);
    }
    const sites = [...new Set(missing.filter(({ reached }) => !reached).map(({ path }) => path))];
    fail(context, messages.siteNotReached, operator.span, { memory, sites, all: application.sites.length }, [
      { span: application.span, text: "these sites are adapted" },
    ]);
  }
}
