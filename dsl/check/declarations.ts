/** Modules, interfaces, layouts, models and top-level functions. */
import { checkMessages as messages } from "../diagnostics/messages/check.js";
import { diagnose } from "../diagnostics/registry.js";
import type {
  Declaration,
  FunctionDeclaration,
  InterfaceDeclaration,
  LayoutDeclaration,
  Member,
  ModelDeclaration,
  ModuleDeclaration,
  Name,
  Weight,
} from "../syntax/tree.js";
import { checkParameterKind, isAxisName } from "./calls.js";
import type { Checker } from "./checker.js";
import { kindOf } from "./expressions.js";
import { checkInterface, modulesOf } from "./interfaces.js";
import { type Kind, unknown } from "./kinds.js";
import { flatMembers, kindOfMember, memberName, parameterKind } from "./members.js";
import { inner, lookup, type Scope } from "./scope.js";
import { checkStages, stageNames } from "./stages.js";
import { checkDistinct, checkFunction } from "./statements.js";
import { bindAxes, checkType } from "./types.js";
import { checkInitial } from "./weights.js";

type Holder = ModuleDeclaration | InterfaceDeclaration | LayoutDeclaration | ModelDeclaration;

export function checkDeclaration(checker: Checker, declaration: Declaration, file: Scope): void {
  if (declaration.kind === "function") {
    refuseShared(checker, declaration, "function");
    checkFunction(checker, declaration, file);
    return;
  }
  const inside = declaration.kind === "model" ? { ...checker, stages: stageNames(declaration) } : checker;
  const scope = checkParameters(inside, declaration, file);
  if (declaration.kind === "interface") {
    scope.names.set("base", { kind: "base", modules: modulesOf(inside, declaration, file) });
  }
  checkUniqueMembers(inside, declaration);
  checkMembers(inside, declaration, scope);
  if (declaration.kind === "interface") checkInterface(inside, declaration);
  if (declaration.kind === "model") checkStages(inside, declaration, scope);
}

/** Compile-time parameters; defaults may use earlier ones. */
function checkParameters(checker: Checker, declaration: Holder, file: Scope): Scope {
  const scope = inner(file);
  const { parameters } = declaration;
  checkDistinct(
    checker,
    parameters.map((parameter) => parameter.name),
    `the parameters of \`${declaration.name.text}\``,
  );
  for (const parameter of parameters) {
    checkType(checker, parameter.type, scope);
    if (parameter.default !== undefined && !isAxisName(parameter)) {
      const found = kindOf(checker, parameter.default, scope);
      checkParameterKind(checker, declaration.name, parameter, found, parameter.default);
    }
    scope.names.set(parameter.name.text, parameterKind(parameter, checker.resolve));
  }
  return scope;
}

/** Members have names of their own, except that the two sides of an `if` may define the same. */
function checkUniqueMembers(checker: Checker, declaration: Holder): void {
  const where = `\`${declaration.name.text}\``;
  const visit = (members: readonly Member[], seen: Map<string, Name>): Map<string, Name> => {
    for (const member of members) {
      if (member.kind === "assert") continue;
      if (member.kind === "conditional") {
        const then = visit(member.then, new Map(seen));
        const otherwise = visit(member.otherwise, new Map(seen));
        for (const [text, name] of [...then, ...otherwise]) seen.set(text, name);
        continue;
      }
      const before = seen.get(member.name.text);
      if (before === undefined) {
        seen.set(member.name.text, member.name);
        continue;
      }
      const label = { span: before.span, text: "the first one is here" };
      checker.report(diagnose(messages.duplicateName, member.name.span, { name: member.name.text, where }, [label]));
    }
    return seen;
  };
  visit(declaration.members, new Map());
}

/**
 * Fields are made in order, so a field sees those above it. Methods, weights and settings see all members; and so do
 * fields see weights and methods.
 */
