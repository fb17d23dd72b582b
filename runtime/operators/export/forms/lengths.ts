/** Directions that change by a product, and lengths of rows by factors of their own. */
import { sameShape } from "../../../../src/graph/shape.js";
import * as matrices from "../matrices.js";
import { type Base, mapped, matrixOf, numbersOf, outOf, type PeftForm } from "./form.js";
import { lora } from "./low-rank.js";

/** Lengths of the rows of W, which DoRA's magnitudes start at. */
const lengths = ({ weight }: Base): Float64Array => matrices.rowLengths(matrixOf(weight));

const dora = (
  variant: string,
  of: (slot: number, length: number) => number,
  back: (m: number, length: number) => number,
) =>
  ({
    ...lora,
    variant,
    means: "m V / |V| by rows, with V = W + s B A",
    slots: ["A", "B", "magnitude"],
    fits: (shape, weight) => lora.fits(shape, weight) && sameShape(shape("magnitude"), [outOf(weight)]),
    encode: (roles, base) => {
      const rows = lengths(base);
      return {
        ...lora.encode(roles, base),
        lora_magnitude_vector: mapped(roles("magnitude"), (slot, row) => of(slot, rows[row]!)),
      };
    },
    decode: (tensors, base) => {
      const rows = lengths(base);
      const magnitude = mapped(tensors("lora_magnitude_vector"), (m, row) => back(m, rows[row]!));
      return { ...lora.decode(tensors, base), magnitude };
    },
    change: (tensors, base, scale) => {
      const { weight } = lora.change(tensors, base, scale);
      const v = matrixOf(weight);
      const rows = matrices.rowLengths(v);
      const factors = tensors("lora_magnitude_vector").data.map((m, row) => m / rows[row]!);
      return { weight: numbersOf(matrices.scaleRows(v, factors)), bias: base.bias };
    },
    settings: (tensors) => ({ r: tensors("lora_A.weight").shape[0]!, use_dora: true }),
    needsWeight: true,
  }) satisfies PeftForm;

export const doras: readonly PeftForm[] = [
  dora(
    "departure",
    (slot, length) => (1 + slot) * length,
    (m, length) => m / length - 1,
  ),
  dora(
    "factor",
    (slot, length) => slot * length,
    (m, length) => m / length,
  ),
  dora(
    "magnitude",
    (slot) => slot,
    (m) => m,
  ),
];
