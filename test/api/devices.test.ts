import assert from "node:assert/strict";
import { webgpuTarget } from "../../runtime/webgpu/target.js";
import {
  compile,
  memorySource,
  nodeHost,
  type OpenDevice,
  openDevice,
  runEntry,
  type Tensor,
  targetOf,
  train,
  trainingPrograms,
} from "../../src/index.js";
import { floats, model, temporaryFolder, weftProcess, writeTensors } from "../cli/support.js";
import { pairs } from "../cli/training-data.js";
import { describeWebGpu, softwareGpu } from "../webgpu/software.js";

describe("the choice of a device", () => {
  it("takes the CPU where its threads are told", async () => {
    const { device, target } = await openDevice(undefined, { threads: 1 });
    await device.close();
    assert.deepEqual([device.kind, target.name, target.threads], ["cpu", "cpu", 1]);
  });

  it("knows targets of devices that are not there", () => {
    const { language, limits } = targetOf("webgpu");
    assert.deepEqual([language, limits], ["wgsl", { buffersPerKernel: 8, bytesPerBinding: 128 << 20 }]);
    assert.deepEqual([targetOf("cpu", { threads: 3 }).threads, targetOf("reference").language], [3, "graph"]);
  });

  const onLinux = process.platform === "linux" ? it : it.skip;
  onLinux("says in words, and once, why there is no GPU when one is asked for", async () => {
    const folder = await temporaryFolder();
    const params = await writeTensors(`${folder}/params.safetensors`, {});
    const args = ["run", model("small"), "scaled", "--inputs", params, "--out", `${folder}/out`, "--device", "webgpu"];
    const { code, stdout, stderr } = await weftProcess(args, { environment: { VK_DRIVER_FILES: "/nowhere.json" } });
    assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
    assert.match(stderr, /^weft: There is (no Vulkan loader|a Vulkan loader, but no driver)/);
    assert.doesNotMatch(stderr, /Warning/);
  });
});

describeWebGpu("the choice of a device where there is a WebGPU adapter", function () {
  this.timeout(120_000);
  let open: OpenDevice;
  before(async () => {
    await softwareGpu();
    open = await openDevice("webgpu");
  });
  after(() => open?.device.close());

  it("opens it when asked, with a target of its own limits", () => {
    assert.equal(open.device.kind, "webgpu");
    assert.match(open.device.name, /^webgpu \(.+\)$/);
    const { language, limits } = open.target;
    assert.equal(language, "wgsl");
    assert.ok(limits.buffersPerKernel >= webgpuTarget.limits.buffersPerKernel);
    assert.ok(limits.bytesPerBinding >= webgpuTarget.limits.bytesPerBinding);
  });

  it("takes it for granted only when it is a GPU", async () => {
    const { device } = await openDevice();
    await device.close();
    assert.equal(device.kind, open.device.name.includes("software") ? "cpu" : "webgpu");
  });

  it("gives the numbers that the CPU gives, also from the cache of programs", async () => {
    const compiled = await compile(model("small"));
    const inputs = new Map([
      ["x", floats([2, 3], [1, 2, 3, 4, 5, 6])],
      ["scale", floats([3], [1, -1, 0.5])],
    ]);
    const request = { entry: "scaled", parameters: new Map(), inputs };
    const cpu = await openDevice("cpu");
    try {
      const expected = await runEntry(compiled, cpu, request);
      for (let run = 0; run < 2; run++) assert.deepEqual(await runEntry(compiled, open, request), expected);
    } finally {
      await cpu.device.close();
    }
  });

  it("trains with nearly the numbers that the CPU trains with", async () => {
    const compiled = await compile(model("regression"), { settings: { steps: 12 } });
    const column = ({ shape, data }: Tensor) => ({ dtype: "f32" as const, shape: shape.slice(1), data });
    const { x, y } = pairs(64, 1);
    const data = ["pairs", "held_out"].map((name) => memorySource(name, { x: column(x), y: column(y) }));
    const trained = async (on: OpenDevice): Promise<Map<string, ArrayLike<number>>> => {
      const { model } = compiled;
      const folder = await temporaryFolder();
      const programs = trainingPrograms(compiled, on);
      const { parameters } = await train({ model, stage: "base", seed: 3, folder, host: nodeHost(), programs, data });
      const values = new Map<string, ArrayLike<number>>();
      for (const { path } of model.parameters) values.set(path, await parameters.read(path));
      parameters.free();
      return values;
    };
    const cpu = await openDevice("cpu");
    try {
      const expected = await trained(cpu);
      for (const [path, values] of await trained(open)) {
        Array.from(values).forEach((value, place) => {
          const wanted = expected.get(path)![place]!;
          assert.ok(Math.abs(value - wanted) < 1e-4, `${path}[${place}] is ${value} instead of ${wanted}`);
        });
      }
    } finally {
      await cpu.device.close();
    }
  });
});
