import assert from "node:assert/strict";
import type { TensorData } from "../../runtime/device.js";
import { bf16ToNumber, f16ToNumber, numberToBf16, numberToF16 } from "../../runtime/tensors/half.js";
import type { Dtype } from "../../src/graph/dtype.js";
import type { Access, ElementwiseKernel, Store } from "../../src/kernels/record.js";
import type { ScalarInstruction } from "../../src/kernels/scalar.js";
import { randomFrom } from "../kernels/random-contraction.js";
import { describeOnDevices } from "./devices.js";
import { input, listOf, output, runOnDevice } from "./kernel-runs.js";

const formats = {
  f16: { widen: f16ToNumber, narrow: numberToF16 },
  bf16: { widen: bf16ToNumber, narrow: numberToBf16 },
} as const;

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** The f32 of a bit pattern. */
function fromBits(pattern: number): number {
  bits[0] = pattern;
  return float[0]!;
}

/** The f32 that are `steps` patterns away from x. */
function neighbour(x: number, steps: number): number {
  float[0] = x;
  bits[0] = bits[0]! + steps;
  return float[0]!;
}

/** The numbers of a format, what lies halfway between two, and beside that; f32 of all magnitudes; what is not finite. */
function awkward(dtype: keyof typeof formats): number[] {
  const { widen } = formats[dtype];
  const numbers: number[] = [0, -0, Infinity, -Infinity, Number.NaN, 3.4028234663852886e38, 2 ** -149, -(2 ** -126)];
  // Every seventh pair is as good as all.
  for (let pattern = 0; pattern < 0x7fff; pattern += 7) {
    const [low, high] = [widen(pattern), widen(pattern + 1)];
    if (!Number.isFinite(high)) continue;
    const tie = Math.fround(low / 2 + high / 2);
    numbers.push(tie, -tie, neighbour(tie, 1), -neighbour(tie, 1), tie > 0 ? neighbour(tie, -1) : tie);
  }
  const random = randomFrom(3);
  for (let count = 0; count < 20_000; count++) numbers.push(fromBits(Math.floor(random() * 2 ** 32)));
  return numbers;
}

describeOnDevices("narrow elements", (device) => {
  /** Loads every x, casts it to each of the dtypes, and stores that as output `DTYPE` and, as an f32, as output `DTYPE wide`. */
  async function storedAs(
    from: Dtype,
    xs: readonly number[],
    to: readonly Dtype[],
    at: Omit<Access, "buffer"> = { offset: 0, strides: [1] },
  ): Promise<Record<string, TensorData>> {
    const buffers = [input("x", xs.length, from)];
    const body: ScalarInstruction[] = [{ kind: "load", access: 0, dtype: from }];
    const stores: Store[] = [];
    for (const dtype of to) {
      const value = dtype === from ? 0 : body.push({ kind: "cast", operand: 0, dtype }) - 1;
      const narrow = buffers.push(output(dtype, xs.length + 3, dtype)) - 1;
      stores.push({ access: { buffer: narrow, ...at }, value });
      const widened = dtype === "bool" ? body.push({ kind: "cast", operand: value, dtype: "f32" }) - 1 : value;
      const wide = buffers.push(output(`${dtype} wide`, xs.length + 3)) - 1;
      stores.push({ access: { buffer: wide, ...at }, value: widened });
    }
    const kernel: ElementwiseKernel = {
      archetype: "elementwise",
      origins: [],
      label: "stored",
      extents: [xs.length],
      accesses: [{ buffer: 0, offset: 0, strides: [1] }],
      body,
      stores,
    };
    return runOnDevice(device(), listOf(buffers, [kernel]), { x: xs });
  }

  const assertSame = (what: string, actual: TensorData, xs: readonly number[], wanted: (x: number) => number): void => {
    for (const [place, x] of xs.entries()) {
      const value = wanted(x);
      assert.ok(Object.is(actual[place], value), `${x} as ${what} is ${actual[place]}, not ${value}`);
    }
  };

  for (const dtype of ["f16", "bf16"] as const) {
    const { widen, narrow } = formats[dtype];

    it(`hold every ${dtype} and give it back`, async () => {
      const xs = Array.from({ length: 1 << 16 }, (_, pattern) => widen(pattern));
      const results = await storedAs(dtype, xs, [dtype]);
      for (const [name, data] of Object.entries(results)) assertSame(name, data, xs, (x) => x);
    });

    it(`take the nearest ${dtype} of an f32, of two the even one`, async () => {
      const xs = awkward(dtype);
      const results = await storedAs("f32", xs, [dtype]);
      for (const [name, data] of Object.entries(results)) assertSame(name, data, xs, (x) => widen(narrow(x)));
    });
  }

  it("leave their neighbours alone, forwards and backwards, at every place of a word", async () => {
    const xs = Array.from({ length: 1001 }, (_, place) => ((place * 7) % 3 > 0 ? 1 : 0));
    for (const offset of [0, 1, 2, 3]) {
      for (const backwards of [false, true]) {
        const at = { offset: backwards ? offset + xs.length - 1 : offset, strides: [backwards ? -1 : 1] };
        const results = await storedAs("bool", xs, ["bool", "f16", "bf16"], at);
        for (const [dtype, data] of Object.entries(results)) {
          const wanted = [...xs];
          if (backwards) wanted.reverse();
          const poison = dtype === "bool" ? 255 : Number.NaN;
          const all = [...Array(offset).fill(poison), ...wanted, ...Array(3 - offset).fill(poison)];
          assert.deepEqual([...data], all, `${dtype} from ${offset}${backwards ? ", backwards" : ""}`);
        }
      }
    }
  });
});
