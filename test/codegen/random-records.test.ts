import assert from "node:assert/strict";
import type { Device, TensorData } from "../../runtime/device.js";
import { buffersOf } from "../../src/kernels/access.js";
import { openPoisoned } from "../cpu/open-device.js";
import { describeOnDevices, type Language, targetOf } from "./devices.js";
import { assertClose, type KernelCase, listOf, programOf, runOnDevice, runReference, together } from "./kernel-runs.js";
import { randomGroupedProduct, randomSort } from "./random-indexed.js";
import { randomElementwise, randomReduction } from "./random-records.js";

/** Records of a kind to compare; the software adapter takes long to compile. */
const counts: Readonly<Record<Language, number>> =
  process.env.WEFT_RECORDS === undefined
    ? { C: 40, WGSL: 15 }
    : { C: Number(process.env.WEFT_RECORDS), WGSL: Number(process.env.WEFT_RECORDS) };
const firstSeed = Number(process.env.WEFT_SEED ?? 1);

/** The seeds of cases whose kernels bind no more than `most` buffers. */
function seedsOf(make: (seed: number) => KernelCase, count: number, most: number): number[] {
  const seeds: number[] = [];
  for (let seed = firstSeed; seeds.length < count; seed++) {
    if (make(seed).list.kernels.every((kernel) => buffersOf(kernel).size <= most)) seeds.push(seed);
  }
  return seeds;
}

async function check(device: Device, make: (seed: number) => KernelCase, count: number): Promise<void> {
  const seeds = seedsOf(make, count, targetOf(device).limits.buffersPerKernel);
  const { list, contents } = together(seeds.map(make));
  const expected = runReference(list, contents);
  const results = await runOnDevice(device, list, contents);
  for (const { home, dtype } of list.buffers) {
    if (home.segment !== "outputs") continue;
    const numbers = expected[home.name]!;
    const actual = results[home.name]!;
    const number = Number(home.name.split("/")[0]);
    const what = () => {
      const kernel = list.kernels[number]!;
      const text = programOf(device, listOf(list.buffers, [kernel])).kernels[0]?.source;
      return `${home.name} of seed ${seeds[number]} (WEFT_SEED)\n${JSON.stringify(kernel)}\n${text}\n`;
    };
    // A place that was not written is NaN in the evaluator and all bits set here, which only floats show as NaN.
    const comparable =
      actual instanceof Float32Array
        ? actual
        : Array.from(actual, (value, place) => (Number.isNaN(numbers[place]) ? Number.NaN : value));
    const rounding = dtype === "bf16" ? 2 ** -8 : dtype === "f16" ? 2 ** -11 : 0;
    assertClose(comparable, numbers, what, { relative: 2e-5 + rounding, absolute: 2e-5 });
  }
}

describeOnDevices("random records", (device, language) => {
  const count = counts[language];
  it("compute elementwise records as the evaluator does", () => check(device(), randomElementwise, count));
  it("compute reductions as the evaluator does", () => check(device(), randomReduction, count));
  it("sort as the evaluator does", () => check(device(), randomSort, count));
  it("compute products by group as the evaluator does", () => check(device(), randomGroupedProduct, count));
});

/** Bits of an array, so that equal NaNs are equal. */
const bitsOf = (data: TensorData): string =>
  globalThis.Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("hex");

describe("random records on threads of the CPU", function () {
  this.timeout(120_000);
  let devices: Device[];
  before(async () => {
    devices = [await openPoisoned(1), await openPoisoned(2), await openPoisoned(3)];
  });
  after(async () => {
    for (const device of devices) await device.close();
  });

  for (const [what, make] of [
    ["elementwise records", randomElementwise],
    ["reductions", randomReduction],
    ["products by group", randomGroupedProduct],
  ] as const) {
    it(`compute the same bits of ${what} for 1 to 3 threads`, async () => {
      const seeds = seedsOf(make, counts.C, Number.POSITIVE_INFINITY);
      const { list, contents } = together(seeds.map(make));
      const runs: Record<string, TensorData>[] = [];
      for (const device of devices) runs.push(await runOnDevice(device, list, contents));
      for (const [name, data] of Object.entries(runs[0]!)) {
        const seed = seeds[Number(name.split("/")[0])];
        for (const run of runs.slice(1)) {
          assert.ok(
            bitsOf(run[name]!) === bitsOf(data),
            `the number of threads changes ${name} of seed ${seed} (WEFT_SEED)`,
          );
        }
      }
    });
  }
});
