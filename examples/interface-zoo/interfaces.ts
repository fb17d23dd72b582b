/** What is compared: interfaces in the size that comes nearest to the budget without passing it. */

/** Numbers generated for one instance: those of LoRA with rank 2 at the four maps of the picture's stream in each of four blocks. */
export const budget = 8192;

export interface ComparedInterface {
  /** As in the table, and as asked for with `--interfaces`. */
  readonly name: string;
  /** As the setting `change` of interface-zoo.weft. */
  readonly applied: string;
  /** The next size, which passes the budget; absent where there are no sizes. */
  readonly larger?: string;
  /** The setting `sites` of interface-zoo.weft. */
  readonly sites: "maps" | "outputs" | "blocks";
}

/**
 * Where an interface has a number that scales its change, it is set so that a change of a slot by one changes what a map gives by about as much
 * as it gave, as with LoRA: one learning rate serves all.
 */
export const comparedInterfaces: readonly ComparedInterface[] = [
  {
    name: "LoRA",
    applied: "LoRA(rank: 2, alpha: 2.0, std: 0.1)",
    larger: "LoRA(rank: 3)",
    sites: "maps",
  },
  {
    name: "DoRA",
    applied: "DoRA(rank: 1, alpha: 1.0, std: 0.1)",
    larger: "DoRA(rank: 2)",
    sites: "maps",
  },
  { name: "HiRA", applied: "HiRA(rank: 2, std: 1.0)", larger: "HiRA(rank: 3)", sites: "maps" },
  {
    name: "LoHa",
    applied: "LoHa(rank: 1, alpha: 0.5)",
    larger: "LoHa(rank: 2)",
    sites: "maps",
  },
  {
    name: "LoKr",
    applied: "LoKr(factor: 4, rank: 7, alpha: 7.0, std: 0.2)",
    larger: "LoKr(factor: 4, rank: 8)",
    sites: "maps",
  },
  { name: "VeRA", applied: "VeRA(rank: 368)", larger: "VeRA(rank: 369)", sites: "maps" },
  { name: "RandLoRA", applied: "RandLoRA(rank: 16)", larger: "RandLoRA(rank: 12)", sites: "maps" },
  {
    name: "FourierFT",
    applied: "FourierFT(count: 512, alpha: 50.0)",
    larger: "FourierFT(count: 513)",
    sites: "maps",
  },
  { name: "C3A", applied: "C3A(block: 32, scale: 0.1)", larger: "C3A(block: 16)", sites: "maps" },
  { name: "OFT", applied: "OFT(block: 8)", larger: "OFT(block: 16)", sites: "maps" },
  {
    name: "BOFT",
    applied: "BOFT(block: 4, factors: 3)",
    larger: "BOFT(block: 8, factors: 2)",
    sites: "maps",
  },
  { name: "HRA", applied: "HRA(rank: 4, std: 1.0)", larger: "HRA(rank: 6)", sites: "maps" },
  { name: "IA3", applied: "IA3", sites: "maps" },
  { name: "FiLM", applied: "FiLM", sites: "maps" },
  {
    name: "Adapter",
    applied: "Bottleneck(hidden: 7)",
    larger: "Bottleneck(hidden: 8)",
    sites: "outputs",
  },
  { name: "Prefix", applied: "JointPrefix(length: 16)", larger: "JointPrefix(length: 17)", sites: "blocks" },
];
