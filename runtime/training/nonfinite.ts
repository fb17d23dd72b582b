import { checkpointPath, loadCheckpoint } from "./checkpoint.js";
import { TrainingError } from "./errors.js";
import type { StagePrograms } from "./programs.js";
import type { StageRun } from "./run-stage.js";
import { writeStageState } from "./state.js";
import { type FinishedStep, stepParts } from "./steps.js";

/** A step whose loss or gradient is not finite. */
export class NonFiniteValue extends Error {
  override readonly name = "NonFiniteValue";
  constructor(readonly finished: FinishedStep) {
    super("not finite");
  }
}

/**
 * Finds where the first value that is not finite came from. By the time the host hears of it, the step's update, and the next step's, have
 * spoilt the parameters; so the state is taken back to the last checkpoint (or the start) and the steps up to this one run again.
 */
export async function explainNonFinite(
  run: StageRun,
  programs: StagePrograms,
  finished: FinishedStep,
): Promise<TrainingError> {
  const { options, files, set, prepared } = run;
  const { stage } = prepared;
  await run.restart();
  const checkpoint = await loadCheckpoint(options.host, files, run.warn);
  await writeStageState(set, programs.step, files.updated, files.states, checkpoint);
  const first = checkpoint?.step ?? 0;
  const feed = stepParts(prepared, programs, options.seed, first, finished.step + 1);
  let node: string | undefined;
  for (
    let index = first * stage.accumulate;
    index < (finished.step + 1) * stage.accumulate && node === undefined;
    index++
  ) {
    const part = await feed.next();
    if (part.step === finished.step) node = await part.executable.firstNonFinite(part.inputs, part.scalars);
    if (node === undefined) await part.executable.submit(part.inputs, part.scalars).done;
  }
  const what = Number.isFinite(finished.loss)
    ? `the gradient's norm is ${finished.gradientNorm}`
    : `the loss is ${finished.loss}`;
  const where = node === undefined ? "" : `; the first value that is not finite is in ${node}`;
  const good =
    checkpoint === undefined
      ? "there is no checkpoint before it"
      : `the last good checkpoint is ${checkpointPath(files.folder, checkpoint.step)}`;
  return new TrainingError(
    `Stage "${stage.name}" stopped in step ${finished.step + 1} of ${stage.steps}: ${what}${where}`,
    `${good}; a smaller learning rate, a longer warm-up or \`clip\` often cures this`,
  );
}
