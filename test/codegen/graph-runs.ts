/** Runs graphs through fusion, planning and code generation on a device, and compares with the float64 interpreter. */
import assert from "node:assert/strict";
import type { Program } from "../../codegen/program.js";
import type { Device, TensorData } from "../../runtime/device.js";
import { interpret } from "../../runtime/reference/interpreter.js";
import { bytesPerElement, type Dtype } from "../../src/graph/dtype.js";
import type { Graph } from "../../src/graph/graph.js";
import { elementCount } from "../../src/graph/shape.js";
import type { ParameterLayout, ParameterPlace } from "../../src/kernels/layout.js";
import { fuse } from "../../src/passes/fuse.js";
import { plan } from "../../src/passes/plan.js";
import type { ScalarName } from "../../src/primitives/names.js";
import type { ReferenceEnvironment } from "../../src/primitives/primitive.js";
import { programFor, targetOf } from "./devices.js";

/** All parameters of a graph, by path. */
export function layoutOf(graph: Graph): ParameterLayout {
  const places: ParameterPlace[] = [];
  let bytes = 0;
  const parameters = graph.nodes.flatMap((node) => (node.primitive === "parameter" ? [node.attributes] : []));
  for (const { path, dtype, shape } of parameters.sort((a, b) => (a.path < b.path ? -1 : 1))) {
    places.push({ path, dtype, shape, offset: bytes });
    bytes += Math.ceil((bytesPerElement[dtype] * elementCount(shape)) / 256) * 256;
  }
  return { places, bytes };
}

export function compileGraph(device: Device, graph: Graph): Program {
  const target = targetOf(device);
  const layout = layoutOf(graph);
  const lists = [fuse(graph, target)];
  return programFor(device, {
    lists,
    plan: plan(lists, layout, target.limits.bytesPerBinding),
    layout,
    graphs: [graph],
  });
}

function hostArray(dtype: Dtype, values: Float64Array): TensorData {
  switch (dtype) {
    case "i32":
      return Int32Array.from(values);
    case "u32":
      return Uint32Array.from(values);
    case "bool":
      return Uint8Array.from(values);
    default:
      return Float32Array.from(values);
  }
}

/** Products and sums in f32 lose a rounding each: the longest contraction or reduction, and some for every node on the way. */
function toleranceOf(graph: Graph): number {
  let longest = 1;
  for (const node of graph.nodes) {
    const sizes = node.inputs.map((input) => elementCount(graph.types[input]!.shape));
    const output = elementCount(graph.types[node.outputs[0]!]!.shape);
    switch (node.primitive) {
      case "contraction":
      case "grouped_contraction":
      case "grouped_sum":
      case "reduce_sum":
      case "scatter_add":
        longest = Math.max(longest, Math.ceil(Math.max(...sizes) / Math.max(output, 1)), ...sizes.map(Math.sqrt));
        break;
      case "attention":
      case "attention_backward":
        longest = Math.max(longest, ...sizes);
        break;
      default:
    }
  }
  return 2 ** -24 * (longest + 64 * graph.nodes.length);
}

/** Asserts that outputs and updates of a graph on the device are those of the interpreter. */
export async function assertDeviceAgrees(
  device: Device,
  graph: Graph,
  environment: ReferenceEnvironment,
  scalars: Readonly<Partial<Record<ScalarName, number>>> = {},
): Promise<void> {
  const program = compileGraph(device, graph);
  const executable = await device.load(program);
  const set = await device.parameters(program.parameters);
  try {
    executable.bind(set);
    const inputs: Record<string, TensorData> = {};
    const known = new Set(program.inputs.map(({ name }) => name));
    for (const node of graph.nodes) {
      if (node.primitive === "input" && known.has(node.attributes.name)) {
        inputs[node.attributes.name] = hostArray(node.attributes.dtype, environment.leaf(node).data);
      } else if (node.primitive === "parameter") {
        await set.write(node.attributes.path, hostArray(node.attributes.dtype, environment.leaf(node).data));
      }
    }
    const names = program.outputs.map(({ name }) => name);
    const actual = await executable.submit(inputs, scalars).read(names);
    const expected = interpret(graph, environment);
    const tolerance = toleranceOf(graph);
    for (const [name, { type, data }] of expected.outputs) {
      assertSame(`output ${name}`, actual[name]!, data, tolerance + rounding(type.dtype));
    }
    for (const [path, { type, data }] of expected.updates) {
      assertSame(`update ${path}`, await set.read(path), data, tolerance + rounding(type.dtype));
    }
  } finally {
    executable.free();
    set.free();
  }
}

/** The interpreter keeps float64 where the device stores narrower numbers. */
const rounding = (dtype: Dtype): number => (dtype === "bf16" ? 2 ** -8 : dtype === "f16" ? 2 ** -11 : 0);

function assertSame(what: string, actual: TensorData, expected: Float64Array, tolerance: number): void {
  assert.equal(actual.length, expected.length, what);
  expected.forEach((value, element) => {
    const error = Math.abs(actual[element]! - value);
    if (error <= tolerance * Math.max(1, Math.abs(value)) || Object.is(actual[element], value)) return;
    assert.fail(`${what}, element ${element}: ${actual[element]} instead of ${value} (tolerance ${tolerance})`);
  });
}
