/** Matches the arguments of a call to declared parameters: too many, unknown, twice, missing. */
import type { Label, Span } from "../diagnostics/diagnostic.js";
import { checkMessages as messages } from "../diagnostics/messages/check.js";
import { diagnose } from "../diagnostics/registry.js";
import type { Argument } from "../syntax/tree.js";
import type { Builtin, BuiltinForm } from "./builtins.js";
import type { Checker } from "./checker.js";
import { nearest } from "./nearest.js";

interface Formal {
  readonly name: string;
  readonly required: boolean;
}

export interface Callee {
  readonly name: string;
  readonly parameters: readonly Formal[];
  readonly variadic?: boolean;
  /** Takes further arguments of any name. */
  readonly open?: boolean;
  /** Takes further arguments, with names or without: `...rest`. */
  readonly rest?: boolean;
  /** Where it is declared, to point at. */
  readonly declared?: Span;
}

/** The index of the parameter each argument goes to; undefined for those that fit none. */
export function matchArguments(
  checker: Checker,
  callee: Callee,
  given: readonly Argument[],
  span: Span,
): (number | undefined)[] {
  const labels: Label[] =
    callee.declared === undefined ? [] : [{ span: callee.declared, text: `\`${callee.name}\` is declared here` }];
  const taken = new Map<number, Argument>();
  let positional = 0;
  let named: Argument | undefined;
  let failed = false;
  const fail = (diagnostic: Parameters<Checker["report"]>[0]): undefined => {
    failed = true;
    checker.report(diagnostic);
    return undefined;
  };
  const matched = given.map((argument) => {
    if (argument.rest) return undefined;
    if (argument.name === undefined) {
      if (named !== undefined) {
        const label = { span: named.span, text: "this argument has a name" };
        return fail(diagnose(messages.positionalAfterNamed, argument.span, {}, [label]));
      }
      const index = callee.variadic ? 0 : positional;
      positional += 1;
      if (index >= callee.parameters.length) {
        if (callee.rest) return undefined;
        const values = { callee: callee.name, count: callee.parameters.length, given: given.length };
        return failed ? undefined : fail(diagnose(messages.tooManyArguments, argument.span, values, labels));
      }
      taken.set(index, argument);
      return index;
    }
    named = argument;
    const name = argument.name.text;
    const index = callee.parameters.findIndex((parameter) => parameter.name === name);
    if (index < 0) {
      if (callee.open || callee.rest) return undefined;
      const known = callee.parameters.map((parameter) => parameter.name);
      const values = { callee: callee.name, name, known, nearest: nearest(name, known) };
      return fail(diagnose(messages.unknownArgument, argument.name.span, values, labels));
    }
    const before = taken.get(index);
    if (before !== undefined) {
      const label = { span: before.span, text: "it is given here already" };
      return fail(diagnose(messages.argumentTwice, argument.span, { callee: callee.name, name }, [label]));
    }
    taken.set(index, argument);
    return index;
  });
  // What the rest holds is known only when the model is built.
  if (failed || given.some(({ rest }) => rest)) return matched;
  const missing = callee.parameters.filter((parameter, index) => parameter.required && !taken.has(index));
  if (missing.length > 0) {
    const names = missing.map((parameter) => parameter.name);
    checker.report(diagnose(messages.missingArgument, span, { callee: callee.name, names }, labels));
  }
  return matched;
}

/** The first form of a built-in that takes these arguments; reports against the nearest one when none does. */
export function matchBuiltin(
  checker: Checker,
  builtin: Builtin,
  given: readonly Argument[],
  span: Span,
): BuiltinForm | undefined {
  const fitting = builtin.forms.find((form) => fits(form, given));
  if (fitting !== undefined) return fitting;
  const names = new Set(given.map((argument) => argument.name?.text));
  const score = (form: BuiltinForm): number => form.parameters.filter((parameter) => names.has(parameter.name)).length;
  const closest = [...builtin.forms].sort((a, b) => score(b) - score(a))[0]!;
  matchArguments(checker, { name: builtin.name, ...closest }, given, span);
  return undefined;
}

function fits(form: BuiltinForm, given: readonly Argument[]): boolean {
  const complaints: unknown[] = [];
  const silent: Checker = {
    report: (diagnostic) => complaints.push(diagnostic),
    resolve: () => undefined,
    stages: undefined,
  };
  matchArguments(silent, { name: "", ...form }, given, { file: "", start: 0, end: 0 });
  return complaints.length === 0;
}
