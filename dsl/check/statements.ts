import { checkMessages as messages } from "../diagnostics/messages/check.js";
import { diagnose } from "../diagnostics/registry.js";
import type { FunctionDeclaration, Name, Statement } from "../syntax/tree.js";
import type { Checker } from "./checker.js";
import { checkBlock, kindOf } from "./expressions.js";
import { type Kind, unknown } from "./kinds.js";
import { parameterKind } from "./members.js";
import { nearest } from "./nearest.js";
import { inner, isBoundInFunction, rebind, type Scope, visibleNames } from "./scope.js";
import { bindAxes, checkType } from "./types.js";

/** The name for what nobody wants: it may stand several times in one `let`. */
const thrownAway = "_";

/** Statements one after the other, in the scope they bind their names in. */
export function checkStatements(checker: Checker, statements: readonly Statement[], scope: Scope): void {
  for (const statement of statements) checkStatement(checker, statement, scope);
}

function checkStatement(checker: Checker, statement: Statement, scope: Scope): void {
  switch (statement.kind) {
    case "let": {
      const kind = kindOf(checker, statement.value, scope);
      checkDistinct(checker, statement.names, "this `let`", true);
      for (const name of statement.names) scope.names.set(name.text, statement.tuple ? unknown : kind);
      return;
    }
    case "assign":
      kindOf(checker, statement.value, scope);
      for (const name of statement.names) assign(checker, name, scope);
      return;
    case "for": {
      kindOf(checker, statement.iterable, scope);
      checkDistinct(checker, statement.names, "this `for`", true);
      const inside = inner(scope);
      for (const name of statement.names) inside.names.set(name.text, unknown);
      checkBlock(checker, statement.body, inside);
      return;
    }
    case "assert":
      kindOf(checker, statement.condition, scope);
      if (statement.message !== undefined) kindOf(checker, statement.message, scope);
      return;
    case "expression":
      kindOf(checker, statement.expression, scope);
      return;
  }
}

/** Rebinding: what the name now holds is known only to `src/build`, since `if` and `for` may leave either value. */
function assign(checker: Checker, name: Name, scope: Scope): void {
  if (isBoundInFunction(scope, name.text)) {
    rebind(scope, name.text, unknown);
    return;
  }
  const values = { name: name.text, nearest: nearest(name.text, localNames(scope)) };
  checker.report(diagnose(messages.neverBound, name.span, values));
  scope.names.set(name.text, unknown);
}

function localNames(scope: Scope): string[] {
  const names: string[] = [];
  for (let at: Scope | undefined = scope; at !== undefined; at = at.boundary ? undefined : at.parent) {
    names.push(...at.names.keys());
  }
  return names.length > 0 ? names : visibleNames(scope);
}

export function checkDistinct(checker: Checker, names: readonly Name[], where: string, mayThrowAway = false): void {
  const seen = new Map<string, Name>();
  for (const name of names) {
    if (mayThrowAway && name.text === thrownAway) continue;
    const before = seen.get(name.text);
    if (before === undefined) {
      seen.set(name.text, name);
      continue;
    }
    const label = { span: before.span, text: "the first one is here" };
    checker.report(diagnose(messages.duplicateName, name.span, { name: name.text, where }, [label]));
  }
}

/**
 * A function or method: parameters, the axes its shapes name, and its body. `outer` holds what is visible around it.
 */
export function checkFunction(checker: Checker, declaration: FunctionDeclaration, outer: Scope): Kind {
  const scope = inner(outer, true);
  const { parameters, result } = declaration;
  checkDistinct(
    checker,
    parameters.map((parameter) => parameter.name),
    `\`${declaration.name.text}\``,
  );
  const types = [...parameters.map((parameter) => parameter.type), result].filter((type) => type !== undefined);
  for (const type of types) bindAxes(type, scope);
  const inAxes: Checker = { ...checker, inAxes: true };
  for (const parameter of parameters) {
    if (parameter.type !== undefined) checkType(inAxes, parameter.type, scope);
    if (parameter.default !== undefined) kindOf(checker, parameter.default, scope);
    scope.names.set(parameter.name.text, parameterKind(parameter, checker.resolve));
  }
  if (result !== undefined) checkType(inAxes, result, scope);
  return checkBlock(checker, declaration.body, scope);
}
