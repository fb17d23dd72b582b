/** Changes that repeat along the weight. */
import type { Numbers } from "../../site-changes.js";
import * as matrices from "../matrices.js";
import { added, asTheyAre, inOf, isMatrix, matrixOf, outOf, type PeftForm, plain } from "./form.js";

export const miss: PeftForm = {
  ...plain,
  type: "MISS",
  means: "W + D^T, repeated along the inputs",
  slots: ["D"],
  fits: (shape, weight) => {
    const [r, rows] = shape("D");
    return isMatrix(weight) && shape("D").length === 2 && rows === outOf(weight) && inOf(weight) % r! === 0;
  },
  ...asTheyAre({ D: "miss_block" }),
  change: added((tensors, { weight }) => {
    const block = matrixOf(tensors("miss_block"));
    return matrices.matrix(weight.shape[0]!, weight.shape[1]!, (row, column) =>
      matrices.entry(block, column % block.rows, row),
    );
  }),
  scale: { kind: "tensor", key: "miss_block" },
  settings: (tensors) => ({ r: tensors("miss_block").shape[0]! }),
  constants: { bias: "none", init_weights: true },
  neutral: { miss_dropout: 0, mini_r: 1 },
};

/** PEFT's blocks have kernel[(q - p) mod block] at p, q; slots may hold them the other way round. */
export const c3as: readonly PeftForm[] = ["forwards", "backwards"].map((variant): PeftForm => {
  const turned = ({ shape, data }: Numbers): Numbers => {
    const block = shape[2]!;
    const from = (place: number) => place - (place % block) + ((block - (place % block)) % block);
    return variant === "forwards" ? { shape, data } : { shape, data: data.map((_, place) => data[from(place)]!) };
  };
  return {
    ...plain,
    type: "C3A",
    variant,
    means: "W + s C with circulant blocks",
    slots: ["K"],
    fits: (shape, weight) => {
      const [rows, columns, block] = shape("K");
      const covers = rows! * block! === outOf(weight) && columns! * block! === inOf(weight);
      return isMatrix(weight) && shape("K").length === 3 && covers;
    },
    encode: (roles) => ({ c3a_kernel: turned(roles("K")) }),
    decode: (tensors) => ({ K: turned(tensors("c3a_kernel")) }),
    change: added((tensors, { weight }) => {
      const { shape, data } = tensors("c3a_kernel");
      const [, across, block] = shape as [number, number, number];
      const columns = weight.shape[1]!;
      return matrices.matrix(weight.shape[0]!, columns, (row, column) => {
        const [i, j] = [Math.floor(row / block), Math.floor(column / block)];
        const turn = (((column - row) % block) + block) % block;
        return data[(i * across + j) * block + turn]! / columns;
      });
    }),
    scale: { kind: "tensor", key: "c3a_kernel" },
    settings: (tensors) => ({ block_size: tensors("c3a_kernel").shape[2]! }),
    constants: { bias: "none" },
    neutral: { block_size_pattern: {}, init_weights: "xavier_uniform" },
  };
});
