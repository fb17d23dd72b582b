import type { Program } from "../../codegen/program.js";
import type { Executable } from "../../runtime/device.js";
import { digestText } from "../../runtime/tensors/digest.js";
import { statesInOrder, type TrainingPrograms } from "../../runtime/training/programs.js";
import { parameterLayout } from "../build/parameter-layout.js";
import type { Purpose } from "../compile.js";
import { updatedPaths } from "../compile.js";
import { optimizerStates } from "../optimizers/states.js";
import type { OpenDevice } from "./devices.js";
import type { Compiled } from "./load.js";
import { cachedProgram } from "./program-cache.js";

/** What training needs of the compiler and of one device, for one model. */
export function trainingPrograms(compiled: Compiled, { device, target }: OpenDevice): TrainingPrograms {
  const { model, sources } = compiled;
  const layout = parameterLayout(model.parameters);
  const known = new Map<string, Promise<Program>>();
  const load = async (entry: string, purpose: Purpose, batch: number): Promise<Executable> => {
    const key = JSON.stringify([entry, purpose, batch]);
    const program = known.get(key) ?? cachedProgram(model, sources, entry, { purpose, batch, target });
    known.set(key, program);
    return device.load(await program);
  };
  return {
    layout,
    identity: {
      source: digestText(JSON.stringify([...sources.values()])),
      schedules: digestText(""),
      threads: target.threads,
    },
    parameters: () => device.parameters(layout),
    step: (stage) => load(stage.on, { kind: "train", stage }, stage.batch),
    accumulate: (stage) => load(stage.on, { kind: "accumulate", stage }, stage.batch),
    states: (stage) => statesInOrder(optimizerStates(stage.optimizer, stage.ema), layout, updatedPaths(model, stage)),
    evaluate: (entry, batch) => load(entry, { kind: "forward" }, batch),
  };
}
