/** All primitives by name. */
import type { TensorType } from "../graph/shape.js";
import { argsort } from "./argsort.js";
import { attentions } from "./attention.js";
import { binaries } from "./binary.js";
import { contraction } from "./contraction.js";
import { conversions } from "./conversion.js";
import { groupedProducts } from "./grouped.js";
import { indexings } from "./indexing.js";
import { instances } from "./instances.js";
import { leaves } from "./leaves.js";
import { movements } from "./movement.js";
import type { AttributesOf, PrimitiveName } from "./names.js";
import type { Primitive } from "./primitive.js";
import { random } from "./random.js";
import { reductions } from "./reductions.js";
import { unaries } from "./unary.js";

export const primitives: { readonly [P in PrimitiveName]: Primitive<P> } = {
  ...leaves,
  ...instances,
  random,
  ...unaries,
  ...binaries,
  ...conversions,
  ...movements,
  ...reductions,
  contraction,
  ...groupedProducts,
  ...attentions,
  ...indexings,
  argsort,
};

/** The rules of one primitive, for code that is generic over all of them. */
export const primitiveOf = <P extends PrimitiveName>(name: P): Primitive<P> => primitives[name];

/** Types of the outputs of a primitive; throws ShapeError when the inputs or attributes do not fit. */
export function shapeOf<P extends PrimitiveName>(
  name: P,
  inputs: readonly TensorType[],
  attributes: AttributesOf[P],
): TensorType[] {
  return primitives[name].shape(inputs, attributes);
}
