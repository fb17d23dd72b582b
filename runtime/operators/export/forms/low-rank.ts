/** Changes by products of few columns with few rows. */
import { sameShape } from "../../../../src/graph/shape.js";
import * as matrices from "../matrices.js";
import { added, asTheyAre, inOf, isMatrix, matrixOf, outOf, type PeftForm, plain, product, reshaped } from "./form.js";

const loraConstants = { bias: "none", fan_in_fan_out: false };
const loraNeutral = { lora_dropout: 0, init_lora_weights: true, layers_pattern: null, layers_to_transform: null };
const loraUnread = [
  "alora_invocation_tokens",
  "kasa_config",
  "layer_replication",
  "lora_bias",
  "target_parameters",
  "trainable_token_indices",
  "use_bdlora",
  "use_qalora",
];
const loraPatterns = { r: "rank_pattern", lora_alpha: "alpha_pattern" };

export const lora: PeftForm = {
  ...plain,
  type: "LORA",
  means: "W + s B A",
  slots: ["A", "B"],
  fits: (shape, weight) => {
    const [r] = shape("A");
    return isMatrix(weight) && sameShape(shape("A"), [r!, inOf(weight)]) && sameShape(shape("B"), [outOf(weight), r!]);
  },
  ...asTheyAre({ A: "lora_A.weight", B: "lora_B.weight" }),
  change: added((tensors) => product(tensors, "lora_B.weight", "lora_A.weight")),
  scale: { kind: "setting", name: "lora_alpha" },
  settings: (tensors) => ({ r: tensors("lora_A.weight").shape[0]!, use_dora: false }),
  constants: loraConstants,
  neutral: loraNeutral,
  unread: loraUnread,
  absorbs: "B",
  patterns: loraPatterns,
};

/** A convolution to r channels, then one of 1 x 1. */
export const convolution: PeftForm = {
  ...lora,
  variant: "convolution",
  means: "W + s B A of a convolution",
  fits: (shape, weight) => {
    const [r] = shape("A");
    return (
      weight.length === 4 &&
      sameShape(shape("A"), [r!, ...weight.slice(1)]) &&
      sameShape(shape("B"), [outOf(weight), r!])
    );
  },
  encode: (roles) => {
    const { shape } = roles("B");
    return { "lora_A.weight": roles("A"), "lora_B.weight": reshaped(roles("B"), [...shape, 1, 1]) };
  },
  decode: (tensors) => {
    const b = tensors("lora_B.weight");
    return { A: tensors("lora_A.weight"), B: reshaped(b, b.shape.slice(0, 2)) };
  },
  change: (tensors, { weight, bias }, scale) => {
    const changed = added((given) => product(given, "lora_B.weight", "lora_A.weight"))(
      tensors,
      { weight, bias },
      scale,
    );
    return { weight: reshaped(changed.weight, weight.shape), bias };
  },
};

export const loha: PeftForm = {
  ...plain,
  type: "LOHA",
  means: "W + s (B1 A1) * (B2 A2)",
  slots: ["A1", "B1", "A2", "B2"],
  fits: (shape, weight) => {
    const [r] = shape("A1");
    const [a, b] = [
      [r!, inOf(weight)],
      [outOf(weight), r!],
    ];
    return isMatrix(weight) && ["1", "2"].every((n) => sameShape(shape(`A${n}`), a) && sameShape(shape(`B${n}`), b));
  },
  ...asTheyAre({ B1: "hada_w1_a", A1: "hada_w1_b", B2: "hada_w2_a", A2: "hada_w2_b" }),
  change: added((tensors) =>
    matrices.hadamard(product(tensors, "hada_w1_a", "hada_w1_b"), product(tensors, "hada_w2_a", "hada_w2_b")),
  ),
  scale: { kind: "setting", name: "alpha" },
  settings: (tensors) => ({ r: tensors("hada_w1_b").shape[0]! }),
  absorbs: "B2",
  constants: { use_effective_conv2d: false },
  neutral: { rank_dropout: 0, module_dropout: 0, init_weights: true },
  patterns: { r: "rank_pattern", alpha: "alpha_pattern" },
};

