import { buildMessages as messages } from "../../dsl/diagnostics/messages/build.js";
import type { Assertion, Block, Statement } from "../../dsl/syntax/tree.js";
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
        runBlock(statement.body, inner);
      }
      return;
    case "expression":
      evaluate(statement.expression, scope);
      return;
  }
}

export function runAssertion(assertion: Assertion, scope: Scope): void {
  if (evaluateCondition(assertion.condition, scope)) return;
  const message = assertion.message ? evaluate(assertion.message, scope) : none;
  fail(scope.context, messages.assertionFailed, assertion.condition.span, {
    text: message.kind === "string" ? message.value : "",
  });
}
