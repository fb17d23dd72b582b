/** How much is spent. Both budgets run the same code on the same model. */

export interface Budget {
  readonly name: "full" | "short";
  readonly seeds: readonly number[];
  readonly objectives: readonly Objective[];
  /** Steps of pretraining, and of every variant. */
  readonly pretrain: number;
  readonly steps: number;
  /** Whether every variant is trained at three learning rates on the first seed; else the middle one is taken. */
  readonly sweep: boolean;
  /** Held-out pictures at most; each stands with every task. */
  readonly pictures: number;
}

export type Objective = "flow" | "direct";

export const budgets: Readonly<Record<Budget["name"], Budget>> = {
  full: {
    name: "full",
    seeds: [1, 2, 3],
    objectives: ["direct", "flow"],
    pretrain: 2000,
    steps: 1500,
    sweep: true,
    pictures: 150,
  },
  short: { name: "short", seeds: [1], objectives: ["direct"], pretrain: 800, steps: 500, sweep: false, pictures: 40 },
};
