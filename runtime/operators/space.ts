import type { BuiltModel } from "../../src/build/build.js";
import type { Initializer } from "../../src/build/model.js";
import { initialTokens, tokenShape } from "../../src/build/operator.js";
import { adaptationAt } from "../../src/build/slots.js";
import type { Adaptation } from "../../src/build/values.js";
import { elementCount, type Shape } from "../../src/graph/shape.js";
import { initialValue } from "../training/initialize.js";
import { type OperatorSite, operatorSites } from "./site-changes.js";

/** All operators that an adaptation can hold. One operator is its tokens: numbers of the shape [layers, tokens, rows, columns]. */
export interface OperatorSpace {
  readonly model: BuiltModel;
  readonly adaptation: Adaptation;
  /** Of the tokens of one operator. */
  readonly shape: Shape;
  /** The adapted modules; proofs about them are made when first asked for. */
  sites(): readonly OperatorSite[];
}

/** The operators of the adaptation at a path. Throws an Error when there is none. */
export function operatorSpace(model: BuiltModel, path: string): OperatorSpace {
  const adaptation = adaptationAt(model, path);
  let sites: readonly OperatorSite[] | undefined;
  return {
    model,
    adaptation,
    shape: tokenShape(adaptation),
    sites: () => (sites ??= operatorSites(model, adaptation)),
  };
}

/** Tokens with which every slot stands as it is declared to start: the modules then do what they do by themselves, unless an interface says otherwise. */
export function startingTokens({ model, adaptation, shape }: OperatorSpace, seed: number): Float32Array {
  const { initializer } = initialTokens(model.context, adaptation, [], adaptation.span);
  const spec = {
    path: `${adaptation.path}.initial`,
    dtype: "f32",
    shape,
    initializer: initializer as Initializer,
    storage: "param",
    span: adaptation.span,
  } as const;
  return Float32Array.from(initialValue(spec, seed).data);
}

/** Throws a RangeError for tokens of another size. */
export function requireTokens({ adaptation, shape }: OperatorSpace, tokens: Float32Array): void {
  const count = elementCount(shape);
  if (tokens.length === count) return;
  throw new RangeError(
    `an operator of ${adaptation.path} has tokens [${shape.join(", ")}], which are ${count} numbers, but ${tokens.length} were given`,
  );
}
