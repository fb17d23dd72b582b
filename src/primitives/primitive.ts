import type { GraphBuilder } from "../graph/builder.js";
import type { NodeOf, ValueId } from "../graph/node.js";
import type { Shape, TensorType } from "../graph/shape.js";
import type { AttributesOf, PrimitiveName } from "./names.js";

/** A tensor of the float64 interpreter: row-major; booleans are 0 or 1, integers are exact. */
export interface ReferenceTensor {
  readonly type: TensorType;
  readonly data: Float64Array;
}

/** Values of the leaves, and what a submission sets, for the interpreter. */
export interface ReferenceEnvironment {
  leaf(node: NodeOf<"input" | "parameter" | "range" | "scalar" | "instance_index">): ReferenceTensor;
}

/** What a gradient rule sees: the node in the graph being extended. */
export interface GradientContext<P extends PrimitiveName> {
  readonly builder: GraphBuilder;
  readonly node: NodeOf<P>;
  /** Which inputs need a cotangent; a rule may skip the others. */
  readonly needed: readonly boolean[];
}

/**
 * The one entry of a primitive. All rules stand side by side.
 */
export interface Primitive<P extends PrimitiveName> {
  readonly name: P;
  /** Number of inputs; undefined when it varies (`concat`) or depends on attributes (`attention`). */
  readonly arity?: number;
  /** Types of the outputs; throws ShapeError when the inputs do not fit. */
  shape(inputs: readonly TensorType[], attributes: AttributesOf[P]): TensorType[];
  /**
   * Adds the primitive's batched form to the builder: inputs for which `batched` holds have one more leading axis of `size`
   * instances. At least one input is batched. All outputs are batched.
   */
  batch(
    builder: GraphBuilder,
    attributes: AttributesOf[P],
    inputs: readonly ValueId[],
    batched: readonly boolean[],
    size: number,
  ): readonly ValueId[];
  /** Cotangents of the inputs (undefined: zero) from the cotangents of the outputs (undefined: zero; at least one is given). */
  gradient(context: GradientContext<P>, cotangents: readonly (ValueId | undefined)[]): readonly (ValueId | undefined)[];
  /** Reference evaluation in float64. Leaves are answered by the environment. */
  evaluate(
    inputs: readonly ReferenceTensor[],
    attributes: AttributesOf[P],
    outputs: readonly TensorType[],
    environment: ReferenceEnvironment,
    node: NodeOf<P>,
  ): readonly Float64Array[];
}

/** Inputs that do not fit a primitive. Callers that know the user's text turn it into a diagnostic. */
export class ShapeError extends Error {
  constructor(
    message: string,
    readonly shapes: readonly Shape[] = [],
  ) {
    super(message);
    this.name = "ShapeError";
  }
}
