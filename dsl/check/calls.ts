import { checkMessages as messages } from "../diagnostics/messages/check.js";
import { diagnose } from "../diagnostics/registry.js";
import type {
  Argument,
  Expression,
  FunctionDeclaration,
  InterfaceDeclaration,
  LayoutDeclaration,
  ModuleDeclaration,
  Name,
  StaticParameter,
} from "../syntax/tree.js";
import { matchArguments, matchBuiltin } from "./arguments.js";
import type { BuiltinForm } from "./builtins.js";
import { builtins } from "./builtins.js";
import type { Checker } from "./checker.js";
import { kindOf } from "./expressions.js";
import { describeKind, type Kind, unknown } from "./kinds.js";
import { flatMembers, madeBy, parameterKind, typeKind } from "./members.js";
import type { Scope } from "./scope.js";

type Call = Extract<Expression, { kind: "call" }>;

/** Checks a call and gives what is known of its result. */
export function callKind(checker: Checker, call: Call, scope: Scope): Kind {
  const callee = kindOf(checker, call.callee, scope);
  switch (callee.kind) {
    case "unknown":
    case "base":
      checkValues(checker, call.arguments, scope);
      return unknown;
    case "adaptation":
      checkValues(checker, call.arguments, scope);
      return { kind: "operator" };
    case "builtin":
      return builtinCall(checker, call, callee.name, scope);
    case "method":
      return functionCall(checker, call, callee.declaration, callee.declaration.name.text, scope);
    case "instance":
      return instanceCall(checker, call, callee.declaration, scope);
    case "declaration":
      switch (callee.declaration.kind) {
        case "module":
        case "interface":
        case "layout":
          return makingCall(checker, call, callee.declaration, scope);
        case "function":
          return functionCall(checker, call, callee.declaration, callee.declaration.name.text, scope);
        case "model":
          return refuse(checker, call, callee, scope);
      }
      return unknown;
    case "int":
    case "float":
    case "bool":
    case "string":
    case "list":
    case "tuple":
    case "tensor":
    case "grid":
    case "initializer":
    case "operator":
    case "optimizer":
    case "schedule":
    case "solver":
    case "interface":
    case "layout":
      return refuse(checker, call, callee, scope);
  }
}

function refuse(checker: Checker, call: Call, callee: Kind, scope: Scope): Kind {
  checker.report(diagnose(messages.notCallable, call.callee.span, { found: describeKind(callee), kind: callee.kind }));
  checkValues(checker, call.arguments, scope);
  return unknown;
}

function checkValues(checker: Checker, given: readonly Argument[], scope: Scope): Kind[] {
  return given.map((argument) => kindOf(checker, argument.value, scope));
}

function builtinCall(checker: Checker, call: Call, name: string, scope: Scope): Kind {
  const builtin = builtins.get(name)!;
  const form = matchBuiltin(checker, builtin, call.arguments, call.span);
  const kinds = checkValues(checker, call.arguments, scope);
  return form === undefined ? unknown : builtinResult(name, form, kinds);
}

function builtinResult(name: string, form: BuiltinForm, given: readonly Kind[]): Kind {
  switch (form.use) {
    case "initializer":
    case "operator":
    case "optimizer":
    case "schedule":
    case "solver":
      return { kind: form.use };
    case "static":
      return name === "range" || name === "zip" || name === "enumerate" ? { kind: "list" } : unknown;
    case "tensor":
      // Many names also work on compile-time numbers; a tensor goes in where a tensor comes out.
      return given.some((kind) => kind.kind === "tensor") && name !== "split" && name !== "grad"
        ? { kind: "tensor" }
        : unknown;
    case "data":
      return unknown;
  }
}

function functionCall(
  checker: Checker,
  call: Call,
  declaration: FunctionDeclaration,
  name: string,
  scope: Scope,
): Kind {
  const callee = {
    name,
    parameters: declaration.parameters
      .filter(({ rest }) => !rest)
      .map((parameter) => ({ name: parameter.name.text, required: parameter.default === undefined })),
    rest: declaration.parameters.some(({ rest }) => rest),
    declared: declaration.name.span,
  };
  matchArguments(checker, callee, call.arguments, call.span);
  checkValues(checker, call.arguments, scope);
  return declaration.result === undefined ? unknown : typeKind(declaration.result, checker.resolve);
}

function instanceCall(checker: Checker, call: Call, declaration: ModuleDeclaration, scope: Scope): Kind {
  const methods = flatMembers(declaration.members).filter((member) => member.kind === "function");
  const forward = methods.find((method) => method.name.text === "forward");
  if (forward !== undefined) return functionCall(checker, call, forward, declaration.name.text, scope);
  const values = { name: declaration.name.text, methods: methods.map((method) => method.name.text) };
  checker.report(diagnose(messages.noForward, call.callee.span, values));
  checkValues(checker, call.arguments, scope);
  return unknown;
}

function makingCall(
  checker: Checker,
  call: Call,
  declaration: ModuleDeclaration | InterfaceDeclaration | LayoutDeclaration,
  scope: Scope,
): Kind {
  const { parameters, name } = declaration;
  const callee = {
    name: name.text,
    parameters: parameters.map((parameter) => ({
      name: parameter.name.text,
      required: parameter.default === undefined,
    })),
    declared: name.span,
  };
  const matched = matchArguments(checker, callee, call.arguments, call.span);
  call.arguments.forEach((argument, place) => {
    const parameter = parameters[matched[place] ?? -1];
    if (parameter !== undefined && isAxisName(parameter)) return;
    const found = kindOf(checker, argument.value, scope);
    if (parameter !== undefined) checkParameterKind(checker, name, parameter, found, argument.value);
  });
  return madeBy(declaration);
}

/** Arguments of kind `axis` are names of an interface's parameters, not values. */
export function isAxisName(parameter: StaticParameter): boolean {
  return parameter.type.kind === "named" && parameter.type.path.length === 1 && parameter.type.path[0]!.text === "axis";
}

const plainKinds = new Set(["int", "float", "bool", "string", "list"]);

/** Refuses what is certainly of another kind, e.g. a string for an int. */
export function checkParameterKind(
  checker: Checker,
  owner: Name,
  parameter: StaticParameter,
  found: Kind,
  value: Expression,
): void {
  const wanted = parameterKind(parameter, checker.resolve);
  const isCertain =
    plainKinds.has(found.kind) ||
    found.kind === "initializer" ||
    found.kind === "instance" ||
    found.kind === "interface" ||
    (found.kind === "declaration" && wanted.kind === "interface");
  if (wanted.kind === "unknown" || !isCertain || wanted.kind === found.kind) return;
  if (wanted.kind === "float" && found.kind === "int") return;
  const expected = describeKind(wanted);
  const label = { span: parameter.span, text: `\`${parameter.name.text}\` of \`${owner.text}\` is declared here` };
  const values = { name: parameter.name.text, expected, found: describeKind(found) };
  checker.report(diagnose(messages.parameterKind, value.span, values, [label]));
}
