/** `train`, `evaluate`, `collect` and `sample` blocks: what is updated, how, on what data, and after which stage. */
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
  type SamplingSpec,
  type TrainingStage,
} from "./model.js";
import { isBelow } from "./parameter-layout.js";
import { byKey, optional, reader, stageName } from "./plan-entries.js";
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

function requireEntryPoint(plan: PlanContext, name: string, span: Span): void {
  if (plan.entryPoints.includes(name)) return;
  fail(plan.scope.context, messages.notAnEntryPoint, span, { name, known: plan.entryPoints });
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
