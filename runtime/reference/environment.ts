import type { Dtype } from "../../src/graph/dtype.js";
import type { NodeOf } from "../../src/graph/node.js";
import type { Shape } from "../../src/graph/shape.js";
import type { ScalarName } from "../../src/primitives/names.js";
import type { ReferenceEnvironment, ReferenceTensor } from "../../src/primitives/primitive.js";

/** Values of a graph's leaves, row-major. */
export interface LeafValues {
  readonly inputs?: ReadonlyMap<string, Float64Array>;
  /** Stored tensors: parameters by path, ranges by name. */
  readonly stored?: ReadonlyMap<string, Float64Array>;
  /** Scalars left out are 0. */
  readonly scalars?: Readonly<Partial<Record<ScalarName, number>>>;
  /** For a graph of one instance: its place in the batch. Its index is `row_offset` plus this. */
  readonly instance?: number;
}

/** An environment over named values. A leaf without one is an Error that names it. */
export function environmentOf(values: LeafValues): ReferenceEnvironment {
  const scalar = (name: ScalarName): number => values.scalars?.[name] ?? 0;
  const named = (kind: string, name: string, data: Float64Array | undefined): Float64Array => {
    if (data) return data;
    throw new Error(`${kind} ${JSON.stringify(name)} has no value`);
  };
  const tensor = (dtype: Dtype, shape: Shape, data: Float64Array): ReferenceTensor => ({
    type: { dtype, shape },
    data,
  });
  return {
    leaf(node) {
      const leaf = node as Leaf;
      switch (leaf.primitive) {
        case "input": {
          const { name, dtype, shape } = leaf.attributes;
          return tensor(dtype, shape, named("input", name, values.inputs?.get(name)));
        }
        case "parameter": {
          const { path, dtype, shape } = leaf.attributes;
          return tensor(dtype, shape, named("parameter", path, values.stored?.get(path)));
        }
        case "range": {
          const { name, dtype, shape } = leaf.attributes;
          return tensor(dtype, shape, named("range", name, values.stored?.get(name)));
        }
        case "scalar": {
          const { name } = leaf.attributes;
          const dtype = name === "learning_rate" ? "f32" : name === "row_offset" ? "i32" : "u32";
          return tensor(dtype, [], Float64Array.of(scalar(name)));
        }
        case "instance_index":
          return tensor("i32", [], Float64Array.of(scalar("row_offset") + (values.instance ?? 0)));
      }
    },
  };
}

type LeafName = "input" | "parameter" | "range" | "scalar" | "instance_index";

/** The union that `NodeOf` of a union of names is meant to be. */
type Leaf = { [P in LeafName]: NodeOf<P> }[LeafName];
