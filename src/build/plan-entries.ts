/** The entries of `train`, `evaluate`, `collect` and `sample` blocks, read as what they must be. */
import { buildMessages as messages } from "../../dsl/diagnostics/messages/build.js";
import type { ConfigEntry, Expression } from "../../dsl/syntax/tree.js";
import { fail } from "./context.js";
import { evaluate } from "./evaluate.js";
import { sourceText } from "./files.js";
import type { RowFilter, ScheduleSpec, SolverSpec, TrainingStage } from "./model.js";
import type { Scope } from "./scope.js";
import { describeValue, type Value } from "./values.js";

export type Entries = ReadonlyMap<string, ConfigEntry>;

const constantSchedule: ScheduleSpec = { kind: "constant", warmup: 0, from: 0, final: 0 };

export const optional = <K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } =>
  value === undefined ? {} : ({ [key]: value } as { [P in K]: V });

export const byKey = (entries: readonly ConfigEntry[]): Entries =>
  new Map(entries.map((entry) => [entry.key.text, entry]));

/** Typed access to the entries of one block. */
export function reader(scope: Scope, entries: Entries) {
  const { context } = scope;
  const refuse = (entry: ConfigEntry, expected: string, found: string): never =>
    fail(context, messages.badPlanValue, entry.value.span, { key: entry.key.text, expected, found });
  const value = (key: string): readonly [ConfigEntry, Value] | undefined => {
    const entry = entries.get(key);
    return entry && [entry, evaluate(entry.value, scope)];
  };
  return {
    optimizer() {
      const [entry, found] = value("optimizer")!;
      return found.kind === "optimizer"
        ? found.optimizer
        : refuse(entry, "an optimizer such as adamw(1e-3)", describeValue(found));
    },
    schedule(): ScheduleSpec {
      const given = value("learning_rate");
      if (!given) return constantSchedule;
      const [entry, found] = given;
      if (found.kind === "schedule") return found.schedule;
      return refuse(entry, "a schedule such as cosine(warmup: 100)", describeValue(found));
    },
    solver(): SolverSpec | undefined {
      const given = value("solver");
      if (!given) return undefined;
      const [entry, found] = given;
      if (found.kind === "solver") return found.solver;
      return refuse(entry, "a solver such as euler(steps: 50)", describeValue(found));
    },
    anyNumber(key: string): number | undefined {
      const given = value(key);
      if (!given) return undefined;
      const [entry, found] = given;
      if (found.kind === "float" || found.kind === "int") return found.value;
      return refuse(entry, "a number", describeValue(found));
    },
    number(key: string, above: number, below = Number.POSITIVE_INFINITY): number | undefined {
      const given = value(key);
      if (!given) return undefined;
      const [entry, found] = given;
      if ((found.kind === "float" || found.kind === "int") && found.value > above && found.value < below) {
        return found.value;
      }
      const bound = below === Number.POSITIVE_INFINITY ? "" : ` and below ${below}`;
      return refuse(entry, `a number above ${above}${bound}`, describeValue(found));
    },
    count(key: string, fallback: number, least = 1): number {
      const given = value(key);
      if (!given) return fallback;
      const [entry, found] = given;
      if (found.kind === "int" && found.value >= least) return found.value;
      return refuse(entry, `an int of at least ${least}`, describeValue(found));
    },
    flag(key: string): boolean {
      const given = value(key);
      if (!given) return false;
      const [entry, found] = given;
      return found.kind === "bool" ? found.value : refuse(entry, "true or false", describeValue(found));
    },
    data(): TrainingStage["data"] {
      const entry = entries.get("data");
      return entry
        ? dataSources(scope, entry.value, () =>
            refuse(entry, "a name or mixture(a: 0.7, b: 0.3)", sourceText(context, entry.value.span)),
          )
        : [];
    },
    where(): readonly RowFilter[] {
      const entry = entries.get("where");
      return entry ? filters(scope, entry.value) : [];
    },
  };
}

/** `data: pairs`, `data: "pairs"`, `data: [a, b]`, `data: mixture(a: 0.7, b: 0.3)`. */
function dataSources(scope: Scope, expression: Expression, refuse: () => never): TrainingStage["data"] {
  switch (expression.kind) {
    case "name":
      return [{ name: expression.name, weight: 1 }];
    case "string":
      return [{ name: expression.value, weight: 1 }];
    case "list":
      return expression.items.flatMap((item) => dataSources(scope, item, refuse));
    case "call":
      if (expression.callee.kind !== "name" || expression.callee.name !== "mixture") return refuse();
      return expression.arguments.map(({ name, value }) => {
        const weight = evaluate(value, scope);
        if (!name || (weight.kind !== "int" && weight.kind !== "float") || weight.value <= 0) return refuse();
        return { name: name.text, weight: weight.value };
      });
    default:
      return refuse();
  }
}

/** `where: task == [1, 2] and split == "train"`: columns are names, values are known now. */
function filters(scope: Scope, expression: Expression): readonly RowFilter[] {
  const refuse = (): never =>
    fail(scope.context, messages.badPlanValue, expression.span, {
      key: "where",
      expected: 'comparisons such as task == 3 or task == [1, 2], joined by "and"',
      found: sourceText(scope.context, expression.span),
    });
  if (expression.kind !== "binary") return refuse();
  if (expression.operator === "and") return [...filters(scope, expression.left), ...filters(scope, expression.right)];
  if (expression.operator !== "==" || expression.left.kind !== "name") return refuse();
  const value = evaluate(expression.right, scope);
  const items = value.kind === "list" ? value.items : [value];
  if (items.length === 0) return refuse();
  const values = items.map((item) => {
    if (item.kind === "bool") return Number(item.value);
    return item.kind === "int" || item.kind === "float" || item.kind === "string" ? item.value : refuse();
  });
  return [{ column: expression.left.name, values }];
}

/** The name of a stage, which `check` has found. */
export function stageName(entry: ConfigEntry | undefined): string | undefined {
  return entry?.value.kind === "name" ? entry.value.name : undefined;
}
