/** What a declaration holds, by name, and what little is known of it without evaluating anything. */
import type {
  Declaration,
  Expression,
  Member,
  ModuleDeclaration,
  Parameter,
  StaticParameter,
  Type,
} from "../syntax/tree.js";
import { builtins } from "./builtins.js";
import { type Kind, unknown } from "./kinds.js";

/** Looks up a top-level name of the file that a declaration stands in. */
export type Resolve = (file: string, name: string) => Declaration | undefined;

/** All members, those under `if` and `else` among them. */
export function flatMembers(members: readonly Member[]): Member[] {
  return members.flatMap((member) =>
    member.kind === "conditional" ? [...flatMembers(member.then), ...flatMembers(member.otherwise)] : [member],
  );
}

export function memberName(member: Member): string | undefined {
  return member.kind === "conditional" || member.kind === "assert" ? undefined : member.name.text;
}

/** Names that can be read from outside: `attn.q`, `base.weight`, `base.in_features`. */
export function readableNames(declaration: ModuleDeclaration): string[] {
  const members = flatMembers(declaration.members).map(memberName);
  return [
    ...members.filter((name) => name !== undefined),
    ...declaration.parameters.map((parameter) => parameter.name.text),
  ];
}

/** The kind of a module's member; undefined when it has none of that name. */
export function memberKind(declaration: ModuleDeclaration, name: string, resolve: Resolve): Kind | undefined {
  const member = flatMembers(declaration.members).find((candidate) => memberName(candidate) === name);
  if (member !== undefined) return kindOfMember(member, resolve);
  const parameter = declaration.parameters.find((candidate) => candidate.name.text === name);
  return parameter === undefined ? undefined : parameterKind(parameter, resolve);
}

export function kindOfMember(member: Member, resolve: Resolve): Kind {
  switch (member.kind) {
    case "field":
      return outlineKind(member.value, resolve);
    case "weight":
    case "given":
      return typeKind(member.type, resolve);
    case "function":
      return { kind: "method", declaration: member };
    case "conditional":
    case "assert":
    case "train":
    case "evaluate":
    case "sample":
    case "collect":
      return unknown;
  }
}

/** The kind of a field's value as far as its outermost form shows it. */
function outlineKind(value: Expression, resolve: Resolve): Kind {
  switch (value.kind) {
    case "adapt":
      return { kind: "adaptation" };
    case "string":
      return { kind: "string" };
    case "list":
    case "comprehension":
      return { kind: "list" };
    case "call":
      return value.callee.kind === "name" ? madeBy(resolve(value.span.file, value.callee.name)) : unknown;
    default:
      return unknown;
  }
}

/** What calling a declaration makes. */
export function madeBy(declaration: Declaration | undefined): Kind {
  switch (declaration?.kind) {
    case "module":
      return { kind: "instance", declaration };
    case "interface":
      return { kind: "interface", declaration };
    case "layout":
      return { kind: "layout", declaration };
    case "function":
    case "model":
    case undefined:
      return unknown;
  }
}

/** Kinds of parameters that are known by a word. */
// biome-ignore format: a list of words
export const kindWords: readonly string[] = [
  "int", "float", "bool", "string", "list", "initializer", "grid", "module", "function", "operator", "interface", "axis",
];

export function parameterKind(parameter: StaticParameter | Parameter, resolve: Resolve): Kind {
  return parameter.type === undefined ? unknown : typeKind(parameter.type, resolve);
}

export function typeKind(type: Type, resolve: Resolve): Kind {
  switch (type.kind) {
    case "tensor":
      return { kind: "tensor" };
    case "tuple":
      return { kind: "tuple" };
    case "named": {
      const [first] = type.path;
      if (type.path.length > 1 || first === undefined) return { kind: "tensor" };
      switch (first.text) {
        case "int":
        case "float":
        case "bool":
        case "string":
        case "list":
        case "grid":
        case "initializer":
        case "operator":
          return { kind: first.text };
        case "interface":
          return { kind: "interface", declaration: undefined };
      }
      return madeBy(resolve(type.span.file, first.text));
    }
  }
}

/** Whether a call of this name can make an initializer. */
export function makesInitializer(name: string): boolean {
  return name === "tensor" || (builtins.get(name)?.forms.some((form) => form.use === "initializer") ?? false);
}