function checkMembers(checker: Checker, declaration: Holder, scope: Scope): void {
  const all = inner(scope);
  const members = flatMembers(declaration.members);
  for (const member of members) {
    const name = memberName(member);
    if (name !== undefined && isValue(member)) all.names.set(name, seenFromInside(checker, member, scope));
  }
  const ordered = inner(scope);
  const later = new Map<string, Name>();
  for (const member of members) {
    if (member.kind === "field") later.set(member.name.text, member.name);
    else if (isValue(member)) ordered.names.set(memberName(member)!, seenFromInside(checker, member, scope));
  }
  const inOrder = { ...checker, later };
  const visit = (member: Member): void => {
    if (member.kind === "weight" && member.shared && !mayBeShared(member, declaration)) {
      const holder = member.storage === "slot" ? "slot" : declaration.kind;
      checker.report(diagnose(messages.misplacedMember, member.span, { what: "shared", holder }));
    }
    if (!belongs(member, declaration)) {
      const values = { what: member.kind === "weight" ? member.storage : member.kind, holder: declaration.kind };
      checker.report(diagnose(messages.misplacedMember, member.span, values));
      return;
    }
    switch (member.kind) {
      case "field": {
        const kind = kindOf(inOrder, member.value, ordered);
        later.delete(member.name.text);
        ordered.names.set(member.name.text, kind);
        all.names.set(member.name.text, kind);
        return;
      }
      case "weight":
        checkType(inOrder, member.type, ordered);
        checkInitial(inOrder, member, ordered);
        return;
      case "given":
        bindAxes(member.type, all);
        checkType(checker, member.type, all);
        return;
      case "conditional":
        kindOf(inOrder, member.condition, ordered);
        for (const child of [...member.then, ...member.otherwise]) visit(child);
        return;
      case "assert":
        kindOf(inOrder, member.condition, ordered);
        if (member.message !== undefined) kindOf(inOrder, member.message, ordered);
        return;
      case "function":
        if (declaration.kind !== "model") refuseShared(checker, member, declaration.kind);
        return;
      case "train":
      case "evaluate":
      case "sample":
      case "collect":
        return;
    }
  };
  for (const member of declaration.members) visit(member);
  for (const member of members) if (member.kind === "function") checkFunction(checker, member, all);
  for (const [name, kind] of all.names) scope.names.set(name, kind);
}

function isValue(member: Member): boolean {
  return member.kind === "field" || member.kind === "weight" || member.kind === "given" || member.kind === "function";
}

/** A member's kind by its own look; names in it that mean parameters rather than declarations make it unknown. */
function seenFromInside(checker: Checker, member: Member, scope: Scope): Kind {
  const kind = kindOfMember(member, checker.resolve);
  if (kind.kind !== "instance" && kind.kind !== "interface" && kind.kind !== "layout") return kind;
  if (kind.declaration === undefined) return kind;
  return lookup(scope, kind.declaration.name.text)?.kind === "declaration" ? kind : unknown;
}

/** Only entry points have instances that could share an argument. */
function refuseShared(checker: Checker, { parameters }: FunctionDeclaration, holder: string): void {
  for (const { shared, span } of parameters) {
    if (shared) checker.report(diagnose(messages.misplacedMember, span, { what: "shared", holder }));
  }
}

/** Only what is not generated, and only where there are several sites to share it. */
function mayBeShared(weight: Weight, holder: Holder): boolean {
  return holder.kind === "interface" && weight.storage !== "slot";
}

function belongs(member: Member, holder: Holder): boolean {
  switch (member.kind) {
    case "field":
    case "function":
    case "conditional":
    case "assert":
      return true;
    case "weight":
      return holder.kind !== "layout" && (member.storage !== "slot" || holder.kind === "interface");
    case "given":
      return holder.kind === "interface";
    case "train":
    case "evaluate":
    case "sample":
    case "collect":
      return holder.kind === "model";
  }
}
