/**
 * Signatures: what arguments a call is given, and what sizes its named axes take. A name binds where it stands alone as an axis, aligned
 * from the right; expressions are checked once all names are known.
 */
import type { Label, Span } from "../../dsl/diagnostics/diagnostic.js";
import { buildMessages as messages } from "../../dsl/diagnostics/messages/build.js";
import type { Expression, Name, TensorType, Type } from "../../dsl/syntax/tree.js";
import { formatShape, type Shape } from "../graph/shape.js";
import { constantOf } from "./arithmetic.js";
import { type Context, fail } from "./context.js";
import { evaluate } from "./evaluate.js";
import { sourceText } from "./files.js";
import { checkStaticKind } from "./kinds.js";
import { Scope } from "./scope.js";
import { dtypeOf, fixedAxes, knownSize, maskShape, resolveType, shapeOfType } from "./types.js";
import { describeValue, dtypeName, formatTensor, int, type TensorValue, type Value } from "./values.js";

/** An argument as given at a call. */
export interface GivenArgument {
  readonly name?: Name;
  readonly value: Value;
  readonly span: Span;
}

export interface TypedParameter {
  readonly name: Name;
  readonly type?: Type;
  readonly default?: Expression;
  /** Where the names in the type and the default are looked up. */
  readonly scope: Scope;
  readonly span: Span;
  /** In an interface's method: the name that the replaced method has for it. */
  readonly alias?: string;
  /** `...rest`: takes all further arguments as they are given. */
  readonly rest?: boolean;
}

/** Sizes bound by a call, and where each came from. */
export class Bindings {
  readonly sizes = new Map<string, { readonly size: number; readonly label: Label }>();
  leading: { readonly shape: Shape; readonly label: Label } | undefined;
  /** Compile-time arguments by name, for shapes that mention them. */
  readonly arguments = new Map<string, Value>();

  resolve(name: string): Value | undefined {
    const bound = this.sizes.get(name);
    return bound ? int(bound.size) : this.arguments.get(name);
  }
}

/** Matches arguments to parameters, binds names of axes, fills in defaults, and defines it all in `local`. */
export function bindCall(
  context: Context,
  callee: string,
  declared: readonly TypedParameter[],
  given: readonly GivenArgument[],
  local: Scope,
  span: Span,
): Bindings {
  const bindings = new Bindings();
  const rest = declared.find((parameter) => parameter.rest);
  const parameters = declared.filter((parameter) => parameter !== rest);
  const { matched, further } = matchArguments(context, callee, parameters, given, rest !== undefined);
  if (rest) local.define(rest.name.text, { kind: "arguments", given: further });
  const numbers: { parameter: TypedParameter; argument: GivenArgument; type: TensorType }[] = [];
  const checks: (() => void)[] = [];
  const defaults = new Scope(context, local, {
    resolve: (name) => {
      const parameter = parameters.find(({ alias }) => alias === name);
      return parameter && parameter.name.text !== name ? local.lookup(parameter.name.text) : undefined;
    },
  });

  const settle = (parameter: TypedParameter, value: Value) => {
    local.define(parameter.name.text, value);
    if (value.kind !== "tensor") bindings.arguments.set(parameter.alias ?? parameter.name.text, value);
  };
  const take = (parameter: TypedParameter, argument: GivenArgument) => {
    const type = resolveType(parameter.type, parameter.scope);
    if (type.kind === "any") return settle(parameter, argument.value);
    if (type.kind === "static") {
      const value = checkStaticKind(
        context,
        type.type,
        parameter.scope,
        argument.value,
        parameter.name.text,
        argument.span,
      );
      return settle(parameter, value);
    }
    if (argument.value.kind === "none") return settle(parameter, argument.value);
    if (argument.value.kind !== "tensor") {
      numbers.push({ parameter, argument, type: type.type });
      return;
    }
    checks.push(...bindTensor(context, callee, parameter, type.type, argument.value, argument.span, bindings));
    settle(parameter, withMask(context, argument.value, type.type, argument.span));
  };

  // Numbers become constants of the declared shape: as soon as it is known, so that later defaults can use them.
  const settleNumbers = (last: boolean) => {
    for (const { parameter, argument, type } of numbers.splice(0)) {
      const scope = new Scope(context, parameter.scope, { resolve: (name) => bindings.resolve(name) });
      if (last || shapeOfType(type, scope, bindings.leading?.shape)) {
        settle(parameter, numberArgument(context, callee, parameter, type, argument, bindings));
      } else numbers.push({ parameter, argument, type });
    }
  };
  for (const parameter of parameters) {
    const argument = matched.get(parameter);
    if (argument) take(parameter, argument);
  }
  const defineSizes = () => {
    for (const [name, { size }] of bindings.sizes) {
      if (!parameters.some((parameter) => parameter.name.text === name)) local.define(name, int(size));
    }
  };
  defineSizes();
  for (const parameter of parameters) {
    if (matched.has(parameter)) continue;
    settleNumbers(false);
    if (!parameter.default)
      fail(context, messages.missingArgument, span, { callee, name: parameter.name.text }, [declaredHere(parameter)]);
    const scope = parameter.alias ? new Scope(context, defaults) : local;
    const value = evaluate(parameter.default!, scope);
    take(parameter, { value, span: parameter.default!.span });
    defineSizes();
  }
  for (const check of checks) check();
  settleNumbers(true);
  return bindings;
}

