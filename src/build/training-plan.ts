/** `train` and `evaluate` blocks: what is updated, how, on what data, and after which stage. */
import type { Span } from "../../dsl/diagnostics/diagnostic.js";
import { buildMessages as messages } from "../../dsl/diagnostics/messages/build.js";
import type {
  CollectDeclaration,
  ConfigEntry,
  EvaluateDeclaration,
  Expression,
  FunctionDeclaration,
  SampleDeclaration,
  TrainDeclaration,
} from "../../dsl/syntax/tree.js";
import { isFloat } from "../graph/dtype.js";
import { fail, type Reports } from "./context.js";
import { evaluate } from "./evaluate.js";
import { sourceText } from "./files.js";
import {
  type CollectingStage,
  defaultBatch,
  type EvaluationSpec,
  type ParameterSpec,
  type RowFilter,
  type SamplingSpec,
  type ScheduleSpec,
  type SolverSpec,
  type TrainingStage,
} from "./model.js";
import { isBelow } from "./parameter-layout.js";
import type { Scope } from "./scope.js";
import { describeValue, type Value } from "./values.js";

export interface PlanContext {
  readonly scope: Scope;
  readonly functions: ReadonlyMap<string, FunctionDeclaration>;
  readonly parameters: readonly ParameterSpec[];
  readonly entryPoints: readonly string[];
  readonly stages: readonly TrainDeclaration[];
}

/** Reads all `train` blocks; each that cannot be read is reported and left out. */
export function trainingStages(plan: PlanContext, reports: Reports): TrainingStage[] {
  return plan.stages.flatMap((declaration) => reports.collect(() => stage(plan, declaration)) ?? []);
}

function stage(plan: PlanContext, declaration: TrainDeclaration): TrainingStage {
  const { context } = plan.scope;
  const entries = byKey(declaration.entries);
  requireEntryPoint(plan, declaration.on.text, declaration.on.span);
  for (const key of ["update", "optimizer"] as const) {
    if (!entries.has(key))
      fail(context, messages.missingKey, declaration.name.span, { key, stage: declaration.name.text });
  }
  const result = plan.functions.get(declaration.on.text)?.result;
  if (result && (result.kind !== "tensor" || result.axes.length > 0)) {
    const values = { name: declaration.on.text, stage: declaration.name.text, found: sourceText(context, result.span) };
    fail(context, messages.notALoss, declaration.on.span, values);
  }
  const read = reader(plan.scope, entries);
  return {
    kind: "train",
    name: declaration.name.text,
    on: declaration.on.text,
    update: updatePaths(plan, entries.get("update")!),
    optimizer: read.optimizer(),
    schedule: read.schedule(),
    ...optional("clip", read.number("clip", 0)),
    batch: read.count("batch", defaultBatch),
    accumulate: read.count("accumulate", 1),
    steps: read.count("steps", 1000),
    ...optional("ema", read.number("ema", 0, 1)),
    data: read.data(),
    where: read.where(),
    ...optional("after", stageName(entries.get("after"))),
    recompute: read.flag("recompute"),
    span: declaration.span,
  };
}

/** Reads all `evaluate` blocks. */
export function evaluations(
  plan: PlanContext,
  declarations: readonly EvaluateDeclaration[],
  reports: Reports,
): EvaluationSpec[] {
  return declarations.flatMap((declaration) => reports.collect(() => evaluation(plan, declaration)) ?? []);
}

function evaluation(plan: PlanContext, declaration: EvaluateDeclaration): EvaluationSpec {
  const entries = byKey(declaration.entries);
  requireEntryPoint(plan, declaration.on.text, declaration.on.span);
  const read = reader(plan.scope, entries);
  return {
    name: declaration.name.text,
    on: declaration.on.text,
    ...optional("after", stageName(entries.get("after"))),
    data: read.data(),
    where: read.where(),
    batch: read.count("batch", defaultBatch),
    every: read.count("every", 0, 0),
    span: declaration.span,
  };
}

/** Reads all `collect` blocks. */
export function collections(
  plan: PlanContext,
  declarations: readonly CollectDeclaration[],
  reports: Reports,
): CollectingStage[] {
  return declarations.flatMap((declaration) => reports.collect(() => collection(plan, declaration)) ?? []);
}

function collection(plan: PlanContext, declaration: CollectDeclaration): CollectingStage {
  const { context } = plan.scope;
  const { text: name } = declaration.name;
  const entries = byKey(declaration.entries);
  const mean = entries.get("mean")?.value;
  if (mean?.kind !== "name")
    return fail(context, messages.missingKey, declaration.name.span, { key: "mean", stage: name });
  requireEntryPoint(plan, mean.name, mean.span);
  const into = evaluate(declaration.into, plan.scope);
  const path = into.kind === "weight" && into.stage === undefined ? into.definition.path : undefined;
  if (path === undefined || !plan.parameters.some((spec) => spec.path === path && isFloat(spec.dtype))) {
    const values = { key: "into", expected: "a stored tensor of floats", found: describeValue(into) };
    return fail(context, messages.badPlanValue, declaration.into.span, values);
  }
  const read = reader(plan.scope, entries);
  return {
    kind: "collect",
    name,
    mean: mean.name,
    into: path,
    data: read.data(),
    where: read.where(),
    batch: read.count("batch", defaultBatch),
    ...optional("after", stageName(entries.get("after"))),
    span: declaration.span,
  };
}

