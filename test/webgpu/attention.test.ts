import assert from "node:assert/strict";
import { emitAttention } from "../../codegen/wgsl/attention.js";
import { emitAttentionBackward } from "../../codegen/wgsl/attention-backward.js";
import type { WebGpuDevice } from "../../runtime/webgpu/device.js";
import { assertClose, type Contents, listOf, output, runOnDevice, runReference } from "../codegen/kernel-runs.js";
import { type AttentionCase, type AttentionSizes, randomAttention } from "../kernels/random-attention.js";
import { type Random, randomFrom } from "../kernels/random-contraction.js";
import { openPoisoned } from "./open-device.js";
import { describeWebGpu } from "./software.js";

const seed = Number(process.env.WEFT_SEED ?? 1);
const count = Number(process.env.WEFT_COUNT ?? 8);

/** Random numbers; a quarter of the mask forbids, and its first row (if it has rows) altogether. */
function contentsOf({ buffers, mask, forward }: AttentionCase, draw: Random): Contents {
  const contents: Record<string, number[]> = {};
  for (const [id, { home, elements }] of buffers.entries()) {
    if (home.segment !== "inputs") continue;
    contents[home.name] = Array.from({ length: elements }, () =>
      id === mask ? (draw() < 0.75 ? 1 : 0) : 4 * draw() - 2,
    );
  }
  if (forward.mask && forward.queries > 0) {
    const { buffer, strides } = forward.mask;
    const home = buffers[buffer]!.home as { readonly name: string };
    for (let key = 0; key < forward.keys; key++) contents[home.name]![strides.at(-1)! * key] = 0;
  }
  return contents;
}

/** Results of both passes as outputs. */
const listFor = ({ forward, backward, buffers }: AttentionCase) =>
  listOf(
    buffers.map((buffer, id) => (buffer.home.segment === "scratch" ? output(`b${id}`, buffer.elements) : buffer)),
    [forward, backward],
  );

describeWebGpu("attention kernels in WGSL", function () {
  this.timeout(120_000);
  let device: WebGpuDevice;
  before(async () => {
    device = await openPoisoned();
  });
  after(() => device.close());

  async function assertAgrees(one: AttentionCase, draw: Random, what: string, absolute = 2e-4) {
    const list = listFor(one);
    const contents = contentsOf(one, draw);
    const [actual, expected] = [await runOnDevice(device, list, contents), runReference(list, contents)];
    for (const [name, values] of Object.entries(expected)) {
      assertClose(actual[name]!, values, `${what}, ${name}`, { absolute });
    }
  }

  it("agree with the float64 oracle, forwards and backwards, rows without a key included", async () => {
    const draw = randomFrom(seed);
    for (let number = 0; number < count; number++) {
      const one = randomAttention(draw, {
        lines: number % 4 === 0 ? [65, 130] : [1, 3, 17, 24],
        widths: number % 5 === 0 ? [1, 5] : [8, 16, 24],
        most: number % 4 === 0 ? 1 : 2,
      });
      await assertAgrees(one, draw, `case ${number} of seed ${seed}`);
    }
  });

  const extremes: readonly (readonly [string, AttentionSizes])[] = [
    ["one key", { lines: [1], queries: [5], widths: [8], most: 1 }],
    ["one query", { lines: [70], queries: [1], widths: [8], most: 1 }],
    ["whole blocks of keys", { lines: [64, 128], queries: [3], widths: [4], most: 1 }],
    ["heads wider than a workgroup", { lines: [5], widths: [65, 129], most: 1 }],
    ["no keys", { lines: [0], queries: [3], widths: [4], most: 1 }],
    ["no queries", { lines: [3], queries: [0], widths: [4], most: 1 }],
  ];
  for (const [what, sizes] of extremes) {
    it(`attend with ${what}`, async () => {
      for (const start of [1, 2]) await assertAgrees(randomAttention(randomFrom(start), sizes), randomFrom(9), what);
    });
  }

  it("stay exact for scores far from zero", async () => {
    const one = randomAttention(randomFrom(3), { lines: [24], widths: [16], most: 1 });
    const far = { ...one, forward: { ...one.forward, scale: 40 }, backward: { ...one.backward, scale: 40 } };
    const list = { ...listFor(far), kernels: [far.forward] };
    const contents = contentsOf(far, randomFrom(4));
    const name = `b${far.forward.output.buffer}`;
    const [actual, expected] = [await runOnDevice(device, list, contents), runReference(list, contents)];
    assertClose(actual[name]!, expected[name]!, "output", { absolute: 2e-3 });
  });

  it("give the same bits every time", async () => {
    const one = randomAttention(randomFrom(5), { lines: [70], queries: [66], widths: [8], most: 1 });
    const contents = contentsOf(one, randomFrom(6));
    const first = await runOnDevice(device, listFor(one), contents);
    assert.deepEqual(await runOnDevice(device, listFor(one), contents), first);
  });

  it("bind no more buffers than WebGPU grants everywhere, whatever is masked", () => {
    const draw = randomFrom(7);
    let masked = 0;
    for (let number = 0; number < 20; number++) {
      const { forward, backward, buffers } = randomAttention(draw, { lines: [3], widths: [8], most: 1 });
      if (forward.mask) masked++;
      const kernels = [...emitAttention(forward, buffers), ...emitAttentionBackward(backward, buffers)];
      for (const { bindings } of kernels) assert.ok(bindings.length <= 8, `${bindings.length} bindings`);
    }
    assert.ok(masked > 0);
  });
});
