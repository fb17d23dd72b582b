/** Walks expressions: every name must be known, every call must fit, and what can never be right is refused. */
import { checkMessages as messages } from "../diagnostics/messages/check.js";
import { diagnose } from "../diagnostics/registry.js";
import type { Block, Expression, IndexItem, Name, SitePattern } from "../syntax/tree.js";
import { callKind } from "./calls.js";
import type { Checker } from "./checker.js";
import { describeKind, type Kind, unknown } from "./kinds.js";
import { kindOfMemberAccess } from "./member-access.js";
import { memberKind, readableNames } from "./members.js";
import { nearest } from "./nearest.js";
import { inner, lookup, type Scope, visibleNames } from "./scope.js";
import { checkDistinct, checkStatements } from "./statements.js";

/** Checks an expression and gives what is known of its value. */
export function kindOf(checker: Checker, expression: Expression, scope: Scope): Kind {
  switch (expression.kind) {
    case "int":
    case "float":
    case "bool":
    case "string":
      return { kind: expression.kind };
    case "name":
      return nameKind(checker, { text: expression.name, span: expression.span }, scope);
    case "member":
      return kindOfMemberAccess(checker, kindOf(checker, expression.object, scope), expression.member);
    case "call":
      return callKind(checker, expression, scope);
    case "index": {
      const object = kindOf(checker, expression.object, scope);
      for (const item of expression.items) checkIndex(checker, item, scope);
      return object.kind === "tensor" ? object : unknown;
    }
    case "unary": {
      const operand = kindOf(checker, expression.operand, scope);
      return operand.kind === "int" || operand.kind === "float" || operand.kind === "tensor" ? operand : unknown;
    }
    case "binary":
      return binaryKind(kindOf(checker, expression.left, scope), kindOf(checker, expression.right, scope));
    case "list":
    case "tuple":
      for (const item of expression.items) kindOf(checker, item, scope);
      return { kind: expression.kind };
    case "comprehension": {
      kindOf(checker, expression.iterable, scope);
      checkDistinct(checker, expression.names, "this `for`", true);
      const inside = inner(scope);
      for (const name of expression.names) inside.names.set(name.text, unknown);
      if (expression.condition !== undefined) kindOf(checker, expression.condition, inside);
      kindOf(checker, expression.value, inside);
      return { kind: "list" };
    }
    case "if": {
      kindOf(checker, expression.condition, scope);
      const then = checkBlock(checker, expression.then, scope);
      const otherwise = expression.otherwise === undefined ? unknown : checkBlock(checker, expression.otherwise, scope);
      return then.kind === otherwise.kind ? then : unknown;
    }
    case "with": {
      const module = checkModule(checker, expression.module, scope);
      const operator = kindOf(checker, expression.operator, scope);
      if (!mayBeOperator(operator)) {
        const values = { found: describeKind(operator), adaptation: operator.kind === "adaptation" };
        checker.report(diagnose(messages.notAnOperator, expression.operator.span, values));
      }
      return module;
    }
    case "replace": {
      const module = checkModule(checker, expression.module, scope);
      for (const entry of expression.entries) {
        checkReplaced(checker, module, entry.key);
        kindOf(checker, entry.value, scope);
      }
      return module;
    }
    case "at": {
      const kind = kindOf(checker, expression.module, scope);
      checkStage(checker, expression.stage);
      if (mayBeModule(kind) || kind.kind === "list" || kind.kind === "tensor") return kind;
      checker.report(diagnose(messages.notAModule, expression.module.span, { found: describeKind(kind) }));
      return unknown;
    }
    case "adapt": {
      for (const application of expression.applications) {
        checkSites(checker, application.sites, scope, true);
        const used = kindOf(checker, application.interface, scope);
        if (used.kind !== "unknown" && used.kind !== "interface") {
          checker.report(diagnose(messages.notAnInterface, application.interface.span, { found: describeKind(used) }));
        }
      }
      const layout = kindOf(checker, expression.layout, scope);
      if (layout.kind !== "unknown" && layout.kind !== "layout") {
        checker.report(diagnose(messages.notALayout, expression.layout.span, { found: describeKind(layout) }));
      }
      return { kind: "adaptation" };
    }
  }
}

