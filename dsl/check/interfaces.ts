/** What only interfaces have: modules they apply to, slots, and methods that replace the module's. */
import { checkMessages as messages } from "../diagnostics/messages/check.js";
import { diagnose } from "../diagnostics/registry.js";
import type { InterfaceDeclaration, Member, ModuleDeclaration, Weight } from "../syntax/tree.js";
import type { Checker } from "./checker.js";
import { flatMembers } from "./members.js";
import { nearest } from "./nearest.js";
import { lookup, type Scope, visibleNames } from "./scope.js";

/** `on module`: whatever the module is; what it must have shows where the interface is applied. */
export const anyModule = "module";

/** The modules after `on`. Empty when one of them is not known, so that nothing is said about its members. */
export function modulesOf(
  checker: Checker,
  declaration: InterfaceDeclaration,
  file: Scope,
): readonly ModuleDeclaration[] {
  const modules: ModuleDeclaration[] = [];
  let complete = true;
  for (const name of declaration.on) {
    const kind = lookup(file, name.text);
    if (kind?.kind === "declaration" && kind.declaration.kind === "module") {
      modules.push(kind.declaration);
      continue;
    }
    complete = false;
    if (kind?.kind === "unknown" || (kind === undefined && name.text === anyModule)) continue;
    const values = {
      name: name.text,
      found: kind?.kind === "declaration" ? kind.declaration.kind : undefined,
      nearest: kind === undefined ? nearest(name.text, visibleNames(file)) : undefined,
    };
    checker.report(diagnose(messages.onNoModule, name.span, values));
  }
  return complete ? modules : [];
}

export function checkInterface(checker: Checker, declaration: InterfaceDeclaration): void {
  const members = flatMembers(declaration.members);
  const used = namesIn(members);
  for (const member of members) {
    if (member.kind !== "weight" || member.storage !== "slot") continue;
    if (!used.has(member.name.text)) checker.report(unusedSlot(member));
    const found = member.type.kind === "tensor" ? member.type.dtype : "float";
    if (found !== "float") {
      checker.report(diagnose(messages.slotDtype, member.type.span, { name: member.name.text, found }));
    }
  }
  checkReplacedMethods(checker, declaration, members, used);
}

function unusedSlot(slot: Weight) {
  return diagnose(messages.unusedSlot, slot.name.span, { name: slot.name.text });
}

/** A method that no module has and nobody calls would silently change nothing. */
function checkReplacedMethods(
  checker: Checker,
  declaration: InterfaceDeclaration,
  members: readonly Member[],
  used: ReadonlySet<string>,
): void {
  const modules = declaration.on.map((name) => checker.resolve(declaration.span.file, name.text));
  const known = new Set<string>();
  for (const module of modules) {
    if (module?.kind !== "module") return;
    for (const member of flatMembers(module.members)) if (member.kind === "function") known.add(member.name.text);
  }
  for (const member of members) {
    if (member.kind !== "function" || known.has(member.name.text) || used.has(member.name.text)) continue;
    const on = declaration.on.map((name) => name.text);
    const values = { name: member.name.text, on, nearest: nearest(member.name.text, known), known: [...known] };
    checker.report(diagnose(messages.replacesNothing, member.name.span, values));
  }
}

/** All names that occur as expressions anywhere in a part of the tree. */
function namesIn(part: unknown): ReadonlySet<string> {
  const names = new Set<string>();
  const visit = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    if ("kind" in value && value.kind === "name" && "name" in value && typeof value.name === "string") {
      names.add(value.name);
    }
    for (const child of Object.values(value)) visit(child);
  };
  visit(part);
  return names;
}
