import type { OptimizerSpec, ScheduleSpec } from "../../src/build/model.js";

/**
 * Factor on the learning rate in `step` (from 0) of `steps`: rises linearly through `warmup` steps, whose first has 1 / warmup and last
 * 1; stays 1 until the fraction `from` of all steps is done; then falls, linearly or along half a cosine, so that it would be `final` in the
 * step after the last.
 */
export function scheduleFactor(schedule: ScheduleSpec, step: number, steps: number): number {
  if (step < schedule.warmup) return (step + 1) / schedule.warmup;
  const start = Math.max(schedule.warmup, schedule.from * steps);
  if (step <= start || start >= steps) return 1;
  const done = (step - start) / (steps - start);
  switch (schedule.kind) {
    case "constant":
      return 1;
    case "linear":
      return 1 + (schedule.final - 1) * done;
    case "cosine":
      return schedule.final + (1 - schedule.final) * 0.5 * (1 + Math.cos(Math.PI * done));
  }
}

/** The learning rate of a step, as the 32-bit float that the program is given. */
export function learningRate(optimizer: OptimizerSpec, schedule: ScheduleSpec, step: number, steps: number): number {
  return Math.fround(optimizer.learningRate * scheduleFactor(schedule, step, steps));
}
