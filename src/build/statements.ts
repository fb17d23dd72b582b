import { buildMessages as messages } from "../../dsl/diagnostics/messages/build.js";
import type { Assertion, Block, Expression, Statement } from "../../dsl/syntax/tree.js";
import { fail } from "./context.js";
import { bindNames, destructure, evaluate, evaluateCondition, iterate } from "./evaluate.js";
import { Scope } from "./scope.js";
import { none, type Value } from "./values.js";

/** Runs a block in `scope`; its value is its last expression, or none. */
export function runBlock(block: Block, scope: Scope): Value {
  for (const statement of block.statements) run(statement, scope);
  return block.value ? evaluate(block.value, scope) : none;
}

function run(statement: Statement, scope: Scope): void {
  switch (statement.kind) {
    case "let":
      bindNames(statement.names, statement.tuple, evaluate(statement.value, scope), scope);
      return;
    case "assign":
      for (const [name, value] of destructure(
        statement.names,
        statement.tuple,
        evaluate(statement.value, scope),
        scope,
      )) {
        if (!scope.assign(name.text, value)) fail(scope.context, messages.unknownName, name.span, { name: name.text });
      }
      return;
    case "assert":
      runAssertion(statement, scope);
      return;
    case "for":
      for (const item of iterate(statement.iterable, scope)) {
        const inner = new Scope(scope.context, scope);
        bindNames(statement.names, statement.tuple, item, inner);
        runForEffect(statement.body, inner);
      }
      return;
    case "expression":
      runExpression(statement.expression, scope);
      return;
  }
}

/** A block whose value nobody asks for. */
function runForEffect(block: Block, scope: Scope): void {
  for (const statement of block.statements) run(statement, scope);
  if (block.value) runExpression(block.value, scope);
}

/** An expression on a line of its own: an `if` may rebind names and a function may assert; any other value would be lost. */
function runExpression(expression: Expression, scope: Scope): void {
  if (expression.kind === "if") {
    const chosen = evaluateCondition(expression.condition, scope) ? expression.then : expression.otherwise;
    if (chosen) runForEffect(chosen, new Scope(scope.context, scope));
    return;
  }
  if (evaluate(expression, scope).kind === "none") return;
  const negative = expression.kind === "unary" && expression.operator === "-";
  fail(scope.context, messages.discardedValue, expression.span, { negative });
}

export function runAssertion(assertion: Assertion, scope: Scope): void {
  if (evaluateCondition(assertion.condition, scope)) return;
  const message = assertion.message ? evaluate(assertion.message, scope) : none;
  fail(scope.context, messages.assertionFailed, assertion.condition.span, {
    text: message.kind === "string" ? message.value : "",
  });
}
