/** Kinds of compile-time parameters: int, float, bool, string, list, initializer, grid, module, function, operator, interface, or a module's name. */
import type { Span } from "../../dsl/diagnostics/diagnostic.js";
import { buildMessages as messages } from "../../dsl/diagnostics/messages/build.js";
import type { Type } from "../../dsl/syntax/tree.js";
import { type Context, fail } from "./context.js";
import type { Scope } from "./scope.js";
import { describeValue, float, type Value } from "./values.js";

const kinds = [
  "int",
  "float",
  "bool",
  "string",
  "list",
  "initializer",
  "grid",
  "module",
  "function",
  "operator",
  "interface",
  "axis",
] as const;
type Kind = (typeof kinds)[number];

const articles: Readonly<Record<Kind, string>> = {
  int: "an int",
  float: "a number",
  bool: "true or false",
  string: "a string",
  list: "a list",
  initializer: "an initializer",
  grid: "a grid (memory.grid)",
  module: "a module",
  function: "a function",
  operator: "an operator",
  interface: "an interface with its arguments",
  axis: "the name of an interface's parameter",
};

/** Whether a type names a kind of compile-time value or a module, rather than a tensor. */
export function isStaticKind(type: Type, scope: Scope): boolean {
  if (type.kind !== "named" || type.path.length !== 1) return false;
  const name = type.path[0]!.text;
  return (kinds as readonly string[]).includes(name) || scope.lookup(name)?.kind === "declaration";
}

/** The value as the kind wants it (an int where a number is wanted becomes one); a message when it does not fit. */
export function checkStaticKind(
  context: Context,
  type: Type,
  scope: Scope,
  value: Value,
  name: string,
  span: Span,
): Value {
  if (type.kind !== "named") return value;
  const kind = type.path[0]!.text;
  const refuse = (expected: string): never =>
    fail(context, messages.argumentKind, span, { name, expected, found: describeValue(value) }, [
      { span: type.span, text: `${name} is declared here` },
    ]);
  if (!(kinds as readonly string[]).includes(kind)) {
    const declared = scope.lookup(kind);
    const wanted = declared?.kind === "declaration" ? declared.declaration : undefined;
    if (value.kind === "module" && value.instance.declaration === wanted) return value;
    return refuse(`a ${kind}`);
  }
  const result = fitted(kind as Kind, value);
  return result ?? refuse(articles[kind as Kind]);
}

function fitted(kind: Kind, value: Value): Value | undefined {
  const when = (holds: boolean): Value | undefined => (holds ? value : undefined);
  switch (kind) {
    case "int":
    case "bool":
    case "string":
    case "initializer":
    case "operator":
    case "interface":
      return when(value.kind === kind);
    case "float":
      return value.kind === "int" ? float(value.value) : when(value.kind === "float");
    case "list":
      return when(value.kind === "list");
    case "grid":
      return when(value.kind === "record" && value.name === "grid");
    case "module":
      return when(value.kind === "module" || (value.kind === "declaration" && value.declaration.kind === "module"));
    case "function":
      return when(
        value.kind === "builtin" ||
          value.kind === "method" ||
          value.kind === "module" ||
          value.kind === "indexed" ||
          (value.kind === "declaration" && value.declaration.kind === "function"),
      );
    case "axis":
      return when(value.kind === "string");
  }
}
