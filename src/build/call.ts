/** Calls: making modules, interfaces and layouts, running functions and methods, using operators. */
import type { Span } from "../../dsl/diagnostics/diagnostic.js";
import { buildMessages as messages } from "../../dsl/diagnostics/messages/build.js";
import type { Expression, FunctionDeclaration } from "../../dsl/syntax/tree.js";
import { runBuiltin } from "./builtins/registry.js";
import { type Context, type Frame, fail, within } from "./context.js";
import { evaluate } from "./evaluate.js";
import { fileScope } from "./files.js";
import { callByRow } from "./indexed-modules.js";
import { applyInterface, applyLayout, instantiate } from "./instantiate.js";
import { moduleScope, replacementScope } from "./member.js";
import { mergedForward } from "./merge.js";
import { initialTokens, useOperator } from "./operator.js";
import { checkResult } from "./results.js";
import { Scope } from "./scope.js";
import { bindCall, type GivenArgument, type TypedParameter } from "./signature.js";
import { runBlock } from "./statements.js";
import { describeValue, type ModuleValue, moduleValue, type Value } from "./values.js";

type CallExpression = Expression & { readonly kind: "call" };

export function call(expression: CallExpression, scope: Scope): Value {
  const { context } = scope;
  const callee = evaluate(expression.callee, scope);
  if (callee.kind === "declaration") {
    const { declaration } = callee;
    switch (declaration.kind) {
      case "module":
        return instantiate(declaration, expression.arguments, scope, expression.span);
      case "interface":
        return applyInterface(declaration, expression.arguments, scope, expression.span);
      case "layout":
        return applyLayout(declaration, expression.arguments, scope, expression.span);
      case "function":
        return callFunction(context, declaration, evaluateArguments(expression, scope), expression.span);
      case "model":
        return fail(context, messages.notCallable, expression.callee.span, { found: describeValue(callee) });
    }
  }
  return callValue(context, callee, evaluateArguments(expression, scope), expression.span, expression.callee.span);
}

function evaluateArguments(expression: CallExpression, scope: Scope): GivenArgument[] {
  return expression.arguments.flatMap((argument): readonly GivenArgument[] => {
    const value = evaluate(argument.value, scope);
    const { span } = argument.value;
    if (!argument.rest) return [{ ...(argument.name ? { name: argument.name } : {}), value, span }];
    if (value.kind === "arguments") return value.given;
    const expected = "what a parameter `...NAME` took";
    return fail(scope.context, messages.wrongKind, span, { expected, found: describeValue(value) });
  });
}

/** Calls a value that needs no more than the values of its arguments. */
export function callValue(
  context: Context,
  callee: Value,
  given: readonly GivenArgument[],
  span: Span,
  calleeSpan: Span = span,
): Value {
  switch (callee.kind) {
    case "builtin":
      return runBuiltin(context, callee.name, given, span);
    case "method":
      return callMethod(context, callee.receiver, callee.name, given, span);
    case "module":
      return callMethod(context, callee, "forward", given, span);
    case "indexed":
      return callByRow(context, callee, given, span);
    case "adaptation":
      return useOperator(context, callee.adaptation, given, span);
    case "adaptation_method":
      return initialTokens(context, callee.adaptation, given, span);
    case "declaration":
      if (callee.declaration.kind === "function") {
        return callFunction(context, callee.declaration, given, span);
      }
      return fail(context, messages.notCallable, calleeSpan, { found: describeValue(callee) });
    default:
      return fail(context, messages.notCallable, calleeSpan, { found: describeValue(callee) });
  }
}

function callFunction(
  context: Context,
  declaration: FunctionDeclaration,
  given: readonly GivenArgument[],
  span: Span,
): Value {
  const outer = fileScope(context, declaration.span.file);
  const name = declaration.name.text;
  return callDeclared(context, name, declaration, outer, given, span);
}

/** Runs a method of a module through the operators applied to it: the last replacement that has the method, or the module's own. */
export function callMethod(
  context: Context,
  receiver: ModuleValue,
  name: string,
  given: readonly GivenArgument[],
  span: Span,
): Value {
  const { instance, overrides } = receiver;
  const own = instance.methods.get(name);
  const path = instance.path ?? "";
  const kind = instance.declaration.name.text;
  const place = path === "" ? kind : path;
  const how = path === "" && context.frames.length === 0 ? "" : "called here";
  const frame = { path, what: `in ${place}${name === "forward" ? "" : `.${name}`}`, span, how };
  const self = moduleValue(instance, overrides);
  const chain = overrides.get(instance)?.replacements ?? [];
  for (let position = Math.min(receiver.level, chain.length) - 1; position >= 0; position--) {
    const { site, operator } = chain[position]!;
    const method = site.methods.get(name);
    if (!method) continue;
    if (operator.merged && name === "forward") {
      const refuse = () => fail(context, messages.tooDeep, span, { name: place });
      return within(context, frame, refuse, () => mergedForward(context, self, position, given, span));
    }
    const scope = replacementScope(context, self, position);
    const base = own ? typed(own, moduleScope(context, self)) : [];
    const parameters = method.parameters.map((parameter, place): TypedParameter => {
      const replaced = base[place];
      if (parameter.type || parameter.rest || !replaced) return typedParameter(parameter, scope);
      return {
        ...replaced,
        name: parameter.name,
        alias: replaced.name.text,
        ...(parameter.default ? { default: parameter.default, scope } : {}),
      };
    });
    const title = `${site.application.interface.declaration.name.text}.${name}`;
    const replaced = method.result ? undefined : own;
    const resultScope = replaced ? moduleScope(context, self) : scope;
    const declaration = replaced?.result ? { ...method, result: replaced.result } : method;
    return run(context, frame, declaration, parameters, scope, resultScope, title, given, span);
  }
  if (!own) return fail(context, messages.noSuchMethod, span, { module: kind, method: name });
  const scope = moduleScope(context, self);
  return run(context, frame, own, typed(own, scope), scope, scope, `${kind}.${name}`, given, span);
}

/** Runs a function or method that is no module's: a layout's `tokens`. */
export function callDeclared(
  context: Context,
  title: string,
  declaration: FunctionDeclaration,
  scope: Scope,
  given: readonly GivenArgument[],
  span: Span,
): Value {
  const frame = { path: context.frames.at(-1)?.path ?? "", what: `in ${title}`, span };
  return run(context, frame, declaration, typed(declaration, scope), scope, scope, title, given, span);
}

function run(
  context: Context,
  frame: Frame,
  declaration: FunctionDeclaration,
  parameters: readonly TypedParameter[],
  scope: Scope,
  resultScope: Scope,
  title: string,
  given: readonly GivenArgument[],
  span: Span,
): Value {
  const local = new Scope(context, scope, { boundary: true });
  const bound = bindCall(context, title, parameters, given, local, span);
  const refuse = () => fail(context, messages.tooDeep, span, { name: title });
  return within(context, frame, refuse, () => {
    const value = runBlock(declaration.body, local);
    return checkResult(context, title, declaration, value, bound, resultScope);
  });
}

const typed = (declaration: FunctionDeclaration, scope: Scope): TypedParameter[] =>
  declaration.parameters.map((parameter) => typedParameter(parameter, scope));

const typedParameter = (parameter: FunctionDeclaration["parameters"][number], scope: Scope): TypedParameter => ({
  name: parameter.name,
  scope,
  span: parameter.span,
  ...(parameter.type ? { type: parameter.type } : {}),
  ...(parameter.default ? { default: parameter.default } : {}),
  rest: parameter.rest,
});
