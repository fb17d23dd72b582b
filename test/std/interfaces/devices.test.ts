import { strict as assert } from "node:assert";
import { webgpuTarget } from "../../../runtime/webgpu/target.js";
import { type OpenDevice, openDevice } from "../../../src/api/devices.js";
import type { Compiled } from "../../../src/api/load.js";
import { type RunRequest, runEntry } from "../../../src/api/run.js";
import { elementCount } from "../../../src/graph/shape.js";
import { openPoisoned } from "../../webgpu/open-device.js";
import { describeWebGpu } from "../../webgpu/software.js";
import { cases, type InterfaceCase } from "./cases.js";
import { numbersFor, trialOf, wave } from "./trial.js";

/** Devices that are compared with the interpreter: outputs, and gradients by tokens and input. */
const openers: Readonly<Record<string, () => Promise<OpenDevice>>> = {
  cpu: () => openDevice("cpu", { threads: 2 }),
  webgpu: async () => ({ device: await openPoisoned(), target: webgpuTarget }),
};

interface Run {
  readonly compiled: Compiled;
  readonly request: RunRequest;
}

const instances = 2;

/** Two instances, each with slots of its own. */
async function runOf(tried: InterfaceCase): Promise<Run> {
  const model = await trialOf(tried);
  const trials = Array.from({ length: instances }, (_, seed) => numbersFor(model, tried.shape, 3 * seed));
  const floats = (shape: readonly number[], ...parts: readonly ArrayLike<number>[]) => {
    const data = Float32Array.from(parts.flatMap((part) => Array.from(part)));
    return { dtype: "f32" as const, shape, data };
  };
  const { outputs, inputs } = model.entryPoint("adapted");
  const shapeOf = (name: string) => [instances, ...inputs.find((input) => input.name === name)!.shape];
  const parameters = model.parameters.map(({ path, dtype, shape }) => {
    const data = trials[0]!.stored.get(path)!;
    return [path, dtype === "i32" ? { dtype, shape, data: Int32Array.from(data) } : floats(shape, data)] as const;
  });
  const cotangent = [instances, ...outputs[0]!.shape];
  const request: RunRequest = {
    entry: "adapted",
    parameters: new Map(parameters),
    inputs: new Map([
      ["x", floats(shapeOf("x"), ...trials.map(({ numbers }) => numbers.x))],
      ["t", floats(shapeOf("t"), ...trials.map(({ tokens }) => tokens))],
    ]),
    gradients: ["x", "t"],
    cotangents: new Map([["output", floats(cotangent, wave(elementCount(cotangent), 9))]]),
  };
  const { name, settings, module } = tried;
  return { compiled: { model, sources: new Map([["trial", `${name} ${settings} ${module}`]]), warnings: [] }, request };
}

for (const [kind, open] of Object.entries(openers)) {
  const suite = kind === "webgpu" ? describeWebGpu : describe;
  suite(`interfaces on the ${kind} device`, () => {
    let device: OpenDevice;
    let reference: OpenDevice;
    before(async () => {
      [device, reference] = await Promise.all([open(), openDevice("reference")]);
    });
    after(() => Promise.all([device.device.close(), reference.device.close()]));

    for (const tried of cases) {
      it(`${tried.name}(${tried.settings}) on ${tried.module}, forward and backward`, async () => {
        const { compiled, request } = await runOf(tried);
        const expected = await runEntry(compiled, reference, request);
        const found = await runEntry(compiled, device, request);
        assert.deepEqual([...found.keys()].sort(), ["gradient:t", "gradient:x", "output"]);
        for (const [name, { data }] of expected) {
          data.forEach((number, place) => {
            const actual = Number(found.get(name)!.data[place]);
            const tolerance = 2e-5 * Math.max(1, Math.abs(number));
            assert.ok(Math.abs(actual - number) <= tolerance, `${name}[${place}]: ${actual} instead of ${number}`);
          });
        }
      });
    }
  });
}
