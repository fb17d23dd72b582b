/** Interfaces that a setting names, `OFT(block: 4)`, and how a setting is written. */
import { interfaceLibrary } from "../../dsl/check/load.js";
import { nearest } from "../../dsl/check/nearest.js";
import { type Span, WeftError } from "../../dsl/diagnostics/diagnostic.js";
import { buildMessages as messages } from "../../dsl/diagnostics/messages/build.js";
import { parseExpression } from "../../dsl/syntax/parser.js";
import type { Declaration, Expression, InterfaceDeclaration } from "../../dsl/syntax/tree.js";
import { isBuiltin } from "./builtins/registry.js";
import { type Context, fail } from "./context.js";
import { applyInterface } from "./instantiate.js";
import { Scope } from "./scope.js";
import { describeValue, type InterfaceValue, type Value } from "./values.js";

/** The name under which messages show the text of a setting. */
export const settingFile = (name: string): string => `setting ${name}`;

/**
 * The interface that a text calls, or names alone where it needs no arguments: one that the model's file imports or declares, or else one
 * of std/interfaces. Its arguments hold nothing that would have to be computed. Throws WeftError, whose places lie in `settingFile(name)`.
 */
export function interfaceSetting(context: Context, name: string, text: string, declared: Span): InterfaceValue {
  const parsed = parseExpression(text, settingFile(name));
  if (!("expression" in parsed)) throw new WeftError(parsed.diagnostics);
  const { expression } = parsed;
  const callee = expression.kind === "call" ? expression.callee : expression;
  if (callee.kind !== "name")
    return fail(context, messages.badSetting, declared, { name, kind: "interface", given: text });
  const given = expression.kind === "call" ? expression.arguments : [];
  for (const { value } of given) requireLiteral(context, value, text);
  const declaration = interfaceNamed(context, callee.name, callee.span);
  return applyInterface(declaration, given, new Scope(context), expression.span);
}

function interfaceNamed(context: Context, name: string, span: Span): InterfaceDeclaration {
  const { program } = context;
  const named = new Map<string, Declaration>();
  for (const [local, { declaration }] of program.scope(program.entry)) named.set(local, declaration);
  for (const declaration of program.files.get(interfaceLibrary)?.declarations ?? []) {
    if (!named.has(declaration.name.text)) named.set(declaration.name.text, declaration);
  }
  const found = named.get(name);
  if (found?.kind === "interface") return found;
  const known = [...named].flatMap(([local, { kind }]) => (kind === "interface" ? [local] : []));
  const values = { name, found: found?.kind, nearest: nearest(name, known), known };
  return fail(context, messages.unknownInterface, span, values);
}

function requireLiteral(context: Context, expression: Expression, text: string): void {
  switch (expression.kind) {
    case "int":
    case "float":
    case "string":
    case "bool":
      return;
    case "unary":
      if (expression.operator === "-" && (expression.operand.kind === "int" || expression.operand.kind === "float"))
        return;
      break;
    case "list":
      for (const item of expression.items) requireLiteral(context, item, text);
      return;
    case "name":
      if (isBuiltin(expression.name)) return;
      break;
    default:
      break;
  }
  const { start, end } = expression.span;
  fail(context, messages.settingNotLiteral, expression.span, { found: text.slice(start, end) });
}

/** An interface with all its arguments as a setting writes them: `OFT(block: 4, steps: 8)`. */
export function writtenInterface({ declaration, statics }: InterfaceValue): string {
  const written = [...statics].map(([name, value]) => `${name}: ${writtenValue(value)}`);
  return `${declaration.name.text}(${written.join(", ")})`;
}

function writtenValue(value: Value): string {
  switch (value.kind) {
    case "int":
    case "bool":
      return `${value.value}`;
    case "float":
      return Number.isInteger(value.value) && Math.abs(value.value) < 1e15 ? value.value.toFixed(1) : `${value.value}`;
    case "string":
      return JSON.stringify(value.value);
    case "list":
      return `[${value.items.map(writtenValue).join(", ")}]`;
    case "builtin":
      return value.name;
    default:
      return describeValue(value);
  }
}