function matchArguments(
  context: Context,
  callee: string,
  parameters: readonly TypedParameter[],
  given: readonly GivenArgument[],
  takesRest: boolean,
): { readonly matched: ReadonlyMap<TypedParameter, GivenArgument>; readonly further: readonly GivenArgument[] } {
  const matched = new Map<TypedParameter, GivenArgument>();
  const further: GivenArgument[] = [];
  const last = parameters.at(-1);
  const labels = last ? [{ span: last.span, text: `the last parameter of ${callee} is here` }] : [];
  given.forEach((argument, place) => {
    // Callers know a replaced method's parameters by their first names.
    const parameter = argument.name
      ? parameters.find(({ name, alias }) => (alias ?? name.text) === argument.name!.text)
      : parameters[place];
    if (!parameter && takesRest) {
      further.push(argument);
      return;
    }
    if (!parameter || (argument.name && matched.has(parameter))) {
      if (argument.name) {
        const known = parameters.map(({ name, alias }) => alias ?? name.text);
        fail(
          context,
          messages.unknownArgument,
          argument.name.span,
          { callee, name: argument.name.text, known },
          labels,
        );
      }
      const values = { callee, count: parameters.length, given: given.length };
      fail(context, messages.tooManyArguments, argument.span, values, labels);
    }
    matched.set(parameter!, argument);
  });
  return { matched, further };
}

// ---------------------------------------------------------------------------------------------------------------- shapes

