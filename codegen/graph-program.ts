import type { Lowered } from "../src/compile.js";
import { bytesPerElement } from "../src/graph/dtype.js";
import { elementCount } from "../src/graph/shape.js";
import { printGraph } from "../src/graph/text.js";
import { segmentAlignment } from "../src/kernels/layout.js";
import { optimizerStates } from "../src/optimizers/states.js";
import { type NamedType, programInterface } from "./interface.js";
import type { Program, TensorPlace } from "./program.js";

/** A program for the reference device: the graphs as text, and places for what goes in and out; no kernels. */
export function graphProgram(lowered: Lowered, key: string): Program {
  const { graphs, layout, options } = lowered;
  const { inputs, outputs, scalars } = programInterface(lowered);
  const placedInputs = place(inputs);
  const placedOutputs = place(outputs);
  const placedScalars = place(scalars.map(({ name, dtype }) => ({ name, dtype, shape: [] })));
  const trains = options.purpose.kind === "train" || options.purpose.kind === "accumulate";
  const states =
    options.purpose.kind === "train"
      ? optimizerStates(options.purpose.stage.optimizer, options.purpose.stage.ema).length
      : 0;
  return {
    formatVersion: 1,
    target: options.target.name,
    language: "graph",
    key,
    batch: options.batch,
    segments: {
      parameters: layout.bytes,
      gradients: trains ? layout.bytes : 0,
      optimizer: states * layout.bytes,
      prepared: 0,
      constants: 0,
      inputs: placedInputs.bytes,
      outputs: placedOutputs.bytes,
      scalars: placedScalars.bytes,
      scratch: 0,
    },
    parameters: layout,
    inputs: placedInputs.places,
    outputs: placedOutputs.places,
    scalars: scalars.map(({ name, dtype }, index) => ({ name, dtype, offset: placedScalars.places[index]!.offset })),
    constants: [],
    kernels: [],
    prepare: [],
    step: [],
    graphs: graphs.map(printGraph),
  };
}

function place(tensors: readonly NamedType[]): { places: TensorPlace[]; bytes: number } {
  let bytes = 0;
  const places = tensors.map((tensor) => {
    const offset = bytes;
    bytes +=
      Math.ceil((elementCount(tensor.shape) * bytesPerElement[tensor.dtype]) / segmentAlignment) * segmentAlignment;
    return { ...tensor, offset };
  });
  return { places, bytes };
}
