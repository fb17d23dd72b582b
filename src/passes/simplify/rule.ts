import type { ValueId } from "../../graph/node.js";
import type { AttributesOf, PrimitiveName } from "../../primitives/names.js";
import type { SimplifyingBuilder } from "./builder.js";

/** The inputs of a node; only as many are there as its primitive takes. */
export type Operands = readonly [ValueId, ValueId, ValueId, ...ValueId[]];

/** What stands for the node: its only output, all its outputs, or undefined when the rule does not apply. */
export type Rewritten = ValueId | readonly ValueId[] | undefined;

/**
 * One algebraic law. Every rule makes progress (fewer or smaller nodes, or a form that no other rule undoes), so that
 * simplification ends.
 */
export interface Rule<P extends PrimitiveName> {
  /** The law, as algebra. */
  readonly name: string;
  readonly primitive: P;
  apply(builder: SimplifyingBuilder, inputs: Operands, attributes: AttributesOf[P]): Rewritten;
}

export type AnyRule = { [P in PrimitiveName]: Rule<P> }[PrimitiveName];

export type RuleTable = ReadonlyMap<PrimitiveName, readonly AnyRule[]>;

export function rule<P extends PrimitiveName>(primitive: P, name: string, apply: Rule<P>["apply"]): AnyRule {
  return { name, primitive, apply } as unknown as AnyRule;
}

/** One law for several primitives. */
export function rules<P extends PrimitiveName>(
  primitives: readonly P[],
  name: string,
  apply: (primitive: P) => Rule<P>["apply"],
): AnyRule[] {
  return primitives.map((primitive) => rule(primitive, name, apply(primitive)));
}