/** Binds the names of one tensor's axes; returns the checks of expressions, to be run when all names are bound. */
function bindTensor(
  context: Context,
  callee: string,
  parameter: Pick<TypedParameter, "name" | "span" | "scope">,
  type: TensorType,
  tensor: TensorValue,
  span: Span,
  bindings: Bindings,
): (() => void)[] {
  const typeScope = new Scope(context, parameter.scope, { resolve: (name) => bindings.resolve(name) });
  const { leading, axes } = fixedAxes(type, typeScope);
  const mismatch = (detail: string, further: readonly Label[] = []): never =>
    fail(
      context,
      messages.argumentShape,
      span,
      {
        callee,
        name: parameter.name.text,
        declared: sourceText(context, type.span),
        found: formatTensor(tensor),
        detail,
      },
      [{ span: tensor.span, text: `this is ${formatShape(tensor.shape)}` }, declaredHere(parameter), ...further],
    );
  if (tensor.dtype !== dtypeOf(type) && dtypeName(tensor.dtype) !== type.dtype) {
    const found = dtypeName(tensor.dtype);
    fail(context, messages.argumentDtype, span, { callee, name: parameter.name.text, expected: type.dtype, found }, [
      { span: tensor.span, text: `this is ${formatTensor(tensor)}` },
      declaredHere(parameter),
    ]);
  }
  const rank = tensor.shape.length;
  if (leading ? rank < axes.length : rank !== axes.length) {
    mismatch(`it has ${rank} ${rank === 1 ? "axis" : "axes"}`);
  }
  const offset = rank - axes.length;
  if (leading) {
    const shape = tensor.shape.slice(0, offset);
    const known = bindings.leading;
    if (known && formatShape(known.shape) !== formatShape(shape)) {
      mismatch(`"..." is ${formatShape(shape)} here and ${formatShape(known.shape)} there`, [known.label]);
    }
    bindings.leading ??= {
      shape,
      label: { span: tensor.span, text: `"..." is ${formatShape(shape)}, from ${parameter.name.text}` },
    };
  }
  const checks: (() => void)[] = [];
  axes.forEach((axis, place) => {
    const size = tensor.shape[place + offset]!;
    const known = knownSize(axis, typeScope);
    const written = typeof axis.size === "number" ? `${axis.size}` : sourceText(context, axis.size.span);
    if (known !== undefined) {
      if (known === size) return;
      const name = typeof axis.size === "object" && axis.size.kind === "name" ? axis.size.name : undefined;
      const source = name ? bindings.sizes.get(name)?.label : undefined;
      mismatch(`${name ? `${name} is ${known}` : `the axis must be ${known}`}, not ${size}`, source ? [source] : []);
    }
    if (typeof axis.size === "number") return;
    if (axis.size.kind === "name") {
      const label = { span: tensor.span, text: `${axis.size.name} is ${size}, from ${parameter.name.text}` };
      bindings.sizes.set(axis.size.name, { size, label });
      return;
    }
    const expression = axis.size;
    checks.push(() => {
      const expected = evaluate(expression, typeScope);
      if (expected.kind !== "int" || expected.value !== size) {
        mismatch(`${written} is ${expected.kind === "int" ? expected.value : describeValue(expected)}, not ${size}`);
      }
    });
  });
  return checks;
}

const declaredHere = (parameter: Pick<TypedParameter, "name" | "span">): Label => ({
  span: parameter.span,
  text: `${parameter.name.text} is declared here`,
});

/** A column of at most so many has a mask beside it, all true where none was given. */
function withMask(context: Context, tensor: TensorValue, type: TensorType, span: Span): TensorValue {
  const shape = maskShape(context, type, tensor.shape);
  if (!shape || tensor.members?.has("mask")) return tensor;
  const mask = constantOf(context, { kind: "bool", value: true }, "bool", shape, span)!;
  return { ...tensor, members: new Map([...(tensor.members ?? []), ["mask", mask]]) };
}

/** A number or truth value where a tensor is wanted: a constant of the declared shape, which must be known by then. */
function numberArgument(
  context: Context,
  callee: string,
  parameter: TypedParameter,
  type: TensorType,
  argument: GivenArgument,
  bindings: Bindings,
): Value {
  const { value, span } = argument;
  const name = parameter.name.text;
  if (value.kind !== "int" && value.kind !== "float" && value.kind !== "bool") {
    const expected = `a tensor ${sourceText(context, type.span)}`;
    return fail(context, messages.argumentKind, span, { name, expected, found: describeValue(value) }, [
      declaredHere(parameter),
    ]);
  }
  const scope = new Scope(context, parameter.scope, { resolve: (size) => bindings.resolve(size) });
  const shape = shapeOfType(type, scope, bindings.leading?.shape);
  if (!shape)
    return fail(context, messages.unsizedNumber, span, { callee, name, declared: sourceText(context, type.span) });
  const tensor = constantOf(context, value, dtypeOf(type), shape, span);
  if (tensor) return tensor;
  const expected = `a tensor ${sourceText(context, type.span)}`;
  return fail(context, messages.argumentKind, span, { name, expected, found: describeValue(value) }, [
    declaredHere(parameter),
  ]);
}
