import type { Span } from "../../dsl/diagnostics/diagnostic.js";
import type { AttributesOf, PrimitiveName } from "../primitives/names.js";

/** A tensor in a graph: an index into `Graph.types`. */
export type ValueId = number;

/** Where a node comes from, so that profiles and errors name a line of Weft. */
export interface Origin {
  /** Path of the module instance, e.g. `backbone.blocks.0.attn`; "" for the model itself. */
  readonly path: string;
  readonly span?: Span;
}

export interface NodeOf<P extends PrimitiveName> {
  readonly primitive: P;
  readonly inputs: readonly ValueId[];
  readonly outputs: readonly ValueId[];
  readonly attributes: AttributesOf[P];
  readonly origin?: Origin;
}

/** One application of a primitive; a union discriminated by `primitive`. Immutable. */
export type Node = { [P in PrimitiveName]: NodeOf<P> }[PrimitiveName];
