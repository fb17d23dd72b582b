/** Rotations and reflections of inputs, and turns of outputs. */
import { sameShape } from "../../../../src/graph/shape.js";
import type { Matrix } from "../matrices.js";
import * as matrices from "../matrices.js";
import {
  asTheyAre,
  factorCodes,
  inOf,
  isMatrix,
  mapped,
  matrixOf,
  noScale,
  numbersOf,
  outOf,
  type PeftForm,
  plain,
} from "./form.js";

/** Skew-symmetric matrices from what stands above the diagonal, row by row. */
function skew(above: Float64Array, size: number): Matrix {
  const place = (row: number, column: number) => row * size - (row * (row + 1)) / 2 + column - row - 1;
  return matrices.matrix(size, size, (row, column) => {
    if (row === column) return 0;
    return row < column ? above[place(row, column)]! : -above[place(column, row)]!;
  });
}

/** The block that has this many numbers above its diagonal. */
const blockOf = (above: number): number => Math.round((1 + Math.sqrt(1 + 8 * above)) / 2);

export const oft: PeftForm = {
  ...plain,
  type: "OFT",
  means: "W R with rotations R of blocks by Cayley's formula",
  slots: ["Q"],
  fits: (shape, weight) => {
    const [blocks, above] = shape("Q");
    const size = blockOf(above ?? 0);
    return (
      isMatrix(weight) &&
      shape("Q").length === 2 &&
      (size * (size - 1)) / 2 === above &&
      blocks! * size === inOf(weight)
    );
  },
  ...asTheyAre({ Q: "oft_R.weight" }),
  change: (tensors, { weight, bias }) => {
    const { shape, data } = tensors("oft_R.weight");
    const [blocks, above] = shape as [number, number];
    const size = blockOf(above);
    const w = matrixOf(weight);
    const turned = Array.from({ length: blocks }, (_, block) => {
      const q = skew(data.subarray(block * above, (block + 1) * above), size);
      const [minus, plus] = [-1, 1].map((sign) => matrices.add(matrices.identity(size), matrices.scale(q, sign)));
      const r = matrices.multiply(minus!, matrices.inverse(plus!));
      // Rows of inputs times R, so the weight takes its transpose.
      const part = matrices.matrix(w.rows, size, (row, column) => matrices.entry(w, row, block * size + column));
      return matrices.multiply(part, matrices.transpose(r));
    });
    const changed = matrices.matrix(w.rows, w.columns, (row, column) =>
      matrices.entry(turned[Math.floor(column / size)]!, row, column % size),
    );
    return { weight: numbersOf(changed), bias };
  },
  scale: noScale,
  settings: (tensors) => ({ oft_block_size: blockOf(tensors("oft_R.weight").shape[1]!) }),
  constants: {
    r: 0,
    bias: "none",
    fan_in_fan_out: false,
    coft: false,
    block_share: false,
    use_cayley_neumann: false,
  },
  neutral: { module_dropout: 0, init_weights: true },
};

/** Vectors of reflections as PEFT keeps them, in columns; in slots they stand in rows, alone or in pairs as the first and the step to the second. */
const hraOf = (
  variant: string,
  slots: readonly string[],
  fits: PeftForm["fits"],
  code: Pick<PeftForm, "encode" | "decode">,
): PeftForm => ({
  ...plain,
  type: "HRA",
  variant,
  means: "W H_1 .. H_r with reflections H",
  slots,
  fits,
  ...code,
  change: (tensors, { weight, bias }) => {
    const u = matrices.transpose(matrixOf(tensors("hra_u")));
    let changed = matrixOf(weight);
    for (let index = 0; index < u.rows; index++) {
      const vector = { rows: 1, columns: u.columns, data: u.data.subarray(index * u.columns, (index + 1) * u.columns) };
      const squared = matrices.multiply(vector, matrices.transpose(vector)).data[0]!;
      const along = matrices.multiply(changed, matrices.transpose(vector));
      changed = matrices.add(changed, matrices.scale(matrices.multiply(along, vector), -2 / squared));
    }
    return { weight: numbersOf(changed), bias };
  },
  scale: noScale,
  settings: (tensors) => ({ r: tensors("hra_u").shape[1]! }),
  constants: { apply_GS: false, bias: "none" },
  neutral: { init_weights: true },
});

export const hras: readonly PeftForm[] = [
  hraOf(
    "pairs",
    ["first", "apart"],
    (shape, weight) =>
      isMatrix(weight) &&
      sameShape(shape("first"), [shape("first")[0]!, inOf(weight)]) &&
      sameShape(shape("apart"), shape("first")),
    {
      encode: (roles) => {
        const [first, apart] = [matrixOf(roles("first")), matrixOf(roles("apart"))];
        const u = matrices.matrix(first.columns, 2 * first.rows, (row, column) => {
          const pair = Math.floor(column / 2);
          return matrices.entry(first, pair, row) + (column % 2) * matrices.entry(apart, pair, row);
        });
        return { hra_u: numbersOf(u) };
      },
      decode: (tensors) => {
        const u = matrixOf(tensors("hra_u"));
        const part = (of: (pair: number, column: number) => number) =>
          numbersOf(matrices.matrix(u.columns / 2, u.rows, of));
        return {
          first: part((pair, column) => matrices.entry(u, column, 2 * pair)),
          apart: part((pair, column) => matrices.entry(u, column, 2 * pair + 1) - matrices.entry(u, column, 2 * pair)),
        };
      },
    },
  ),
  hraOf(
    "vectors",
    ["v"],
    (shape, weight) => isMatrix(weight) && sameShape(shape("v"), [shape("v")[0]!, inOf(weight)]),
    {
      encode: (roles) => ({ hra_u: numbersOf(matrices.transpose(matrixOf(roles("v")))) }),
      decode: (tensors) => ({ v: numbersOf(matrices.transpose(matrixOf(tensors("hra_u")))) }),
    },
  ),
];

export const roads: readonly PeftForm[] = factorCodes.map(
  ({ variant, of, back }): PeftForm => ({
    ...plain,
    type: "ROAD",
    variant,
    means: "turns and scales of neighbouring pairs of W x + b",
    slots: ["angle", "scale"],
    fits: (shape, weight) => {
      const half = [outOf(weight) / 2];
      return isMatrix(weight) && sameShape(shape("angle"), half) && sameShape(shape("scale"), half);
    },
    encode: (roles) => ({ road_theta: roles("angle"), road_alpha: mapped(roles("scale"), of) }),
    decode: (tensors) => ({ angle: tensors("road_theta"), scale: mapped(tensors("road_alpha"), back) }),
    change: (tensors, { weight, bias }) => {
      const [theta, alpha] = [tensors("road_theta").data, tensors("road_alpha").data];
      const turned = (row: number, at: (row: number) => number) => {
        const pair = Math.floor(row / 2);
        const [c, s] = [alpha[pair]! * Math.cos(theta[pair]!), alpha[pair]! * Math.sin(theta[pair]!)];
        return row % 2 === 0 ? c * at(row) - s * at(row + 1) : c * at(row) + s * at(row - 1);
      };
      const w = matrixOf(weight);
      const changed = matrices.matrix(w.rows, w.columns, (row, column) =>
        turned(row, (other) => matrices.entry(w, other, column)),
      );
      return { weight: numbersOf(changed), bias: bias.map((_, row) => turned(row, (other) => bias[other]!)) };
    },
    scale: noScale,
    settings: () => ({}),
    constants: { variant: "road_1", group_size: 2 },
    neutral: { init_weights: true },
  }),
);
