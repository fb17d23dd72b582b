/**
 * The forms of PEFT (https://github.com/huggingface/peft, 0.21) that a change of a weight can have: their tensors, their settings, and what PEFT makes of
 * them, written out. An interface has a form if it does what the form does, whatever it and its slots are called.
 */
import { c3as, miss } from "./forms/blocks.js";
import type { PeftForm } from "./forms/form.js";
import { doras } from "./forms/lengths.js";
import { convolution, hira, loha, lokr, lora, vera } from "./forms/low-rank.js";
import { hras, oft, roads } from "./forms/rotations.js";
import { beft, ia3s } from "./forms/scales.js";

/** All forms; the first that an interface has is its own. */
export const peftForms: readonly PeftForm[] = [
  lora,
  convolution,
  ...doras,
  ...ia3s,
  loha,
  lokr,
  vera,
  miss,
  hira,
  oft,
  ...hras,
  ...roads,
  ...c3as,
  beft,
];

/** Why some changes that PEFT knows by name have no form here, by the names of interfaces of the standard library. */
export const peftDiffers: Readonly<Record<string, string>> = {
  FourierFT: "PEFT draws the places of its frequencies from a generator of its own, and its files do not hold them",
  BOFT: "PEFT's butterflies permute inputs otherwise",
  RandLoRA: "PEFT's RANDLORA scales and cuts its random bases otherwise",
  LoKr: "PEFT stores the second factor as a product only where the rank is below half of its larger size",
  GatedPrefix: "PEFT's ADAPTION_PROMPT has one gate for each layer, without tanh",
  Prefix: "PEFT's prefixes belong to a whole transformer, not to modules by path",
  PromptTokens: "PEFT's prompts stand before a whole transformer, not before modules by path",
  NormTuning: "PEFT's LN_TUNING stores whole norms, not changes of them",
};
