import { GraphBuilder } from "../../graph/builder.js";
import type { Dtype } from "../../graph/dtype.js";
import type { NodeOf, ValueId } from "../../graph/node.js";
import type { AttributesOf, PrimitiveName } from "../../primitives/names.js";
import type { Rule, RuleTable } from "./rule.js";

/** Rewrites that cause rewrites nest no deeper than this; what is left is found in the next round. */
const deepestRewrite = 64;

/**
 * A builder that simplifies while it builds: before a node is added, the rules of its primitive are tried in order, and what the first that
 * applies yields stands for the node. Rules add through the same builder, so what they make is simplified too.
 */
export class SimplifyingBuilder extends GraphBuilder {
  /** Whether any rule has applied. */
  changed = false;
  /** How many nodes read a value, as far as that is known. */
  readonly #uses = new Map<ValueId, number>();
  readonly #concatEnds = new Map<ValueId, readonly number[]>();
  readonly #rules: RuleTable;
  #depth = 0;

  constructor(rules: RuleTable) {
    super();
    this.#rules = rules;
  }

  override addAll<P extends PrimitiveName>(
    primitive: P,
    inputs: readonly ValueId[],
    attributes: AttributesOf[P],
  ): readonly ValueId[] {
    if (this.#depth < deepestRewrite) {
      this.#depth++;
      try {
        for (const rule of this.#rules.get(primitive) ?? []) {
          const result = (rule as Rule<P>).apply(this, inputs as Parameters<Rule<P>["apply"]>[1], attributes);
          if (result === undefined) continue;
          this.changed = true;
          return typeof result === "number" ? [result] : result;
        }
      } finally {
        this.#depth--;
      }
    }
    return super.addAll(primitive, inputs, attributes);
  }

  /** The node that makes `value`, if it is an application of `primitive`. */
  producer<P extends PrimitiveName>(value: ValueId, primitive: P): NodeOf<P> | undefined {
    const node = this.producers[value]!;
    return node.primitive === primitive ? (node as unknown as NodeOf<P>) : undefined;
  }

  /** The number that every element of `value` equals, when it is a constant. */
  splat(value: ValueId): number | undefined {
    const node = this.producers[value]!;
    return node.primitive === "constant" ? node.attributes.value : undefined;
  }

  constant(dtype: Dtype, shape: readonly number[], value: number): ValueId {
    return this.add("constant", [], { dtype, shape, value });
  }

  /** Records that `count` more nodes will read `value`. */
  use(value: ValueId, count: number): void {
    this.#uses.set(value, (this.#uses.get(value) ?? 0) + count);
  }

  /** Whether nothing but the node being added is known to read `value`, so that replacing the two by one drops the first. */
  usedOnce(value: ValueId): boolean {
    return (this.#uses.get(value) ?? 1) <= 1;
  }

  /** Where each piece of a concat ends on its axis. Kept, because many slices may ask one concat. */
  concatEnds(concat: NodeOf<"concat">): readonly number[] {
    const value = concat.outputs[0]!;
    const known = this.#concatEnds.get(value);
    if (known) return known;
    let end = 0;
    const ends = concat.inputs.map((input) => {
      end += this.shape(input)[concat.attributes.axis]!;
      return end;
    });
    this.#concatEnds.set(value, ends);
    return ends;
  }
}
