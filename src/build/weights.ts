import type { Span } from "../../dsl/diagnostics/diagnostic.js";
import { buildMessages as messages } from "../../dsl/diagnostics/messages/build.js";
import type { Name } from "../../dsl/syntax/tree.js";
import * as operations from "../primitives/operations.js";
import { type Context, fail } from "./context.js";
import { share } from "./shares.js";
import { emit } from "./trace.js";
import {
  type ModuleValue,
  moduleValue,
  overridesOf,
  type TensorValue,
  type Value,
  type WeightDefinition,
} from "./values.js";

/**
 * A stored tensor as a value of the graph being traced, or its copy as a stage left it; zeros where it is declared under a false `if`.
 */
export function weightTensor(
  context: Context,
  definition: WeightDefinition,
  span: Span,
  stage?: Name | undefined,
): TensorValue {
  const { dtype, shape } = definition;
  if (definition.absent) return emit(context, span, [], (builder) => operations.constant(builder, 0, shape, dtype));
  const depth = context.trace?.scopes.findLastIndex(({ definitions }) => definitions.has(definition)) ?? -1;
  if (depth >= 0) {
    const peers = context.trace!.scopes[depth]!.definitions.get(definition)!;
    const members = () => peers.map((peer) => weightTensor(context, peer, span, stage));
    return {
      ...share(context, depth, `${definition.path} ${stage?.text}`, span, members),
      span: definition.declaration.span,
    };
  }
  if (definition.path === "") return fail(context, messages.moduleWithoutPlace, span, { name: definition.name });
  const path = stage === undefined ? definition.path : copyPath(definition.path, stage.text);
  if (stage !== undefined && !context.copies.has(path)) context.copies.set(path, { definition, stage });
  const tensor = emit(context, span, [], (builder) => builder.add("parameter", [], { path, dtype, shape }));
  return { ...tensor, span: definition.declaration.span };
}

/** Where a graph is traced a reference to a stored tensor is read; elsewhere it stays a reference. */
export function readWeight(context: Context, value: Value, span: Span): Value {
  return value.kind === "weight" && context.trace ? weightTensor(context, value.definition, span, value.stage) : value;
}

/** The path of a stored tensor as a stage left it. All copies of one stage stand together; no name begins with `@`. */
export const copyPath = (path: string, stage: string): string => `@${stage}.${path}`;

/** `value at stage`: a module, a list of modules, or a reference to a stored tensor. Undefined for anything else. */
export function atStage(value: Value, stage: Name): Value | undefined {
  switch (value.kind) {
    case "module":
      return moduleValue(value.instance, overridesOf(value.overrides, stage), value.level);
    case "weight":
      return { ...value, stage };
    case "indexed":
      return { ...value, modules: value.modules.map((module) => atStage(module, stage) as ModuleValue) };
    case "list":
    case "tuple": {
      const items = value.items.map((item) => atStage(item, stage));
      return items.some((item) => item === undefined) ? undefined : { kind: value.kind, items: items as Value[] };
    }
    default:
      return undefined;
  }
}
