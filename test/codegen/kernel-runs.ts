/** Runs kernel lists on a device and in the float64 evaluator, for comparison. */
import assert from "node:assert/strict";
import type { Program } from "../../codegen/program.js";
import type { Device, TensorData } from "../../runtime/device.js";
import { bytesPerElement, type Dtype } from "../../src/graph/dtype.js";
import { mapAccesses } from "../../src/kernels/access.js";
import type { MemoryPlan } from "../../src/kernels/layout.js";
import type { Access, Buffer, BufferHome, KernelList, KernelRecord } from "../../src/kernels/record.js";
import { evaluateKernels } from "../kernels/evaluate.js";
import { contentsOf, separateMemory } from "../kernels/memory.js";
import { programFor } from "./devices.js";

export const input = (name: string, elements: number, dtype: Dtype = "f32"): Buffer => ({
  dtype,
  elements,
  home: { segment: "inputs", name },
});
export const output = (name: string, elements: number, dtype: Dtype = "f32"): Buffer => ({
  dtype,
  elements,
  home: { segment: "outputs", name },
});
export const listOf = (buffers: readonly Buffer[], kernels: readonly KernelRecord[]): KernelList => ({
  buffers,
  kernels,
  refusals: [],
});

const align = (bytes: number) => Math.ceil(bytes / 256) * 256;

/** Every buffer in a place of its own, inputs and outputs of one name in one. */
export function planOf(list: KernelList): MemoryPlan {
  const ends = new Map<string, number>();
  const known = new Map<string, number>();
  const offsets = list.buffers.map(({ dtype, elements, home }) => {
    const key = "name" in home ? `${home.segment}/${home.name}` : undefined;
    const place = (key === undefined ? undefined : known.get(key)) ?? ends.get(home.segment) ?? 0;
    if (key) known.set(key, place);
    ends.set(home.segment, Math.max(ends.get(home.segment) ?? 0, place + align(elements * bytesPerElement[dtype])));
    return place;
  });
  const bytes = (segment: string) => ends.get(segment) ?? 0;
  return {
    offsets,
    pieceBytes: Number.MAX_SAFE_INTEGER,
    scratchBytes: bytes("scratch"),
    lowerBound: bytes("scratch"),
    preparedBytes: bytes("prepared"),
    constantBytes: bytes("constants"),
  };
}

/** The program of a list in the language that a device runs. */
export const programOf = (device: Device, list: KernelList): Program =>
  programFor(device, { lists: [list], plan: planOf(list), layout: { places: [], bytes: 0 }, graphs: [] });

export type Contents = Readonly<Record<string, readonly number[]>>;

/** A list, and what its inputs and scalars hold. */
export interface KernelCase {
  readonly list: KernelList;
  readonly contents: Contents;
}

/** All cases as one list, so that they are compiled together; the buffers of case n are named `n/...`. */
export function together(cases: readonly KernelCase[]): KernelCase {
  const contents: Record<string, readonly number[]> = {};
  const buffers: Buffer[] = [];
  const kernels: KernelRecord[] = [];
  for (const [number, one] of cases.entries()) {
    const first = buffers.length;
    for (const [name, values] of Object.entries(one.contents)) contents[`${number}/${name}`] = values;
    for (const buffer of one.list.buffers) {
      const { home } = buffer;
      if (home.segment !== "inputs" && home.segment !== "outputs") throw new Error("an unexpected home");
      buffers.push({ ...buffer, home: { ...home, name: `${number}/${home.name}` } });
    }
    const moved = (access: Access): Access => ({ ...access, buffer: access.buffer + first });
    kernels.push(...one.list.kernels.map((kernel) => mapAccesses(kernel, moved, moved)));
  }
  return { list: listOf(buffers, kernels), contents };
}

function hostArray(dtype: Dtype, values: readonly number[]): TensorData {
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

/** All outputs of a list on a device. */
export async function runOnDevice(
  device: Device,
  list: KernelList,
  contents: Contents,
): Promise<Record<string, TensorData>> {
  const executable = await device.load(programOf(device, list));
  const inputs = executable.program.inputs.map(({ name, dtype }) => [name, hostArray(dtype, contents[name]!)] as const);
  const scalars = Object.fromEntries(executable.program.scalars.map(({ name }) => [name, contents[name]![0]!]));
  try {
    return await executable
      .submit(Object.fromEntries(inputs), scalars)
      .read(executable.program.outputs.map(({ name }) => name));
  } finally {
    executable.free();
  }
}

/** All outputs of a list by the evaluator. */
export function runReference(list: KernelList, contents: Contents): Record<string, Float64Array> {
  const given = (home: BufferHome) => ("name" in home && home.segment !== "outputs" ? contents[home.name] : undefined);
  const memory = separateMemory(list, given);
  evaluateKernels(list, memory);
  return Object.fromEntries(
    list.buffers.flatMap(({ home }, id) =>
      home.segment === "outputs" ? [[home.name, contentsOf(list, memory, id)]] : [],
    ),
  );
}

/** Every number within `relative` of the larger magnitude, or within `absolute`; what was not written is NaN on both sides. */
export function assertClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  what: string | (() => string),
  { relative = 4e-6, absolute = 1e-6 }: { readonly relative?: number; readonly absolute?: number } = {},
): void {
  const said = () => (typeof what === "string" ? what : what());
  if (actual.length !== expected.length) assert.fail(`${said()} has ${actual.length} elements, not ${expected.length}`);
  for (let place = 0; place < actual.length; place++) {
    const [a, e] = [actual[place]!, expected[place]!];
    if (Object.is(a, e) || a === e || (Number.isNaN(a) && Number.isNaN(e))) continue;
    const error = Math.abs(a - e);
    if (!(error <= absolute + relative * Math.abs(e))) assert.fail(`${said()}: element ${place} is ${a}, not ${e}`);
  }
}
