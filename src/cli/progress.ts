import { Presets, SingleBar } from "cli-progress";
import type { TrainingEvent, TrainingReport } from "../../runtime/training/events.js";

/** Where progress is shown: `process.stderr`, or a stream of a test. */
export type ProgressStream = NodeJS.WritableStream & { readonly isTTY?: boolean };

/** Seconds between two lines where there is no terminal to draw a bar in. */
const secondsBetweenLines = 10;

export interface Progress {
  readonly report: TrainingReport;
  /** Takes a bar away; to be called when the run is over, however it ended. */
  close(): void;
}

/** Shows a training run: a bar per stage in a terminal, now and then a plain line elsewhere. */
export function showProgress(
  stream: ProgressStream = process.stderr,
  now = (): number => performance.now() / 1000,
): Progress {
  return stream.isTTY === true ? asBar(stream) : { report: lineReport(stream, now), close() {} };
}

function asBar(stream: ProgressStream): Progress {
  let bar: SingleBar | undefined;
  const close = (): void => {
    bar?.stop();
    bar = undefined;
  };
  const draw = (stage: string, step: number, steps: number, status: string): void => {
    if (bar === undefined) {
      // The run has its own answer to interrupts; and what is printed between two bars takes the place of the first.
      const options = { stream, hideCursor: true, barsize: 24, clearOnComplete: true, gracefulExit: false };
      bar = new SingleBar({ ...options, format: "{stage} {bar} {value}/{total}  {status}" }, Presets.rect);
      bar.start(steps, step, { stage, status });
    } else {
      bar.update(step, { stage, status });
    }
  };
  return {
    close,
    report(event) {
      switch (event.kind) {
        case "stage":
          draw(event.stage, event.step, event.steps, "");
          return;
        case "step":
          draw(event.stage, event.step, event.steps, `loss ${shownNumber(event.loss)}  ${pace(event)}`);
          return;
        case "collected":
          draw(event.stage, event.step, event.steps, pace(event));
          return;
        case "checkpoint":
          return;
        case "reused":
        case "evaluation":
        case "finished":
        case "stopped":
        case "warning":
          close();
          stream.write(`${describe(event)}\n`);
          return;
      }
    },
  };
}

function lineReport(stream: ProgressStream, now: () => number): TrainingReport {
  let last = Number.NEGATIVE_INFINITY;
  return (event) => {
    const isStep = event.kind === "step" || event.kind === "collected";
    if (isStep && event.step < event.steps && now() - last < secondsBetweenLines) return;
    if (isStep) last = now();
    stream.write(`${describe(event)}\n`);
  };
}

/** An event as one line. */
export function describe(event: TrainingEvent): string {
  switch (event.kind) {
    case "stage":
      return event.step === 0
        ? `${event.stage}: ${event.steps} steps`
        : `${event.stage}: goes on after step ${event.step} of ${event.steps}`;
    case "reused":
      return `${event.stage}: already trained (${event.file})`;
    case "step":
      return `${event.stage}: step ${event.step}/${event.steps}  loss ${shownNumber(event.loss)}  ${pace(event)}`;
    case "collected":
      return `${event.stage}: batch ${event.step}/${event.steps}  ${pace(event)}`;
    case "evaluation": {
      const values = Object.entries(event.values).map(([name, value]) => `${name} ${shownNumber(value)}`);
      return `${event.stage}: ${event.evaluation} after step ${event.step}: ${values.join(", ")}`;
    }
    case "checkpoint":
      return `${event.stage}: saved ${event.file}`;
    case "finished":
      return `${event.stage}: trained in ${duration(event.seconds)} (${event.file})`;
    case "stopped":
      return `${event.stage}: stopped after step ${event.step} of ${event.steps} (${event.file})`;
    case "warning":
      return `warning: ${event.text}`;
  }
}

function shownNumber(value: number): string {
  return Math.abs(value) >= 1e-3 && Math.abs(value) < 1e4 ? value.toFixed(4) : value.toExponential(3);
}

function pace(event: Extract<TrainingEvent, { kind: "step" | "collected" }>): string {
  return `${event.examplesPerSecond.toFixed(0)} examples/s  ${duration(event.secondsLeft)} left`;
}

/** "3 h 05 min", "4 min 10 s", "12 s" */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  const padded = (value: number): string => String(value).padStart(2, "0");
  if (whole >= 3600) return `${Math.floor(whole / 3600)} h ${padded(Math.floor((whole % 3600) / 60))} min`;
  if (whole >= 60) return `${Math.floor(whole / 60)} min ${padded(whole % 60)} s`;
  return `${whole} s`;
}
