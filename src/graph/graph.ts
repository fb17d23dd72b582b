import type { Node, ValueId } from "./node.js";
import type { TensorType } from "./shape.js";

export interface NamedValue {
  readonly name: string;
  readonly value: ValueId;
}

/**
 * A pure dataflow graph. Nodes stand in topological order; a value is produced by exactly one node. Leaves (`input`,
 * `parameter`, `scalar`, `constant`, ...) are nodes too.
 */
export interface Graph {
  readonly nodes: readonly Node[];
  /** Type of each value, by ValueId. */
  readonly types: readonly TensorType[];
  readonly outputs: readonly NamedValue[];
  /** New values of stored tensors, by the name of the leaf (`parameter` path or `range` name) they replace. */
  readonly updates: readonly NamedValue[];
}