/** A block in a scope of its own; the kind of its value. */
export function checkBlock(checker: Checker, block: Block, scope: Scope): Kind {
  const inside = inner(scope);
  checkStatements(checker, block.statements, inside);
  return block.value === undefined ? unknown : kindOf(checker, block.value, inside);
}

export function nameKind(checker: Checker, name: Name, scope: Scope): Kind {
  const kind = lookup(scope, name.text);
  if (kind !== undefined) return kind;
  const later = checker.later?.get(name.text);
  if (later !== undefined) {
    const label = { span: later.span, text: `\`${name.text}\` is made here` };
    checker.report(diagnose(messages.usedBeforeMade, name.span, { name: name.text }, [label]));
    return unknown;
  }
  const near = nearest(name.text, visibleNames(scope));
  // Something is near every name of one or two letters.
  const inAxis = checker.inAxes === true && (near === undefined || name.text.length < 3);
  const values = { name: name.text, nearest: near, inAxis };
  checker.report(diagnose(messages.undefinedName, name.span, values));
  return unknown;
}

export function checkStage(checker: Checker, stage: Name): void {
  if (checker.stages === undefined || checker.stages.has(stage.text)) return;
  const known = [...checker.stages];
  const values = { name: stage.text, nearest: nearest(stage.text, known), known };
  checker.report(diagnose(messages.unknownStage, stage.span, values));
}

function binaryKind(left: Kind, right: Kind): Kind {
  if (left.kind === "list" || right.kind === "list") return { kind: "list" };
  if (left.kind === "tensor" || right.kind === "tensor") return { kind: "tensor" };
  return unknown;
}

function checkIndex(checker: Checker, item: IndexItem, scope: Scope): void {
  switch (item.kind) {
    case "at":
      kindOf(checker, item.value, scope);
      return;
    case "slice":
      for (const part of [item.start, item.stop, item.step]) if (part !== undefined) kindOf(checker, part, scope);
      return;
    case "ellipsis":
    case "new_axis":
      return;
  }
}

/** What stands before `with` must be a module. */
function checkModule(checker: Checker, expression: Expression, scope: Scope): Kind {
  const kind = kindOf(checker, expression, scope);
  if (mayBeModule(kind)) return kind;
  checker.report(diagnose(messages.notAModule, expression.span, { found: describeKind(kind) }));
  return unknown;
}

function mayBeModule(kind: Kind): boolean {
  return kind.kind === "unknown" || kind.kind === "instance" || kind.kind === "base";
}

function mayBeOperator(kind: Kind): boolean {
  return kind.kind === "unknown" || kind.kind === "operator";
}

function checkReplaced(checker: Checker, module: Kind, key: Name): void {
  const modules = module.kind === "instance" ? [module.declaration] : module.kind === "base" ? module.modules : [];
  if (modules.length === 0) return;
  const known = modules.flatMap(readableNames);
  if (modules.some((declaration) => memberKind(declaration, key.text, checker.resolve) !== undefined)) return;
  const owner = modules.map((declaration) => declaration.name.text).join(" or ");
  const values = { owner, name: key.text, nearest: nearest(key.text, known), known };
  checker.report(diagnose(messages.unknownMember, key.span, values));
}

/** The first name of a pattern must be known; what follows it can be seen only when sizes are. */
export function checkSites(checker: Checker, pattern: SitePattern, scope: Scope, outermost: boolean): void {
  pattern.steps.forEach((step, place) => {
    switch (step.kind) {
      case "name":
        if (place === 0 && outermost) nameKind(checker, step.name, scope);
        return;
      case "each":
        if (step.by !== undefined) kindOf(checker, step.by, scope);
        return;
      case "item":
        kindOf(checker, step.index, scope);
        return;
      case "alternatives":
        for (const alternative of step.patterns) checkSites(checker, alternative, scope, false);
        return;
    }
  });
}
