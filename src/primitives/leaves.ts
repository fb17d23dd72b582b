/** Leaves: values that come from outside the graph or are written in it. */
import type { NodeOf, ValueId } from "../graph/node.js";
import { contiguousStrides, elementCount, type TensorType } from "../graph/shape.js";
import { requireAxes, requireInputs, requireSizes } from "./checks.js";
import type { AttributesOf, PrimitiveName } from "./names.js";
import { type Primitive, type ReferenceEnvironment, ShapeError } from "./primitive.js";

type LeafName = "input" | "parameter" | "range" | "scalar" | "constant" | "table" | "iota" | "instance_index";
type AnsweredName = "input" | "parameter" | "range" | "scalar" | "instance_index";

interface LeafRules<P extends LeafName> {
  type(attributes: AttributesOf[P]): TensorType;
  evaluate: Primitive<P>["evaluate"];
}

/** A leaf has no inputs, so nothing to batch and nothing to pass a cotangent to. The batch pass itself replaces per-instance leaves. */
function leaf<P extends LeafName>(name: P, rules: LeafRules<P>): Primitive<P> {
  return {
    name,
    arity: 0,
    shape(inputs, attributes) {
      requireInputs(name, inputs, 0);
      const type = rules.type(attributes);
      requireSizes(name, type.shape);
      return [type];
    },
    batch(): readonly ValueId[] {
      throw new Error(`${name} has no operands and so no batched form`);
    },
    gradient: () => [],
    evaluate: rules.evaluate,
  };
}

/** A leaf whose value the environment knows. */
function answered<P extends AnsweredName>(name: P, type: LeafRules<P>["type"]): Primitive<P> {
  return leaf<P>(name, {
    type,
    evaluate(_inputs, _attributes, outputs, environment: ReferenceEnvironment, node) {
      const { data } = environment.leaf(node as PrimitiveName extends never ? never : NodeOf<AnsweredName>);
      if (data.length !== elementCount(outputs[0]!.shape)) {
        throw new Error(`${name} ${JSON.stringify(node.attributes)} was given ${data.length} numbers`);
      }
      return [data];
    },
  });
}

export const leaves = {
  input: answered("input", ({ dtype, shape }) => ({ dtype, shape })),
  parameter: answered("parameter", ({ dtype, shape }) => ({ dtype, shape })),
  range: answered("range", ({ dtype, shape }) => ({ dtype, shape })),
  scalar: answered("scalar", ({ name }) => {
    switch (name) {
      case "seed":
      case "step":
        return { dtype: "u32", shape: [] };
      case "learning_rate":
        return { dtype: "f32", shape: [] };
      case "row_offset":
        return { dtype: "i32", shape: [] };
      default:
        throw new ShapeError(`there is no scalar named ${JSON.stringify(name satisfies never)}`);
    }
  }),
  instance_index: answered("instance_index", () => ({ dtype: "i32", shape: [] })),
  constant: leaf("constant", {
    type: ({ dtype, shape }) => ({ dtype, shape }),
    evaluate: (_inputs, { value }, outputs) => [new Float64Array(elementCount(outputs[0]!.shape)).fill(value)],
  }),
  table: leaf("table", {
    type({ dtype, shape, values }) {
      if (values.length !== elementCount(shape)) {
        throw new ShapeError(`table: ${values.length} numbers do not fill the shape`, [shape]);
      }
      return { dtype, shape };
    },
    evaluate: (_inputs, { values }) => [Float64Array.from(values)],
  }),
  iota: leaf("iota", {
    type({ shape, axis }) {
      requireAxes("iota", [axis], shape);
      return { dtype: "i32", shape };
    },
    evaluate(_inputs, { axis }, outputs) {
      const { shape } = outputs[0]!;
      const stride = contiguousStrides(shape)[axis]!;
      const size = shape[axis]!;
      return [new Float64Array(elementCount(shape)).map((_, element) => Math.floor(element / stride) % size)];
    },
  }),
} satisfies { [P in LeafName]: Primitive<P> };
