import type { CollectingStage } from "../../src/build/model.js";
import type { Executable } from "../device.js";
import type { Tensor } from "../tensors/tensor.js";
import { checkpointPath, isCheckpointDue, loadCheckpoint, saveCheckpoint, saveFinal } from "./checkpoint.js";
import { TrainingError } from "./errors.js";
import { evaluate } from "./evaluate.js";
import { openMetrics } from "./metrics.js";
import type { Outcome } from "./options.js";
import { piecesOf, runPieces } from "./pieces.js";
import type { Prepared } from "./prepare.js";
import type { StageRun } from "./run-stage.js";
import { addRows, meanOf, sumsFromTensors, sumsToTensors, zeroSums } from "./sums.js";

export type CollectionRun = Omit<StageRun, "prepared"> & { readonly prepared: Prepared<CollectingStage> };

/** Collects the mean of an entry point over all rows of its data, from the stage's last checkpoint on or from its start. Its steps are batches. */
export async function runCollection(run: CollectionRun): Promise<Outcome> {
  const { options, set } = run;
  const { stage } = run.prepared;
  const executable = await options.programs.evaluate(stage.mean, stage.batch);
  try {
    executable.bind(set);
    await run.restart();
    return await collect(run, executable);
  } finally {
    executable.free();
  }
}

async function collect(run: CollectionRun, executable: Executable): Promise<Outcome> {
  const { options, files, set, report } = run;
  const { host, signal } = options;
  const { stage, parts, binding } = run.prepared;
  const into = files.updated[0]!;
  const checkpoint = await loadCheckpoint(host, files, run.warn);
  const sums = checkpoint === undefined ? zeroSums(into, parts.length) : sumsFromTensors(into, checkpoint.optimizer);
  const first = checkpoint?.step ?? 0;
  const secondsBefore = checkpoint?.seconds ?? 0;
  const pieces = piecesOf(parts, stage.batch);
  const steps = pieces.length;
  const started = host.now();
  report({ kind: "stage", stage: stage.name, step: first, steps });

  let done = first;
  let savedAt = started;
  let examples = 0;
  const mean = (): ReadonlyMap<string, Tensor> =>
    new Map([[into.path, { dtype: "f32", shape: into.shape, data: meanOf(sums, parts) }]]);
  const save = async (): Promise<void> => {
    savedAt = host.now();
    const seconds = secondsBefore + savedAt - started;
    const state = { step: done, seconds, parameters: mean(), optimizer: sumsToTensors(into, sums) };
    report({ kind: "checkpoint", stage: stage.name, step: done, file: await saveCheckpoint(host, files, state) });
  };
  const [output] = executable.program.outputs;
  await runPieces(
    {
      executable,
      binding,
      pieces,
      batch: stage.batch,
      seed: options.seed,
      outputs: [output!.name],
      signal,
      async take({ rows }, values, place) {
        addRows(sums[rows[0]!.source]!, values[output!.name]!, rows.length);
        done = place + 1;
        examples += rows.length;
        const seconds = Math.max(host.now() - started, 1e-9);
        const secondsLeft = (seconds / (done - first)) * (steps - done);
        const examplesPerSecond = examples / seconds;
        report({ kind: "collected", stage: stage.name, step: done, steps, examplesPerSecond, secondsLeft });
        if (done < steps && isCheckpointDue(options, done, savedAt)) await save();
      },
    },
    first,
  );
  if (done < steps) {
    await save();
    const file = checkpointPath(files.folder, done);
    report({ kind: "stopped", stage: stage.name, step: done, steps, file });
    return { finished: false, step: done, file, evaluations: {} };
  }
  const result = mean();
  const { data } = result.get(into.path)!;
  if (!data.every(Number.isFinite))
    throw new TrainingError(`Stage "${stage.name}" gives numbers that are not finite: the mean of ${stage.mean}`);
  await set.write(into.path, data);
  const evaluations = await measure(run, steps);
  const file = await saveFinal(host, files, result);
  const seconds = secondsBefore + host.now() - started;
  report({ kind: "finished", stage: stage.name, steps, seconds, file });
  return { finished: true, step: steps, file, evaluations };
}

/** Runs the evaluations that come after the stage on what it leaves. */
async function measure(
  { options, prepared, files, set, report }: CollectionRun,
  step: number,
): Promise<Outcome["evaluations"]> {
  const results: Record<string, Readonly<Record<string, number>>> = {};
  if (prepared.evaluations.length === 0) return results;
  const metrics = await openMetrics(options.host, files.folder, 0);
  for (const { spec, binding, parts } of prepared.evaluations) {
    const executable = await options.programs.evaluate(spec.on, spec.batch);
    try {
      executable.bind(set);
      const values = await evaluate(executable, binding, parts, spec.batch);
      results[spec.name] = values;
      metrics.write({ step, evaluation: spec.name, values });
      report({ kind: "evaluation", stage: prepared.stage.name, step, evaluation: spec.name, values });
    } finally {
      executable.free();
    }
  }
  await metrics.flush();
  return results;
}
