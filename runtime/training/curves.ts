import type { Host } from "../../dsl/host.js";

/** One optimiser step as it is recorded. */
export interface StepMetrics {
  /** Steps done, this one included. */
  readonly step: number;
  readonly loss: number;
  readonly gradient_norm: number;
  readonly learning_rate: number;
  /** Spent on training so far, over all sessions. */
  readonly seconds: number;
  readonly examples_per_second: number;
}

/** Results of an evaluation after `step` steps: per output of the entry point the mean over its data. */
export interface EvaluationMetrics {
  readonly step: number;
  readonly evaluation: string;
  readonly values: Readonly<Record<string, number>>;
}

export type MetricsLine = StepMetrics | EvaluationMetrics;

export interface Curves {
  readonly steps: readonly StepMetrics[];
  readonly evaluations: readonly EvaluationMetrics[];
}

export function metricsPath(folder: string): string {
  return `${folder}/metrics.jsonl`;
}

/** The recorded course of a stage; `folder` is `runs/NAME/STAGE`. Empty when there is none; lines that a crash tore are left out. */
export async function readCurves(host: Host, folder: string): Promise<Curves> {
  const lines = await readMetrics(host, folder);
  return {
    steps: lines.filter((line): line is StepMetrics => "loss" in line),
    evaluations: lines.filter((line): line is EvaluationMetrics => "evaluation" in line),
  };
}

/** All whole lines, in order. */
export async function readMetrics(host: Host, folder: string): Promise<MetricsLine[]> {
  const path = metricsPath(folder);
  if (!(await host.exists(path))) return [];
  return (await host.readText(path)).split("\n").flatMap((line) => parseLine(line) ?? []);
}

function parseLine(line: string): MetricsLine | undefined {
  try {
    // JSON has no way to write a value that is not finite; it stands there as null.
    const parsed: unknown = JSON.parse(line, (_, value) => (value === null ? Number.NaN : value));
    const whole =
      typeof parsed === "object" &&
      parsed !== null &&
      "step" in parsed &&
      typeof parsed.step === "number" &&
      ("loss" in parsed || "evaluation" in parsed);
    return whole ? (parsed as MetricsLine) : undefined;
  } catch {
    return undefined;
  }
}
