import { checkMessages as messages } from "../diagnostics/messages/check.js";
import { diagnose } from "../diagnostics/registry.js";
import type { Expression, Weight } from "../syntax/tree.js";
import type { Checker } from "./checker.js";
import { kindOf } from "./expressions.js";
import { describeKind, type Kind } from "./kinds.js";
import { makesInitializer } from "./members.js";
import { lookup, type Scope } from "./scope.js";

/** A generator's head can start only what these start. */
const slotInitializers = new Set(["zeros", "constant", "normal"]);

/** What a weight starts as must be able to be an initializer; a slot's, one that a generator can start with. */
export function checkInitial(checker: Checker, weight: Weight, scope: Scope): void {
  if (weight.initial === undefined) return;
  const found = kindOf(checker, weight.initial, scope);
  const called = calledBuiltin(weight.initial, scope);
  if (called !== undefined && !makesInitializer(called)) {
    checker.report(diagnose(messages.notAnInitializer, weight.initial.span, { found: `the result of \`${called}\`` }));
  } else if (!mayInitialize(found)) {
    checker.report(diagnose(messages.notAnInitializer, weight.initial.span, { found: describeKind(found) }));
  } else if (weight.storage === "slot" && called !== undefined && !slotInitializers.has(called)) {
    checker.report(diagnose(messages.slotInitializer, weight.initial.span, { name: weight.name.text, found: called }));
  }
}

function calledBuiltin(initial: Expression, scope: Scope): string | undefined {
  if (initial.kind !== "call" || initial.callee.kind !== "name") return undefined;
  const callee = lookup(scope, initial.callee.name);
  return callee?.kind === "builtin" ? callee.name : undefined;
}

/** Numbers, truth values and lists of them are values to start from. */
function mayInitialize(kind: Kind): boolean {
  switch (kind.kind) {
    case "unknown":
    case "initializer":
    case "list":
    case "int":
    case "float":
    case "bool":
      return true;
    default:
      return false;
  }
}
