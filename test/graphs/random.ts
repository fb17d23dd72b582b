import { environmentOf } from "../../runtime/reference/environment.js";
import type { Graph } from "../../src/graph/graph.js";
import type { ValueId } from "../../src/graph/node.js";
import { elementCount } from "../../src/graph/shape.js";
import type { PrimitiveName, ScalarName } from "../../src/primitives/names.js";
import * as operations from "../../src/primitives/operations.js";
import type { ReferenceEnvironment } from "../../src/primitives/primitive.js";
import { Growth } from "./growth.js";
import { recipes } from "./recipes.js";
import { sourceOf } from "./source.js";

export interface RandomGraphOptions {
  /** Recipes to follow; each adds one node or a few. 20 by default. */
  readonly nodes?: number;
  /** Elements of the largest value, 256 by default. */
  readonly maximumElements?: number;
  /** Axes of any value, 5 by default. */
  readonly maximumRank?: number;
  /** Some inputs and draws differ between instances (`instance_index` occurs). The graph is that of one instance. */
  readonly perInstance?: boolean;
  /** Instances values are given for, 3 by default with `perInstance`, else 1. */
  readonly instances?: number;
  /** `range` leaves occur, as in optimiser graphs. */
  readonly ranges?: boolean;
  /** Some parameters get a new value. */
  readonly updates?: boolean;
  /** Only these primitives are sought (others may come along to prepare operands). */
  readonly primitives?: readonly PrimitiveName[];
}

export interface RandomGraph {
  /** Outputs `output.0`, `output.1`, ... (of any dtype) and `loss` (f32 [], depends on all floats). */
  readonly graph: Graph;
  readonly instances: number;
  /** Values of the inputs, one array per instance; a shared input has the same one for all. */
  readonly inputs: ReadonlyMap<string, readonly Float64Array[]>;
  /** Values of parameters by path and ranges by name. Floats are exact in float32. */
  readonly stored: ReadonlyMap<string, Float64Array>;
  readonly scalars: Readonly<Record<ScalarName, number>>;
  /** For evaluating the graph as one instance. */
  environment(instance?: number): ReferenceEnvironment;
  /** For the batched graph: inputs that differ between instances are stacked on a new leading axis. */
  batchedEnvironment(): ReferenceEnvironment;
  /** The stacked inputs of `batchedEnvironment`. */
  readonly batchedInputs: ReadonlyMap<string, Float64Array>;
}

/** Mean square of every float result, summed. */
function lossOf(g: Growth, results: readonly ValueId[]): ValueId {
  const { builder } = g;
  let loss = operations.constant(builder, 0);
  for (const value of results.filter((result) => g.dtype(result) === "f32")) {
    const axes = g.shape(value).map((_, axis) => axis);
    loss = operations.add(
      builder,
      loss,
      operations.reduceMean(builder, operations.multiply(builder, value, value), axes),
    );
  }
  return loss;
}

/**
 * A well-typed graph and values for its leaves, the same for the same seed. All primitives occur (over some seeds), on operands
 * that keep them well-conditioned: floats stay within -4..4, nothing stands near a tie, a jump or a pole.
 */
export function randomGraph(seed: number, options: RandomGraphOptions = {}): RandomGraph {
  const { nodes = 20, maximumElements = 256, maximumRank = 5, perInstance = false } = options;
  const instances = perInstance ? (options.instances ?? 3) : (options.instances ?? 1);
  const source = sourceOf(seed);
  const g = new Growth(source, { maximumElements, maximumRank, perInstance, instances });
  const allowed = (options.primitives ?? (Object.keys(recipes) as PrimitiveName[])).filter(
    (name) =>
      (name !== "range" || options.ranges) &&
      (name !== "instance_index" || perInstance) &&
      // Alone, an instance takes the others to be like it.
      (name !== "gather_instances" || !perInstance),
  );
  g.leaf("f32", g.randomShape(1));
  g.leaf("f32", g.randomShape(2));
  for (let made = 0, tries = 0; made < nodes && tries < nodes * 20; tries++) {
    const value = recipes[source.pick(allowed)](g);
    if (value === undefined) continue;
    g.offer(value);
    made++;
  }
  const used = new Set(g.builder.nodes.flatMap((node) => node.inputs));
  const results = g.values.filter((value) => !used.has(value));
  results.forEach((value, place) => {
    g.builder.output(`output.${place}`, value);
  });
  g.builder.output("loss", lossOf(g, results));
  if (options.updates) addUpdates(g);
  const graph = g.builder.finish();
  const shared = (data: readonly Float64Array[]) => data.every((values) => values === data[0]);
  const perInstanceNames = new Set(
    graph.nodes.flatMap((node) =>
      node.primitive === "input" && node.attributes.perInstance ? [node.attributes.name] : [],
    ),
  );
  const batchedInputs = new Map(
    [...g.inputs].map(([name, data]) => [
      name,
      perInstanceNames.has(name) || !shared(data) ? Float64Array.from(data.flatMap((values) => [...values])) : data[0]!,
    ]),
  );
  return {
    graph,
    instances,
    inputs: g.inputs,
    stored: g.stored,
    scalars: g.scalars,
    environment: (instance = 0) => g.environment(instance),
    batchedEnvironment: () => environmentOf({ inputs: batchedInputs, stored: g.stored, scalars: g.scalars }),
    batchedInputs,
  };
}

/** New values for some float parameters: a step towards the shared scalar of another value. */
function addUpdates(g: Growth): void {
  const { builder } = g;
  for (const node of [...builder.nodes]) {
    if (node.primitive !== "parameter" || node.attributes.dtype !== "f32" || g.source.chance(0.4)) continue;
    const rate = builder.add("scalar", [], { name: "learning_rate" });
    const weight = node.outputs[0]!;
    const change = operations.multiply(
      builder,
      g.connected(elementCount(g.shape(weight)) > 0 ? g.shape(weight) : []),
      rate,
    );
    builder.update(node.attributes.path, operations.subtract(builder, weight, change));
  }
}
