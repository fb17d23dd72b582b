import type { Span } from "../../dsl/diagnostics/diagnostic.js";
import { buildMessages as messages } from "../../dsl/diagnostics/messages/build.js";
import * as operations from "../primitives/operations.js";
import { type Context, fail } from "./context.js";
import { emit } from "./trace.js";
import type { TensorValue, Value, WeightDefinition } from "./values.js";

/** A stored tensor as a value of the graph being traced; zeros where it is declared under a false `if`. */
export function weightTensor(context: Context, definition: WeightDefinition, span: Span): TensorValue {
  const { dtype, shape, path } = definition;
  if (definition.absent) return emit(context, span, [], (builder) => operations.constant(builder, 0, shape, dtype));
  if (path === "") return fail(context, messages.moduleWithoutPlace, span, { name: definition.name });
  const tensor = emit(context, span, [], (builder) => builder.add("parameter", [], { path, dtype, shape }));
  return { ...tensor, span: definition.declaration.span };
}

/** Where a graph is traced a reference to a stored tensor is read; elsewhere it stays a reference. */
export function readWeight(context: Context, value: Value, span: Span): Value {
  return value.kind === "weight" && context.trace ? weightTensor(context, value.definition, span) : value;
}
