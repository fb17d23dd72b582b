import assert from "node:assert/strict";
import type { Device, TensorData } from "../../runtime/device.js";
import type { Access, Buffer, KernelRecord } from "../../src/kernels/record.js";
import { openPoisoned } from "../cpu/open-device.js";
import { assertClose, listOf, programOf, runOnDevice, runReference } from "./kernel-runs.js";
import { type RandomCase, randomElementwise, randomReduction } from "./random-records.js";

const count = Number(process.env.WEFT_RECORDS ?? 40);
const firstSeed = Number(process.env.WEFT_SEED ?? 1);

/** Bits of an array, so that equal NaNs are equal. */
const bitsOf = (data: TensorData): string =>
  globalThis.Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("hex");

describe("random records in C", function () {
  this.timeout(120_000);
  let devices: Device[];
  before(async () => {
    devices = [await openPoisoned(1), await openPoisoned(2), await openPoisoned(3)];
  });
  after(async () => {
    for (const device of devices) await device.close();
  });

  /** All cases as one list, so that they are compiled together; the buffers of case n are named `n/...`. */
  function together(cases: readonly RandomCase[]): RandomCase {
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
      for (const kernel of one.list.kernels) {
        if (kernel.archetype !== "elementwise" && kernel.archetype !== "reduction")
          throw new Error("an unexpected kernel");
        const stores = kernel.stores.map((store) => ({ ...store, access: moved(store.access) }));
        kernels.push({ ...kernel, accesses: kernel.accesses.map(moved), stores });
      }
    }
    return { list: listOf(buffers, kernels), contents };
  }

  async function check(make: (seed: number) => RandomCase): Promise<void> {
    const seeds = Array.from({ length: count }, (_, number) => firstSeed + number);
    const { list, contents } = together(seeds.map(make));
    const expected = runReference(list, contents);
    const runs: Record<string, TensorData>[] = [];
    for (const device of devices) runs.push(await runOnDevice(device, list, contents));
    for (const buffer of list.buffers) {
      const { home, dtype } = buffer;
      if (home.segment !== "outputs") continue;
      const numbers = expected[home.name]!;
      const actual = runs[0]![home.name]!;
      const number = Number(home.name.split("/")[0]);
      const what = () =>
        `${home.name} of seed ${seeds[number]} (WEFT_SEED)\n${JSON.stringify(list.kernels[number])}\n${programOf(listOf(list.buffers, [list.kernels[number]!])).kernels[0]?.source}\n`;
      // A place that was not written is NaN in the evaluator and all bits set here, which only floats show as NaN.
      const comparable =
        actual instanceof Float32Array
          ? actual
          : Array.from(actual, (value, place) => (Number.isNaN(numbers[place]) ? Number.NaN : value));
      const rounding = dtype === "bf16" ? 2 ** -8 : dtype === "f16" ? 2 ** -11 : 0;
      assertClose(comparable, numbers, what, { relative: 2e-5 + rounding, absolute: 2e-5 });
      for (const run of runs.slice(1)) {
        assert.ok(bitsOf(run[home.name]!) === bitsOf(actual), `the number of threads changes ${what()}`);
      }
    }
  }

  it("compute elementwise records as the evaluator does, the same bits for 1 to 3 threads", () =>
    check(randomElementwise));
  it("compute reductions as the evaluator does, the same bits for 1 to 3 threads", () => check(randomReduction));
});
