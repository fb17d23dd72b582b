/** Where the tensors of lowered kernel lists stand in a program's segments: the same for every target. */
import { bytesPerElement } from "../src/graph/dtype.js";
import type { Graph } from "../src/graph/graph.js";
import type { Shape } from "../src/graph/shape.js";
import type { MemoryPlan, ParameterLayout } from "../src/kernels/layout.js";
import type { Buffer, BufferHome, BufferId, KernelList } from "../src/kernels/record.js";
import type { Program, SegmentName, TensorPlace } from "./program.js";

export const segmentOf = (home: BufferHome): SegmentName => (home.segment === "range" ? home.of : home.segment);

export const bufferBytes = (buffer: Buffer): number => buffer.elements * bytesPerElement[buffer.dtype];

/** Byte offset of a buffer of one of the lists; a plan numbers the buffers of all lists in a row. */
export function offsetsOf(lists: readonly KernelList[], plan: MemoryPlan): (list: number, buffer: BufferId) => number {
  const starts: number[] = [];
  let count = 0;
  for (const list of lists) {
    starts.push(count);
    count += list.buffers.length;
  }
  if (plan.offsets.length !== count) throw new Error(`a plan of ${plan.offsets.length} buffers for lists of ${count}`);
  return (list, buffer) => plan.offsets[starts[list]! + buffer]!;
}

/** A program's memory, apart from what a target adds to scratch. */
export type ProgramMemory = Pick<Program, "segments" | "inputs" | "outputs" | "scalars" | "constants">;

export function programMemory(
  lists: readonly KernelList[],
  plan: MemoryPlan,
  layout: ParameterLayout,
  graphs: readonly Graph[],
): ProgramMemory {
  const offset = offsetsOf(lists, plan);
  const ends = new Map<SegmentName, number>();
  const inputs = new Map<string, TensorPlace>();
  const outputs = new Map<string, TensorPlace>();
  const scalars = new Map<string, Program["scalars"][number]>();
  const constants = new Map<number, Program["constants"][number]>();
  const shapes = { inputs: inputShapes(graphs), outputs: outputShapes(graphs) };
  for (const [number, list] of lists.entries()) {
    for (const [id, buffer] of list.buffers.entries()) {
      const { home, dtype } = buffer;
      const at = offset(number, id);
      const segment = segmentOf(home);
      ends.set(segment, Math.max(ends.get(segment) ?? 0, at + bufferBytes(buffer)));
      switch (home.segment) {
        case "inputs":
        case "outputs": {
          // Kernels that come from no graph (tests, tuning) have flat tensors.
          const shape = shapes[home.segment].get(home.name) ?? [buffer.elements];
          (home.segment === "inputs" ? inputs : outputs).set(home.name, { name: home.name, dtype, shape, offset: at });
          break;
        }
        case "scalars":
          scalars.set(home.name, { name: home.name, dtype, offset: at });
          break;
        case "constants":
          constants.set(at, { dtype, offset: at, values: home.values });
          break;
        case "parameters":
        case "gradients":
        case "range":
        case "prepared":
        case "scratch":
          break;
      }
    }
  }
  const used = (segment: SegmentName) => ends.get(segment) ?? 0;
  return {
    segments: {
      parameters: used("parameters") > 0 ? layout.bytes : 0,
      gradients: used("gradients") > 0 ? layout.bytes : 0,
      // Whole states, each laid out as the parameters.
      optimizer: used("optimizer") > 0 ? Math.ceil(used("optimizer") / layout.bytes) * layout.bytes : 0,
      prepared: Math.max(plan.preparedBytes, used("prepared")),
      constants: Math.max(plan.constantBytes, used("constants")),
      inputs: used("inputs"),
      outputs: used("outputs"),
      scalars: used("scalars"),
      scratch: Math.max(plan.scratchBytes, used("scratch")),
    },
    inputs: [...inputs.values()],
    outputs: [...outputs.values()],
    scalars: [...scalars.values()],
    constants: [...constants.values()],
  };
}

function inputShapes(graphs: readonly Graph[]): ReadonlyMap<string, Shape> {
  const shapes = new Map<string, Shape>();
  for (const graph of graphs) {
    for (const node of graph.nodes) {
      if (node.primitive === "input") shapes.set(node.attributes.name, node.attributes.shape);
    }
  }
  return shapes;
}

function outputShapes(graphs: readonly Graph[]): ReadonlyMap<string, Shape> {
  const shapes = new Map<string, Shape>();
  for (const graph of graphs) {
    for (const { name, value } of graph.outputs) shapes.set(name, graph.types[value]!.shape);
  }
  return shapes;
}
