import type { AttributesOf, PrimitiveName } from "../primitives/names.js";
import { shapeOf } from "../primitives/registry.js";
import type { Graph, NamedValue } from "./graph.js";
import type { Node, NodeOf, Origin, ValueId } from "./node.js";
import type { Shape, TensorType } from "./shape.js";

/** Appends nodes to a graph under construction, in topological order. Equal nodes (same primitive, inputs and attributes) are shared. */
export class GraphBuilder {
  readonly nodes: Node[] = [];
  readonly types: TensorType[] = [];
  /** Node that produces each value. */
  readonly producers: Node[] = [];
  readonly #outputs: NamedValue[] = [];
  readonly #updates: NamedValue[] = [];
  readonly #known = new Map<string, readonly ValueId[]>();
  /** Recorded on every node added from now on. */
  origin: Origin | undefined;

  /** Adds a node with one output (or returns the equal one that is there) and returns its value. Throws ShapeError. */
  add<P extends PrimitiveName>(primitive: P, inputs: readonly ValueId[], attributes: AttributesOf[P]): ValueId {
    return this.addAll(primitive, inputs, attributes)[0]!;
  }

  /** As `add`, for primitives with several outputs. */
  addAll<P extends PrimitiveName>(
    primitive: P,
    inputs: readonly ValueId[],
    attributes: AttributesOf[P],
  ): readonly ValueId[] {
    const key = `${primitive}|${inputs.join(",")}|${attributesKey(attributes)}`;
    const known = this.#known.get(key);
    if (known) return known;
    const outputTypes = shapeOf(
      primitive,
      inputs.map((input) => this.type(input)),
      attributes,
    );
    const outputs = outputTypes.map((type) => this.types.push(type) - 1);
    const node = { primitive, inputs, outputs, attributes, origin: this.origin } as NodeOf<P> as unknown as Node;
    this.nodes.push(node);
    for (const output of outputs) this.producers[output] = node;
    this.#known.set(key, outputs);
    return outputs;
  }

  type(value: ValueId): TensorType {
    return this.types[value]!;
  }

  shape(value: ValueId): Shape {
    return this.types[value]!.shape;
  }

  output(name: string, value: ValueId): void {
    this.#outputs.push({ name, value });
  }

  update(name: string, value: ValueId): void {
    this.#updates.push({ name, value });
  }

  finish(): Graph {
    return { nodes: this.nodes, types: this.types, outputs: this.#outputs, updates: this.#updates };
  }
}

/** Equal for equal attributes only: JSON alone takes -0 for 0 and all that is not finite for null. */
const attributesKey = (attributes: object): string =>
  JSON.stringify(attributes, (_, value) =>
    typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0)) ? `${1 / value}/${value}` : value,
  );
