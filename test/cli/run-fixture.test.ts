import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Tensor } from "../../src/index.js";
import { publishedName } from "../std/published.js";
import { softwareGpu, unavailable } from "../webgpu/software.js";
import { readTensors, root, temporaryFolder, weft, writeTensors } from "./support.js";

const fixture = (name: string): string => join(root, "test/fixtures/nnt_flat", name);

interface Config {
  /** Worst error of a 32-bit implementation, and largest value, by name. */
  readonly f32_err: Readonly<Record<"outputs" | "grads", Readonly<Record<string, readonly [number, number]>>>>;
  /** Slot, module, first token, tokens, and shape of one layer's slot with its copies. */
  readonly layout: readonly (readonly [string, string, number, number, readonly number[]])[];
}

const config = JSON.parse(readFileSync(fixture("config.json"), "utf8")) as Config;
const [batch, layers, tokens, perToken] = [2, 3, 24, 32];

/** Where the numbers of a published slot stand among an instance's tokens. */
function places(layer: number, start: number): number {
  return (layer * tokens + start) * perToken;
}

/** Slots by published name, as the tokens that they are cut into. */
function asTokens(named: (name: string) => Tensor): Tensor {
  const data = new Float32Array(batch * layers * tokens * perToken);
  eachSlot((name, layer, start, size) => {
    const slot = named(name).data;
    for (let instance = 0; instance < batch; instance++)
      data.set(
        slot.subarray(instance * size, (instance + 1) * size) as Float32Array,
        instance * layers * tokens * perToken + places(layer, start),
      );
  });
  return { dtype: "f32", shape: [batch, layers, tokens, 4, 8], data };
}

function eachSlot(visit: (name: string, layer: number, start: number, size: number) => void): void {
  for (let layer = 0; layer < layers; layer++)
    for (const [slot, module, start, , shape] of config.layout)
      visit(
        `model.layers.${layer}.${module}.lora_${slot}`,
        layer,
        start,
        shape.reduce((product, size) => product * size, 1),
      );
}

function assertNear(found: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number, name: string): void {
  assert.equal(found.length, expected.length, name);
  let worst = 0;
  for (let place = 0; place < found.length; place++) {
    const error = Math.abs(found[place]! - expected[place]!);
    worst = Number.isNaN(error) ? Number.POSITIVE_INFINITY : Math.max(worst, error);
  }
  assert.ok(worst <= tolerance, `${name}: differs by ${worst}, allowed ${tolerance}`);
}

describe("weft run on the published generator", () => {
  for (const device of ["reference", "cpu", "webgpu"]) {
    it(`gives the slots and all gradients of an independent implementation on the ${device} device`, async function () {
      if (device === "webgpu") {
        if (unavailable !== undefined) this.skip();
        this.timeout(240_000);
        await softwareGpu();
      }
      const folder = await temporaryFolder();
      const inputs = await readTensors(fixture("inputs.safetensors"));
      const outcome = await weft(
        ...["run", fixture("nnt_flat.weft"), "operators", "--device", device],
        ...["--params", fixture("params.safetensors"), "--map", join(root, "dsl/std/published-names.json")],
        ...["--inputs", await writeTensors(join(folder, "inputs"), { cond: inputs.get("cond")! })],
        ...[
          "--cotangent",
          await writeTensors(join(folder, "cotangents"), {
            output: asTokens((name) => inputs.get(`cotangent.${name}`)!),
          }),
        ],
        ...["--grad", "*,cond", "--out", join(folder, "out.safetensors")],
      );
      assert.deepEqual({ code: outcome.code, stderr: outcome.stderr }, { code: 0, stderr: "" });
      const results = await readTensors(join(folder, "out.safetensors"));

      const expected = await readTensors(fixture("outputs.safetensors"));
      const output = results.get("output")!;
      assert.deepEqual(output.shape, [batch, layers, tokens, 4, 8]);
      eachSlot((name, layer, start, size) => {
        for (let instance = 0; instance < batch; instance++) {
          const from = instance * layers * tokens * perToken + places(layer, start);
          const wanted = expected.get(name)!.data.subarray(instance * size, (instance + 1) * size);
          assertNear(output.data.subarray(from, from + size), wanted, 10 * config.f32_err.outputs[name]![0], name);
        }
      });

      const gradients = await readTensors(fixture("grads.safetensors"));
      const found = new Map(
        [...results]
          .filter(([name]) => name.startsWith("gradient:"))
          .map(([name, tensor]) => [publishedName(name.slice("gradient:".length)), tensor]),
      );
      assert.deepEqual([...found.keys()].sort(), [...gradients.keys()].sort());
      for (const [name, tensor] of found) {
        assert.deepEqual(tensor.shape, gradients.get(name)!.shape, name);
        assertNear(tensor.data, gradients.get(name)!.data, 10 * config.f32_err.grads[name]![0], name);
      }
    });
  }
});
