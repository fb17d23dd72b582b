import type { IToken } from "chevrotain";
import type { Diagnostic, Span } from "../../diagnostics/diagnostic.js";
import { syntaxMessages } from "../../diagnostics/messages/syntax.js";
import { diagnose } from "../../diagnostics/registry.js";
import type { BinaryOperator, Expression } from "../tree.js";

/** An operand with the signs before it: `- not - x`. */
export interface Operand {
  readonly prefixes: readonly IToken[];
  readonly expression: Expression;
}

// biome-ignore format: one line per level
const levels: Readonly<Record<BinaryOperator, number>> = {
  or: 1, and: 2,
  "==": 4, "!=": 4, "<": 4, "<=": 4, ">": 4, ">=": 4,
  "+": 5, "-": 5,
  "*": 6, "/": 6, "//": 6, "%": 6, "@": 6,
  "**": 8,
};
const comparison = 4;
const negation = 7;
const power = 8;

export const longestChain = 300;
const mostPrefixes = 60;

/** How strongly a binary operator binds; larger binds tighter. */
export function precedence(operator: string): number | undefined {
  return (levels as Readonly<Record<string, number>>)[operator];
}

/**
 * Makes one tree of operands and the operators between them (one fewer). Left-associative but for `**`; comparisons do
 * not chain; `-x ** 2` is -(x ** 2); `not` binds looser than comparisons.
 */
export function combine(
  operands: readonly Operand[],
  operators: readonly IToken[],
  path: string,
  report: (diagnostic: Diagnostic) => void,
): Expression {
  const first = operands[0]!;
  const prefixes = operands.reduce((count, operand) => count + operand.prefixes.length, 0);
  const powers = operators.filter((operator) => operator.image === "**").length;
  if (operators.length > longestChain || prefixes > mostPrefixes || powers > mostPrefixes) {
    report(diagnose(syntaxMessages.textTooLong, first.expression.span, {}));
    return first.expression;
  }
  const tokenSpan = (token: IToken): Span => ({
    file: path,
    start: token.startOffset,
    end: token.startOffset + token.image.length,
  });
  let index = 0;
  let prefix = 0;

  const unary = (): Expression => {
    const operand = operands[index]!;
    const sign = operand.prefixes[prefix];
    if (sign === undefined) {
      prefix = 0;
      index += 1;
      return operand.expression;
    }
    prefix += 1;
    const inner = climb(sign.image === "not" ? comparison : negation);
    const span = { file: path, start: sign.startOffset, end: inner.span.end };
    return { kind: "unary", operator: sign.image === "not" ? "not" : "-", operand: inner, span };
  };

  const climb = (lowest: number): Expression => {
    let left = unary();
    let compared: IToken | undefined;
    for (;;) {
      const operator = operators[index - 1];
      if (operator === undefined) return left;
      const name = operator.image as BinaryOperator;
      const level = levels[name];
      if (level < lowest) return left;
      if (level === comparison && compared !== undefined) {
        report(
          diagnose(syntaxMessages.chainedComparison, tokenSpan(operator), { first: compared.image, second: name }),
        );
      }
      compared = level === comparison ? operator : undefined;
      const right = climb(level === power ? power : level + 1);
      const span = { file: path, start: left.span.start, end: right.span.end };
      left = { kind: "binary", operator: name, left, right, operatorSpan: tokenSpan(operator), span };
    }
  };
  return climb(0);
}
