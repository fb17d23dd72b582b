import type { Program, TensorPlace } from "../../codegen/program.js";
import { bytesPerElement } from "../../src/graph/dtype.js";
import type { Graph } from "../../src/graph/graph.js";
import { elementCount, type TensorType } from "../../src/graph/shape.js";
import { printGraph } from "../../src/graph/text.js";
import type { ParameterLayout } from "../../src/kernels/layout.js";

interface Placed {
  readonly places: readonly (TensorType & { readonly name: string; readonly offset: number })[];
  readonly bytes: number;
}

/** Tensors one after the other, each at a multiple of 256 bytes. */
function place(tensors: ReadonlyMap<string, TensorType>): Placed {
  let bytes = 0;
  const places = [...tensors].map(([name, { dtype, shape }]) => {
    const offset = bytes;
    bytes = Math.ceil((offset + elementCount(shape) * bytesPerElement[dtype]) / 256) * 256;
    return { name, dtype, shape, offset };
  });
  return { places, bytes };
}

export interface ProgramOptions {
  /** Names handed out; all outputs but gradients unless given. */
  readonly outputs?: readonly string[];
  readonly optimizerBytes?: number;
  /** Stored tensors besides those the graphs read. */
  readonly parameters?: ReadonlyMap<string, TensorType>;
}

/** A program that carries only graphs, as the reference device runs them. */
export function programOf(graphs: readonly Graph[], options: ProgramOptions = {}): Program {
  const inputs = new Map<string, TensorType>();
  const stored = new Map<string, TensorType>(options.parameters);
  const outputs = new Map<string, TensorType>();
  for (const graph of graphs) {
    for (const { primitive, attributes } of graph.nodes) {
      if (primitive === "input") inputs.set(attributes.name, attributes);
      if (primitive === "parameter") stored.set(attributes.path, attributes);
    }
    for (const { name, value } of graph.outputs) {
      if (options.outputs?.includes(name) ?? !name.startsWith("gradient:")) outputs.set(name, graph.types[value]!);
    }
  }
  const sorted = new Map([...stored].sort(([a], [b]) => (a < b ? -1 : 1)));
  const parameters = place(sorted);
  const layout: ParameterLayout = {
    places: parameters.places.map(({ name, dtype, shape, offset }) => ({ path: name, dtype, shape, offset })),
    bytes: parameters.bytes,
  };
  const inputPlaces: Placed = place(inputs);
  const outputPlaces: Placed = place(outputs);
  return {
    formatVersion: 1,
    target: "reference",
    language: "graph",
    key: "test",
    batch: 1,
    segments: {
      parameters: layout.bytes,
      gradients: layout.bytes,
      optimizer: options.optimizerBytes ?? 0,
      prepared: 0,
      constants: 0,
      inputs: inputPlaces.bytes,
      outputs: outputPlaces.bytes,
      scalars: 16,
      scratch: 0,
    },
    parameters: layout,
    inputs: inputPlaces.places satisfies readonly TensorPlace[],
    outputs: outputPlaces.places,
    scalars: [],
    constants: [],
    kernels: [],
    prepare: [],
    step: [],
    graphs: graphs.map(printGraph),
  };
}
