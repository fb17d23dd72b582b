/** What a training run tells whoever started it, as it happens. */
export type TrainingEvent =
  | {
      readonly kind: "stage";
      readonly stage: string;
      /** Steps already done; above 0 when the stage goes on from a checkpoint. */
      readonly step: number;
      readonly steps: number;
    }
  /** The stage was finished by an earlier run. */
  | { readonly kind: "reused"; readonly stage: string; readonly file: string }
  | {
      readonly kind: "step";
      readonly stage: string;
      readonly step: number;
      readonly steps: number;
      readonly loss: number;
      readonly gradientNorm: number;
      readonly learningRate: number;
      readonly examplesPerSecond: number;
      /** Until the stage's last step, going by the pace of this run. */
      readonly secondsLeft: number;
    }
  /** Batches of a stage that collects a mean. */
  | {
      readonly kind: "collected";
      readonly stage: string;
      readonly step: number;
      readonly steps: number;
      readonly examplesPerSecond: number;
      readonly secondsLeft: number;
    }
  | {
      readonly kind: "evaluation";
      readonly stage: string;
      readonly step: number;
      readonly evaluation: string;
      readonly values: Readonly<Record<string, number>>;
    }
  | { readonly kind: "checkpoint"; readonly stage: string; readonly step: number; readonly file: string }
  | {
      readonly kind: "finished";
      readonly stage: string;
      readonly steps: number;
      readonly seconds: number;
      readonly file: string;
    }
  | {
      readonly kind: "stopped";
      readonly stage: string;
      readonly step: number;
      readonly steps: number;
      readonly file: string;
    }
  | { readonly kind: "warning"; readonly text: string };

export type TrainingReport = (event: TrainingEvent) => void;