/** Reads all `sample` blocks. */
export function samplings(
  plan: PlanContext,
  declarations: readonly SampleDeclaration[],
  reports: Reports,
): SamplingSpec[] {
  return declarations.flatMap((declaration) => reports.collect(() => sampling(plan, declaration)) ?? []);
}

function sampling(plan: PlanContext, declaration: SampleDeclaration): SamplingSpec {
  const { context } = plan.scope;
  const { text: name } = declaration.name;
  const entries = byKey(declaration.entries);
  const read = reader(plan.scope, entries);
  const functions = (key: string): string[] => {
    const value = entries.get(key)?.value;
    return (value?.kind === "list" ? value.items : value ? [value] : []).map((item) => {
      // `check` has found that these are names of functions.
      const { name, span } = item as Expression & { readonly kind: "name" };
      requireEntryPoint(plan, name, span);
      return name;
    });
  };
  const [step] = functions("step");
  const solver = read.solver();
  if (step === undefined || solver === undefined) {
    const key = step === undefined ? "step" : "solver";
    return fail(context, messages.missingKey, declaration.name.span, { key, stage: name });
  }
  const [unguided] = functions("unguided");
  const guidance = read.anyNumber("guidance");
  if ((unguided === undefined) !== (guidance === undefined)) {
    const [given, missing] = unguided === undefined ? ["guidance", "unguided"] : ["unguided", "guidance"];
    return fail(context, messages.lonelyGuidance, declaration.name.span, { name, given: given!, missing: missing! });
  }
  return {
    name,
    once: functions("once"),
    step,
    ...optional("unguided", unguided),
    solver,
    ...optional("guidance", guidance),
    ...optional("after", stageName(entries.get("after"))),
    span: declaration.span,
  };
}

// --------------------------------------------------------------------------------------------------------------- entries

type Entries = ReadonlyMap<string, ConfigEntry>;

const constantSchedule: ScheduleSpec = { kind: "constant", warmup: 0, from: 0, final: 0 };

const optional = <K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } =>
  value === undefined ? {} : ({ [key]: value } as { [P in K]: V });

const byKey = (entries: readonly ConfigEntry[]): Entries => new Map(entries.map((entry) => [entry.key.text, entry]));

function requireEntryPoint(plan: PlanContext, name: string, span: Span): void {
  if (plan.entryPoints.includes(name)) return;
  fail(plan.scope.context, messages.notAnEntryPoint, span, { name, known: plan.entryPoints });
}

/** Typed access to the entries of one block. */
function reader(scope: Scope, entries: Entries) {
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

/** Paths of the modules and tensors named by `update`; each must hold something that can be trained. */
function updatePaths(plan: PlanContext, entry: ConfigEntry): string[] {
  const { context } = plan.scope;
  const items = entry.value.kind === "list" ? entry.value.items : [entry.value];
  if (items.length === 0) {
    const values = { key: "update", expected: "modules or stored tensors of the model", found: "an empty list" };
    fail(context, messages.badPlanValue, entry.value.span, values);
  }
  return items.flatMap((item) => {
    const paths = pathsOf(evaluate(item, plan.scope));
    if (!paths) {
      const expected = "modules or stored tensors of the model";
      const found = sourceText(context, item.span);
      return fail(context, messages.badPlanValue, item.span, { key: "update", expected, found });
    }
    for (const path of paths) {
      const below = plan.parameters.filter((spec) => isBelow(spec.path, [path]));
      if (!below.some(({ storage }) => storage === "param")) {
        fail(context, messages.nothingToUpdate, item.span, { path, frozen: below.length });
      }
    }
    return paths;
  });
}

function pathsOf(value: Value): string[] | undefined {
  switch (value.kind) {
    case "module": {
      const { instance, overrides } = value;
      return instance.path === undefined || overrides.stage !== undefined ? undefined : [instance.path];
    }
    case "weight":
      return value.stage === undefined ? [value.definition.path] : undefined;
    case "adaptation":
      return [value.adaptation.path];
    case "list": {
      const paths = value.items.map(pathsOf);
      return paths.includes(undefined) ? undefined : paths.flatMap((path) => path!);
    }
    default:
      return undefined;
  }
}

// ----------------------------------------------------------------------------------------------------------------- tree

/** The name of a stage, which `check` has found. */
function stageName(entry: ConfigEntry | undefined): string | undefined {
  return entry?.value.kind === "name" ? entry.value.name : undefined;
}