export const lokr: PeftForm = {
  ...plain,
  type: "LOKR",
  means: "W + s C (x) (B A)",
  slots: ["C", "A", "B"],
  fits: (shape, weight) => {
    const [factor, other] = shape("C");
    const [r, columns] = shape("A");
    const [rows] = shape("B");
    const covers = factor! * rows! === outOf(weight) && other! * columns! === inOf(weight);
    const ranks = sameShape(shape("A"), [r!, columns!]) && sameShape(shape("B"), [rows!, r!]);
    // From half the size of the second factor on, PEFT stores it whole.
    return (
      isMatrix(weight) &&
      shape("C").length === 2 &&
      factor === other &&
      covers &&
      ranks &&
      2 * r! < Math.max(rows!, columns!)
    );
  },
  ...asTheyAre({ C: "lokr_w1", B: "lokr_w2_a", A: "lokr_w2_b" }),
  change: added((tensors) =>
    matrices.kronecker(matrixOf(tensors("lokr_w1")), product(tensors, "lokr_w2_a", "lokr_w2_b")),
  ),
  scale: { kind: "setting", name: "alpha" },
  settings: (tensors) => ({ r: tensors("lokr_w2_b").shape[0]!, decompose_factor: tensors("lokr_w1").shape[0]! }),
  absorbs: "B",
  constants: { use_effective_conv2d: false, decompose_both: false },
  neutral: { rank_dropout: 0, module_dropout: 0, init_weights: true },
  patterns: { r: "rank_pattern", alpha: "alpha_pattern" },
};

export const vera: PeftForm = {
  ...plain,
  type: "VERA",
  means: "W + diag(b) B diag(d) A with fixed A and B",
  slots: ["d", "b"],
  stored: ["A", "B"],
  fits: (shape, weight) => {
    const [r] = shape("d");
    return (
      isMatrix(weight) &&
      sameShape(shape("d"), [r!]) &&
      sameShape(shape("b"), [outOf(weight)]) &&
      sameShape(shape("A"), [r!, inOf(weight)]) &&
      sameShape(shape("B"), [outOf(weight), r!])
    );
  },
  encode: (roles) => ({
    vera_lambda_d: roles("d"),
    vera_lambda_b: roles("b"),
    vera_A: roles("A"),
    vera_B: roles("B"),
  }),
  decode: (tensors) => ({ d: tensors("vera_lambda_d"), b: tensors("vera_lambda_b") }),
  change: added((tensors) => {
    const left = matrices.scaleRows(matrixOf(tensors("vera_B")), tensors("vera_lambda_b").data);
    return matrices.multiply(left, matrices.scaleRows(matrixOf(tensors("vera_A")), tensors("vera_lambda_d").data));
  }),
  scale: { kind: "tensor", key: "vera_lambda_b" },
  settings: (tensors) => ({ r: tensors("vera_lambda_d").shape[0]! }),
  constants: { save_projection: true, bias: "none", fan_in_fan_out: false },
  neutral: { projection_prng_key: 0, vera_dropout: 0, d_initial: 0.1, init_weights: true },
  whole: { vera_A: "base_model.vera_A", vera_B: "base_model.vera_B" },
  brings: { A: "vera_A", B: "vera_B" },
};

export const hira: PeftForm = {
  ...lora,
  type: "HIRA",
  means: "W + W * (B A)",
  ...asTheyAre({ A: "hira_A", B: "hira_B" }),
  change: added((tensors, { weight }) => matrices.hadamard(matrixOf(weight), product(tensors, "hira_B", "hira_A"))),
  scale: { kind: "tensor", key: "hira_B" },
  settings: (tensors) => ({ r: tensors("hira_A").shape[0]! }),
  constants: { fan_in_fan_out: false },
  neutral: { hira_dropout: 0, init_weights: true },
  unread: [],
  patterns: { r: "rank_pattern" },
};
