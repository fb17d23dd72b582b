/** `x.name`, and the names that a method sees. */
import type { Span } from "../../dsl/diagnostics/diagnostic.js";
import { buildMessages as messages } from "../../dsl/diagnostics/messages/build.js";
import type { Name } from "../../dsl/syntax/tree.js";
import * as operations from "../primitives/operations.js";
import { type Context, fail } from "./context.js";
import { fileScope } from "./files.js";
import { indexedMember } from "./indexed-modules.js";
import { Scope } from "./scope.js";
import { siteWeight, slotAt } from "./shares.js";
import { emit } from "./trace.js";
import {
  describeValue,
  int,
  list,
  type ModuleValue,
  moduleValue,
  seenThrough,
  type TensorValue,
  type Value,
} from "./values.js";
import { readWeight } from "./weights.js";

/** The value of `object.name`. */
export function member(context: Context, object: Value, name: Name, span: Span): Value {
  return readWeight(context, memberReference(context, object, name, span), span);
}

/** The same, but a stored tensor stays a reference. */
export function memberReference(context: Context, object: Value, name: Name, span: Span): Value {
  const found = find(context, object, name.text, span);
  if (found) return found;
  const known = memberNames(object);
  return fail(context, messages.unknownMember, name.span, { name: name.text, found: describeValue(object), known });
}

function find(context: Context, object: Value, name: string, span: Span): Value | undefined {
  switch (object.kind) {
    case "tensor":
      return tensorMember(context, object, name, span);
    case "record":
      return object.members.get(name);
    case "module":
      return moduleMember(object, name);
    case "indexed":
      return indexedMember(context, object, name, span);
    case "adaptation": {
      const { adaptation } = object;
      if (name === "grid") return adaptation.gridValue;
      if (name === "initial") return { kind: "adaptation_method", adaptation, name };
      if (name !== "tokens") return undefined;
      const { layers, tokens, rows, columns } = adaptation.grid;
      return { kind: "type", shape: [layers, tokens, rows, columns], adaptation };
    }
    default:
      return undefined;
  }
}

function tensorMember(context: Context, tensor: TensorValue, name: string, span: Span): Value | undefined {
  if (name === "shape") return list(tensor.shape.map(int));
  if (name === "T" && tensor.shape.length >= 2) {
    const axes = tensor.shape.map((_, axis) => axis);
    const last = axes.length - 1;
    const permutation = [...axes.slice(0, -2), last, last - 1];
    const transposed = emit(context, span, [tensor], (builder) =>
      operations.transpose(builder, tensor.id, permutation),
    );
    return { ...transposed, span: tensor.span };
  }
  return tensor.members?.get(name);
}

/** A member of a module seen through the operators applied to it. Stored tensors stay references unless replaced. */
export function moduleMember(module: ModuleValue, name: string): Value | undefined {
  const { instance, overrides } = module;
  const field = instance.fields.get(name);
  if (field) return seenThrough(field, overrides);
  const definition = instance.weights.get(name);
  if (definition)
    return overrides.get(instance)?.weights.get(name) ?? { kind: "weight", definition, stage: overrides.stage };
  const parameter = instance.statics.get(name);
  if (parameter) return seenThrough(parameter, overrides);
  const replaced = overrides.get(instance)?.replacements.some(({ site }) => site.methods.has(name));
  return instance.methods.has(name) || replaced ? { kind: "method", receiver: module, name } : undefined;
}

/** What a module's own text sees: its members, then its file. */
export function moduleScope(context: Context, self: ModuleValue): Scope {
  return new Scope(context, fileScope(context, self.instance.declaration.span.file), {
    resolve: (name) => moduleMember(self, name),
  });
}

/**
 * What the text of an interface sees at one site: its parameters, slots, stored tensors, given values and methods, and `base`, the
 * module with the replacements before this one.
 */
export function replacementScope(context: Context, self: ModuleValue, position: number): Scope {
  const { instance, overrides } = self;
  const replacement = overrides.get(instance)!.replacements[position]!;
  const { site, operator } = replacement;
  const resolve = (name: string): Value | undefined => {
    if (name === "base") return moduleValue(instance, overrides, position);
    const field = site.fields.get(name);
    if (field) return field;
    const slot = site.slots.get(name);
    if (slot) return slotAt(context, instance, overrides, position, slot);
    const definition = site.weights.get(name);
    if (definition) return siteWeight(context, instance, overrides, position, definition);
    const given = operator.givens.get(name);
    if (given) return given;
    if (site.methods.has(name))
      return { kind: "method", receiver: moduleValue(instance, overrides, position + 1), name };
    return site.application.interface.statics.get(name);
  };
  return new Scope(context, fileScope(context, site.application.interface.declaration.span.file), { resolve });
}

/** The names after the dot that would have been right. */
export function memberNames(object: Value): readonly string[] {
  switch (object.kind) {
    case "tensor":
      return [...(object.shape.length >= 2 ? ["T"] : []), "shape", ...(object.members?.keys() ?? [])];
    case "record":
      return [...object.members.keys()];
    case "module": {
      const { fields, weights, statics, methods } = object.instance;
      return [...new Set([...fields.keys(), ...weights.keys(), ...statics.keys(), ...methods.keys()])];
    }
    case "indexed":
      return memberNames(object.modules[0]!);
    case "adaptation":
      return ["grid", "tokens", "initial"];
    default:
      return [];
  }
}
