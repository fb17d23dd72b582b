/** `grad(value, of: x)`: first derivatives as values. */
import type { Span } from "../../../dsl/diagnostics/diagnostic.js";
import { buildMessages as messages } from "../../../dsl/diagnostics/messages/build.js";
import type { GraphBuilder } from "../../graph/builder.js";
import { isFloat } from "../../graph/dtype.js";
import { dependants, influences } from "../../passes/differentiate/paths.js";
import { pullBack } from "../../passes/differentiate/pull-back.js";
import * as operations from "../../primitives/operations.js";
import { type Context, fail } from "../context.js";
import { type Trace, traceOf } from "../trace.js";
import type { TensorValue, Value } from "../values.js";
import type { Arguments, Builtin } from "./arguments.js";

const grad: Builtin = {
  parameters: ["value", "of"],
  run: (given) => {
    const value = given.floats("value");
    if (value.shape.length > 0) {
      return given.refuse("value", "one number, `[]`");
    }
    const trace = traceOf(given.context, given.span);
    const by = given.value("of");
    return by.kind === "list" || by.kind === "tuple"
      ? { kind: by.kind, items: derivatives(given, trace, value, by.items) }
      : derivatives(given, trace, value, [by])[0]!;
  },
};

/** The derivatives of one number by some values, each like its value. */
function derivatives(given: Arguments, trace: Trace, value: TensorValue, by: readonly Value[]): TensorValue[] {
  const span = given.spanOf("of");
  const targets = by.map((item) => {
    if (item.kind !== "tensor" || !isFloat(item.dtype)) return given.refuse("of", "a float tensor, or a list of them");
    const { primitive } = trace.builder.producers[item.id]!;
    if (primitive === "constant" || primitive === "table") fail(given.context, messages.derivativeByConstant, span, {});
    return item.id;
  });
  requireFirstOrder(given.context, trace, targets, value, given.span);
  let found: ReturnType<typeof pullBack> = [];
  given.emit([value], (builder) => {
    const cotangent = operations.constant(builder, 1);
    found = pullBack(builder, [{ value: value.id, cotangent }], targets);
    return cotangent;
  });
  return found.map((id) => {
    if (id === undefined) return fail(given.context, messages.derivativeOfNothing, span, {});
    const derivative = given.emit([], () => id);
    trace.derivatives.set(derivative.id, given.span);
    return derivative;
  });
}

/** No way from what is derived by to the value leads through a derivative, or through the other instances. */
function requireFirstOrder(
  context: Context,
  trace: Trace,
  targets: readonly number[],
  value: TensorValue,
  span: Span,
): void {
  const { builder, derivatives: known } = trace;
  if (known.size === 0 && !trace.seesInstances) return;
  const depends = dependants(builder, targets);
  const influence = influences(builder, [value.id]);
  const isBetween = (id: number): boolean => depends[id] === 1 && influence[id] !== 0;
  for (const [id, inner] of known) {
    if (!isBetween(id)) continue;
    fail(context, messages.secondOrder, span, {}, [{ span: inner, text: "this derivative is on the way" }]);
  }
  if (gatherings(builder).some(isBetween)) fail(context, messages.derivativeAcrossInstances, span, {});
}

const gatherings = ({ nodes }: GraphBuilder): number[] =>
  nodes.flatMap((node) => (node.primitive === "gather_instances" ? node.outputs : []));

export const derivativeBuiltins: Readonly<Record<string, Builtin>> = { grad };
