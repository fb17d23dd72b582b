/** What is compared. Every trained variant is a stage of conflict-edit.weft with its own entry points. */

export interface TrainedVariant {
  readonly name: "single" | "shared" | "wide" | "sft" | "full";
  readonly title: string;
  /** The `sample` block that edits a picture. */
  readonly edit: string;
  /** Learning rates of the sweep; the one with the smallest validation error is used. */
  readonly learningRates: readonly [number, number, number];
}

export const trainedVariants: readonly TrainedVariant[] = [
  { name: "single", title: "Single, one operator per task", edit: "single_edit", learningRates: [3e-3, 1e-2, 3e-2] },
  { name: "shared", title: "Shared, same rank", edit: "shared_edit", learningRates: [3e-3, 1e-2, 3e-2] },
  { name: "wide", title: "Shared, matched parameters", edit: "wide_edit", learningRates: [3e-4, 1e-3, 3e-3] },
  { name: "sft", title: "Fine-tuning", edit: "base_edit", learningRates: [2e-3, 4e-3, 8e-3] },
  { name: "full", title: "Generated per instance", edit: "full_edit", learningRates: [5e-4, 1e-3, 2e-3] },
];

export type VariantName = "copy" | "base" | TrainedVariant["name"] | "average" | "shuffle" | "shuffle_within_task";

/** The rows of the table, in order. */
export const tableOrder: readonly { readonly name: VariantName; readonly title: string }[] = [
  { name: "copy", title: "Copy of the input" },
  { name: "base", title: "Base" },
  ...trainedVariants.map(({ name, title }) => ({ name, title })),
  { name: "average", title: "Average of the generated operators" },
  { name: "shuffle", title: "Generated, shuffled across instances" },
  { name: "shuffle_within_task", title: "Generated, shuffled within each task" },
];
