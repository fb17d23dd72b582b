/** Clusters: the kernels to be, while fusion decides what belongs to them. */
import type { Node, NodeOf, ValueId } from "../../graph/node.js";
import type { Shape } from "../../graph/shape.js";
import type { FoldAxis } from "./facts.js";
import type { CopyRequest } from "./placement.js";
import type { Dimension, Layout } from "./space.js";

/** One fold of a reduction cluster: layouts of the node's operands over the cluster's dimensions. */
export interface Fold {
  readonly node: Node;
  readonly operands: readonly Layout[];
}

/** One product of a contraction cluster. */
export interface ClusterProduct {
  readonly node: Node;
  readonly lhs: ValueId;
  readonly lhsLayout: Layout;
  readonly rhs: ValueId;
  readonly rhsLayout: Layout;
  readonly reduced: readonly Dimension[];
  /** The product counts this many times; goes into an operand's prologue. */
  readonly scale: number;
}

/** Nodes whose kernels have no expressions and go by indices. */
export type IndexedNode =
  | NodeOf<"scatter_add">
  | NodeOf<"argsort">
  | NodeOf<"grouped_contraction">
  | NodeOf<"grouped_sum">;

export type Root =
  | { readonly kind: "elementwise"; readonly shape: Shape; readonly layout: Layout }
  | {
      readonly kind: "reduction";
      readonly rows: readonly Dimension[];
      readonly reduced: readonly Dimension[];
      /** The first fold's space, so that folds over an equal one can join: axes and the dimensions each consists of. */
      readonly axes: readonly FoldAxis[];
      readonly layout: Layout;
      readonly folds: Map<ValueId, Fold>;
      /** Why values of every point cannot be stored; undefined where they can. */
      readonly rowsOnly: string | undefined;
    }
  | {
      readonly kind: "contraction";
      readonly out: readonly Dimension[];
      readonly products: readonly ClusterProduct[];
      /** The value that the sum of all products stands for: a contraction, or the addition that joined two clusters. */
      readonly accumulator: ValueId;
      /** Contractions whose sum went into a later accumulator: zero where the expression of that names them. */
      readonly absorbed: ReadonlySet<ValueId>;
    }
  | { readonly kind: "attention"; readonly node: NodeOf<"attention"> | NodeOf<"attention_backward"> }
  | { readonly kind: "indexed"; readonly node: IndexedNode }
  | { readonly kind: "assembly"; readonly node: Node };

/** A copy that a cluster makes besides the values that it computes. */
export interface ClusterCopy {
  readonly request: CopyRequest;
  readonly layout: Layout;
}

export interface Cluster {
  readonly id: number;
  root: Root;
  /** Order of execution: by position, then by tie. */
  position: number;
  tie: number;
  /** Earliest position of a cluster that reads this one's values: it cannot move beyond. */
  limit: number;
  /** The cluster that this one went into. */
  into: Cluster | undefined;
  readonly members: ValueId[];
  readonly loads: Set<ValueId>;
  readonly copies: ClusterCopy[];
  /** Instructions of its expressions, roughly. */
  size: number;
  /** Stored members, as far as known. */
  stores: number;
}

/** A node that looked as if it belonged to a cluster, and why it does not. */
export interface ClusterRefusal {
  readonly cluster: Cluster;
  readonly node: string;
  readonly reason: string;
}

export interface Clustering {
  readonly clusters: readonly Cluster[];
  /** The cluster that computes a value, if any did take it. */
  readonly owner: (value: ValueId) => Cluster | undefined;
  /** Layout of a value over its cluster's dimensions. */
  readonly layout: (value: ValueId) => Layout | undefined;
  /** What evaluating a value where it is used costs, when it is in no cluster: operations, and the weight of its loads. */
  readonly operations: (value: ValueId) => number;
  readonly traffic: (value: ValueId) => number;
  /** Values that must be stored so that expressions stay small. */
  readonly tooLarge: ReadonlySet<ValueId>;
  readonly refusals: readonly ClusterRefusal[];
}
