/**
 * Times square products of f32 matrices on the adapter of the tests (WEFT_ADAPTER=hardware: this machine's GPU), beside the rate at which it
 * copies. Medians over repeated runs of kernels' own times.
 * Usage: npx tsx bench/webgpu/contraction.ts [SIZE ...]
 */

import { createWebGpuDevice } from "../../runtime/webgpu/device.js";
import type { ContractionKernel, ElementwiseKernel, KernelList } from "../../src/kernels/record.js";
import type { ScalarInstruction } from "../../src/kernels/scalar.js";
import { input, listOf, output, programOf } from "../../test/codegen/kernel-runs.js";
import { onHardware, softwareGpu } from "../../test/webgpu/software.js";

const repeats = 15;
const sizes = process.argv.slice(2).map(Number);
const wanted = sizes.length > 0 ? sizes : onHardware ? [256, 512, 1024, 2048, 4096] : [64, 128];

const load: ScalarInstruction = { kind: "load", access: 0, dtype: "f32" };

function product(size: number): KernelList {
  const record: ContractionKernel = {
    archetype: "contraction",
    batch: [],
    rows: [size],
    columns: [size],
    products: [
      {
        reduced: [size],
        lhs: { accesses: [{ buffer: 0, offset: 0, strides: [size, 0, 1] }], body: [load] },
        rhs: { accesses: [{ buffer: 1, offset: 0, strides: [0, 1, size] }], body: [load] },
      },
    ],
    accesses: [],
    epilogue: [{ kind: "accumulator", dtype: "f32" }],
    stores: [{ access: { buffer: 2, offset: 0, strides: [size, 1] }, value: 0 }],
    origins: [],
    label: `product of ${size}`,
  };
  return listOf([input("a", size * size), input("b", size * size), output("c", size * size)], [record]);
}

function copy(elements: number): KernelList {
  const access = { offset: 0, strides: [1] };
  const record: ElementwiseKernel = {
    archetype: "elementwise",
    extents: [elements],
    accesses: [{ buffer: 0, ...access }],
    body: [load],
    stores: [{ access: { buffer: 1, ...access }, value: 0 }],
    origins: [],
    label: "copy",
  };
  return listOf([input("a", elements), output("c", elements)], [record]);
}

const device = await createWebGpuDevice({ gpu: await softwareGpu() });
console.log(device.name);

/** Median time of a list's one kernel, in seconds. */
async function seconds(list: KernelList): Promise<number> {
  const executable = await device.load(programOf(device, list));
  const inputs = executable.program.inputs.map(({ name, shape }) => [name, random(shape[0]!)] as const);
  await executable.submit(Object.fromEntries(inputs)).done;
  const times: number[] = [];
  for (let turn = 0; turn < repeats; turn++) times.push((await executable.profile())[0]!.nanoseconds * 1e-9);
  executable.free();
  return times.sort((a, b) => a - b)[repeats >> 1]!;
}

const random = (elements: number): Float32Array => Float32Array.from({ length: elements }, () => Math.random() - 0.5);

const copied = onHardware ? 1 << 26 : 1 << 18;
console.log(`copy   ${((8 * copied) / (await seconds(copy(copied))) / 1e9).toFixed(2)} GB/s read and written`);
for (const size of wanted) {
  const time = await seconds(product(size));
  const rate = (2 * size ** 3) / time / 1e9;
  console.log(
    `f32 ${String(size).padStart(6)}  ${(time * 1e6).toFixed(1).padStart(10)} us  ${rate.toFixed(2).padStart(9)} GFLOP/s`,
  );
}
await device.close();
