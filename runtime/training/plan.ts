import type { Model, ParameterSpec, Stage, TrainingStage } from "../../src/build/model.js";
import { isBelow } from "../../src/build/parameter-layout.js";
import { stageOrder, stagesBefore, stagesOf } from "../../src/build/stage-order.js";
import { TrainingError } from "./errors.js";

/** The stage and all that it comes after, first things first. Throws TrainingError for unknown names and circles. */
export function stageChain(model: Model, name: string): Stage[] {
  const chain: Stage[] = [];
  for (let next: string | undefined = name; next !== undefined; ) {
    const stage = stagesOf(model).find((candidate) => candidate.name === next);
    if (stage === undefined) {
      const known = stagesOf(model)
        .map((candidate) => candidate.name)
        .join(", ");
      throw new TrainingError(
        `Model ${model.name} has no training stage "${next}"`,
        known === "" ? "write one: train NAME on FUNCTION { .. }" : `its stages are ${known}`,
      );
    }
    if (chain.includes(stage))
      throw new TrainingError(
        `Stage "${stage.name}" comes after itself, through ${chain.map((other) => other.name).join(", ")}`,
      );
    chain.push(stage);
    next = stage.after;
  }
  return chain.reverse();
}

/** Some stages and all whose results they need, first things first. Throws TrainingError for unknown names and circles. */
export function requiredStages(model: Model, names: readonly string[]): readonly Stage[] {
  for (const name of names) stageChain(model, name);
  const found = stageOrder(model, names);
  if ("circle" in found) {
    const [first, ...others] = found.circle;
    const needs = others.map((name) => `"${name}" left`).join(", which needs what ");
    throw new TrainingError(`Stage "${first}" needs what ${needs}`);
  }
  for (const stage of found.order) for (const before of stagesBefore(model, stage)) stageChain(model, before);
  return found.order;
}

/** The parameters that a stage changes, in the model's order. Throws TrainingError when one of its paths has none. */
export function updatedParameters(model: Model, stage: Stage): ParameterSpec[] {
  if (stage.kind === "collect") {
    const into = model.parameters.filter(({ path }) => path === stage.into);
    if (into.length === 0)
      throw new TrainingError(`Stage "${stage.name}" stores into "${stage.into}", but no parameter stands there`);
    return into;
  }
  for (const top of stage.update) {
    const found = model.parameters.filter(({ path }) => isBelow(path, [top]));
    if (found.length === 0)
      throw new TrainingError(`Stage "${stage.name}" updates "${top}", but no parameter stands there`);
    if (found.every(({ storage }) => storage === "frozen")) {
      throw new TrainingError(`Stage "${stage.name}" updates "${top}", but all that stands there is frozen`);
    }
  }
  return model.parameters.filter(({ path, storage }) => storage === "param" && isBelow(path, stage.update));
}

/** All that decides a stage's result, as names and values that can be shown. */
export type StageIdentity = Readonly<Record<string, string>>;

/** What a stage starts from. */
export interface StageOrigin {
  readonly seed: number;
  /** Digests of the results that it needs, by the stages' names. */
  readonly results: Readonly<Record<string, string>>;
  /** Digest of weights from outside. */
  readonly weights?: string;
  /** Rows of each data source after filtering. */
  readonly rows: Readonly<Record<string, number>>;
}

/** Two runs of a stage with equal identities, on equal machines with equally many threads, end with equal bytes. */
export function stageIdentity(model: Model, stage: Stage, origin: StageOrigin): StageIdentity {
  const identity: Record<string, string> = { model: model.name, stage: stage.name, seed: String(origin.seed) };
  for (const [name, value] of Object.entries(model.settings)) identity[`setting ${name}`] = String(value);
  if (stage.kind === "train") describeTraining(stage, identity);
  else {
    identity["mean of"] = stage.mean;
    identity.into = stage.into;
    identity.batch = String(stage.batch);
  }
  for (const { name, weight } of stage.data) identity[`data ${name}`] = `weight ${weight}, ${origin.rows[name]} rows`;
  for (const { column, values } of stage.where) identity[`where ${column}`] = values.join(", ");
  if (stage.after === undefined) identity["result of no stage"] = "none";
  for (const [name, digest] of Object.entries(origin.results)) identity[`result of ${name}`] = digest;
  identity["weights from outside"] = origin.weights ?? "none";
  return identity;
}

function describeTraining(stage: TrainingStage, identity: Record<string, string>): void {
  identity["entry point"] = stage.on;
  identity.update = stage.update.join(", ");
  for (const [name, value] of Object.entries(stage.optimizer)) identity[`optimizer ${name}`] = String(value);
  for (const [name, value] of Object.entries(stage.schedule)) identity[`learning rate ${name}`] = String(value);
  identity.clip = String(stage.clip ?? "none");
  identity.batch = String(stage.batch);
  identity.accumulate = String(stage.accumulate);
  identity.steps = String(stage.steps);
  identity.ema = String(stage.ema ?? "none");
}

/** What differs between a recorded identity and the present one, one line each. */
export function identityDifferences(recorded: StageIdentity, present: StageIdentity): string[] {
  const names = new Set([...Object.keys(present), ...Object.keys(recorded)]);
  return [...names]
    .filter((name) => recorded[name] !== present[name])
    .map((name) => `${name}: was ${recorded[name] ?? "absent"}, is now ${present[name] ?? "absent"}`);
}

/** What of an identity must agree when a finished stage is only used: not how it was trained, but what its numbers belong to. */
export function identityOfUse(identity: StageIdentity): StageIdentity {
  return Object.fromEntries(
    Object.entries(identity).filter(([name]) => /^(model$|setting |result of |weights from outside$)/.test(name)),
  );
}
