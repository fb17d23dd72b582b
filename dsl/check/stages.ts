/** `train`, `evaluate`, `sample` and `collect`: their keys, the entry points and stages they name. */
import { checkMessages as messages } from "../diagnostics/messages/check.js";
import { diagnose } from "../diagnostics/registry.js";
import type {
  CollectDeclaration,
  ConfigEntry,
  EvaluateDeclaration,
  Expression,
  FunctionDeclaration,
  ModelDeclaration,
  Name,
  SampleDeclaration,
  TrainDeclaration,
} from "../syntax/tree.js";
import type { Checker } from "./checker.js";
import { checkStage, kindOf } from "./expressions.js";
import { describeKind } from "./kinds.js";
import { flatMembers } from "./members.js";
import { nearest } from "./nearest.js";
import type { Scope } from "./scope.js";
import { checkDistinct } from "./statements.js";

type Stage = TrainDeclaration | EvaluateDeclaration | SampleDeclaration | CollectDeclaration;

/** How the value of a key is read. */
type Reading = "value" | "data" | "stage" | "function" | "functions" | "optimizer" | "schedule" | "solver";

const keys: Readonly<Record<Stage["kind"], Readonly<Record<string, Reading>>>> = {
  train: {
    update: "value",
    optimizer: "optimizer",
    learning_rate: "schedule",
    clip: "value",
    batch: "value",
    accumulate: "value",
    steps: "value",
    ema: "value",
    data: "data",
    where: "data",
    recompute: "value",
    after: "stage",
  },
  evaluate: { after: "stage", data: "data", where: "data", batch: "value", every: "value" },
  sample: {
    once: "functions",
    step: "function",
    unguided: "function",
    solver: "solver",
    guidance: "value",
    after: "stage",
  },
  collect: { mean: "function", data: "data", where: "data", batch: "value", after: "stage" },
};

/** The stages that `after` and `at` may name. */
export function stageNames(model: ModelDeclaration): ReadonlySet<string> {
  return new Set(
    stagesOf(model)
      .filter(leavesState)
      .map((stage) => stage.name.text),
  );
}

const leavesState = (stage: Stage): boolean => stage.kind === "train" || stage.kind === "collect";

function stagesOf(model: ModelDeclaration): Stage[] {
  const isStage = (kind: string): kind is Stage["kind"] => kind in keys;
  return flatMembers(model.members).filter((member): member is Stage => isStage(member.kind));
}

export function checkStages(checker: Checker, model: ModelDeclaration, scope: Scope): void {
  const stages = stagesOf(model);
  const functions = flatMembers(model.members).filter((member) => member.kind === "function");
  for (const stage of stages) {
    if (stage.kind === "train" || stage.kind === "evaluate") checkEntryPoint(checker, stage.on, functions);
    if (stage.kind === "collect") kindOf(checker, stage.into, scope);
    checkDistinct(
      checker,
      stage.entries.map((entry) => entry.key),
      `\`${stage.name.text}\``,
    );
    for (const entry of stage.entries) checkEntry(checker, stage, entry, functions, scope);
  }
  reportCycles(checker, stages);
}

function checkEntry(
  checker: Checker,
  stage: Stage,
  entry: ConfigEntry,
  functions: readonly FunctionDeclaration[],
  scope: Scope,
): void {
  const known = keys[stage.kind];
  const reading = Object.hasOwn(known, entry.key.text) ? known[entry.key.text] : undefined;
  switch (reading) {
    case undefined: {
      const names = Object.keys(known);
      const values = { key: entry.key.text, stage: stage.kind, nearest: nearest(entry.key.text, names), known: names };
      checker.report(diagnose(messages.unknownKey, entry.key.span, values));
      return;
    }
    case "data":
      // Names of data sources and columns: known only when training begins.
      return;
    case "stage": {
      const name = asName(entry.value);
      if (name === undefined) checker.report(wrongValue(entry, "the name of a stage"));
      else checkStage(checker, name);
      return;
    }
    case "function":
    case "functions": {
      const values = reading === "functions" && entry.value.kind === "list" ? entry.value.items : [entry.value];
      for (const value of values) {
        const name = asName(value);
        if (name === undefined) checker.report(wrongValue({ ...entry, value }, "the name of a `fn` of this model"));
        else checkEntryPoint(checker, name, functions);
      }
      return;
    }
    case "optimizer":
    case "schedule":
    case "solver": {
      const found = kindOf(checker, entry.value, scope);
      if (found.kind === "unknown" || found.kind === reading) return;
      checker.report(wrongValue(entry, expected[reading], describeKind(found)));
      return;
    }
    case "value":
      kindOf(checker, entry.value, scope);
      return;
  }
}

const expected = {
  optimizer: "an optimizer, such as `adamw(1e-3)`",
  schedule: "a schedule, such as `cosine(warmup: 100)`",
  solver: "a solver, such as `euler(steps: 50)`",
} as const;

function wrongValue(entry: ConfigEntry, wanted: string, found?: string) {
  return diagnose(messages.wrongValue, entry.value.span, { key: entry.key.text, wanted, found });
}

function asName(value: Expression): Name | undefined {
  return value.kind === "name" ? { text: value.name, span: value.span } : undefined;
}

function checkEntryPoint(checker: Checker, name: Name, functions: readonly FunctionDeclaration[]): void {
  const known = functions.map((declaration) => declaration.name.text);
  if (known.includes(name.text)) return;
  const values = { name: name.text, nearest: nearest(name.text, known), known };
  checker.report(diagnose(messages.unknownEntryPoint, name.span, values));
}

/** Follows `after` from every stage; each cycle is reported once, at the stage of it that stands first. */
function reportCycles(checker: Checker, stages: readonly Stage[]): void {
  const after = new Map<string, Name>();
  for (const stage of stages.filter(leavesState)) {
    const entry = stage.entries.find((candidate) => candidate.key.text === "after");
    const name = entry === undefined ? undefined : asName(entry.value);
    if (name !== undefined) after.set(stage.name.text, name);
  }
  const done = new Set<string>();
  for (const start of after.keys()) {
    const path: string[] = [];
    let at: string | undefined = start;
    while (at !== undefined && !done.has(at) && !path.includes(at)) {
      path.push(at);
      at = after.get(at)?.text;
    }
    if (at !== undefined && path.includes(at)) {
      const cycle = [...path.slice(path.indexOf(at)), at];
      checker.report(diagnose(messages.stageCycle, after.get(at)!.span, { cycle }));
    }
    for (const name of path) done.add(name);
  }
}
