import { checkMessages as messages } from "../diagnostics/messages/check.js";
import { diagnose } from "../diagnostics/registry.js";
import type { ModuleDeclaration, Name } from "../syntax/tree.js";
import type { Checker } from "./checker.js";
import { type Kind, unknown } from "./kinds.js";
import { memberKind, readableNames } from "./members.js";
import { nearest } from "./nearest.js";

const adaptationMembers: ReadonlyMap<string, Kind> = new Map([
  ["grid", { kind: "grid" }],
  ["tokens", unknown],
  ["initial", unknown],
]);

const gridMembers: ReadonlyMap<string, Kind> = new Map([
  ["layers", { kind: "int" }],
  ["tokens", { kind: "int" }],
  ["rows", { kind: "int" }],
  ["columns", { kind: "int" }],
  ["shape", { kind: "list" }],
  ["kinds", { kind: "list" }],
  ["present", unknown],
  ["ragged", { kind: "bool" }],
]);

/** Weights that may be read of every base: zero where there is none. */
const baseWeights = new Set(["weight", "bias"]);

/** `object.member`; reports members that the object certainly lacks. */
export function kindOfMemberAccess(checker: Checker, object: Kind, member: Name): Kind {
  switch (object.kind) {
    case "instance":
      return ofModules(checker, [object.declaration], member);
    case "base":
      if (baseWeights.has(member.text)) return { kind: "tensor" };
      return object.modules.length === 0 ? unknown : ofModules(checker, object.modules, member);
    case "adaptation":
      return ofTable(checker, adaptationMembers, "an adaptation", member);
    case "grid":
      return ofTable(checker, gridMembers, "a token grid", member);
    case "tensor":
      return member.text === "T" ? object : unknown;
    default:
      return unknown;
  }
}

function ofModules(checker: Checker, modules: readonly ModuleDeclaration[], member: Name): Kind {
  for (const declaration of modules) {
    const kind = memberKind(declaration, member.text, checker.resolve);
    if (kind !== undefined) return modules.length === 1 ? kind : unknown;
  }
  const owner = modules.map((declaration) => `\`${declaration.name.text}\``).join(" or ");
  reportUnknown(checker, owner, member, modules.flatMap(readableNames));
  return unknown;
}

function ofTable(checker: Checker, table: ReadonlyMap<string, Kind>, owner: string, member: Name): Kind {
  const kind = table.get(member.text);
  if (kind === undefined) reportUnknown(checker, owner, member, [...table.keys()]);
  return kind ?? unknown;
}

function reportUnknown(checker: Checker, owner: string, member: Name, known: readonly string[]): void {
  const values = { owner, name: member.text, nearest: nearest(member.text, known), known };
  checker.report(diagnose(messages.unknownMember, member.span, values));
}
