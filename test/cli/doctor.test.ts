import assert from "node:assert/strict";
import { symlink } from "node:fs/promises";
import { join } from "node:path";
import type { DeviceReport } from "../../src/index.js";
import { describeWebGpu, onHardware, softwareEnvironment } from "../webgpu/software.js";
import { temporaryFolder, weft, weftProcess } from "./support.js";

interface Report {
  readonly machine: { readonly node: string; readonly cores: number };
  readonly devices: readonly DeviceReport[];
}

const onLinux = process.platform === "linux" ? it : it.skip;

/** As if no Vulkan driver was installed. */
const withoutGpu = { VK_DRIVER_FILES: "/nowhere.json", VK_ICD_FILENAMES: "", VK_ADD_DRIVER_FILES: "" };

/** As if no C compiler was installed. */
async function withoutCompiler(): Promise<NodeJS.ProcessEnv> {
  const folder = await temporaryFolder();
  await symlink(process.execPath, join(folder, "node"));
  return { PATH: folder, CC: "", WEFT_CACHE: join(folder, "cache") };
}

describe("weft doctor", () => {
  it("shows the machine, and each device with what it can do or with what is missing", async () => {
    const { code, stdout, stderr } = await weft("doctor");
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    assert.ok(stdout.startsWith(`node ${process.version}, ${process.platform} ${process.arch}, `), stdout);
    assert.match(stdout, /^(ready {4}webgpu {5}webgpu \(.+\)|missing {2}webgpu {5}\S.+)$/m);
    assert.match(stdout, /^ready {4}cpu {8}cpu \(\d+ threads?, .+\)\n {20}compiled by .+, vectors of \d+ floats\n/m);
    assert.match(stdout, /^ready {4}reference {2}\S/m);
    assert.match(stdout, /^Without --device: (webgpu|cpu)$/m);
  });

  it("says the same as JSON", async () => {
    const { code, stdout } = await weft("doctor", "--json");
    const { machine, devices } = JSON.parse(stdout) as Report;
    assert.equal(code, 0);
    assert.equal(machine.node, process.version);
    assert.ok(machine.cores >= 1);
    assert.deepEqual(
      devices.map(({ device }) => device),
      ["webgpu", "cpu", "reference"],
    );
    const [webgpu, cpu, reference] = devices;
    assert.deepEqual([cpu!.ready, reference!.ready], [true, true]);
    assert.deepEqual(Object.keys(cpu!.properties), ["compiler", "compilerVersion", "threads", "vectorWidth", "cache"]);
    assert.deepEqual(
      devices.filter((device) => device.default),
      [webgpu!.ready && !webgpu!.software ? webgpu : cpu],
    );
  });

  onLinux("says what a machine without a GPU lacks, and complains of nothing", async () => {
    const { code, stdout, stderr } = await weftProcess(["doctor"], { environment: withoutGpu });
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    assert.match(stdout, /^missing {2}webgpu {5}There is (no Vulkan loader|a Vulkan loader, but no driver for it)/m);
    assert.match(stdout, /apt install/);
    assert.match(stdout, /^Without --device: cpu$/m);
  });

  onLinux("names the package to install where there is no compiler either, and fails", async () => {
    const environment = { ...withoutGpu, ...(await withoutCompiler()) };
    const { code, stdout } = await weftProcess(["doctor"], { environment });
    assert.equal(code, 1);
    assert.match(stdout, /^missing {2}cpu {8}\S/m);
    assert.match(stdout, /apt install gcc/);
    assert.match(stdout, /^ready {4}reference/m);
    assert.match(stdout, /^Without --device: none/m);
  });
});

describeWebGpu("weft doctor where there is an adapter", () => {
  if (onHardware) return;

  it("shows its limits and features, and prefers the CPU to one that is software", async () => {
    const { code, stdout, stderr } = await weftProcess(["doctor"], { environment: await softwareEnvironment() });
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    assert.match(stdout, /^ready {4}webgpu {5}webgpu \(.*, software\)$/m);
    assert.match(stdout, /^ {20}.*through Vulkan$/m);
    assert.match(
      stdout,
      /^ {20}\d+ buffers per kernel, .+ per binding, .+ per buffer, .+ of workgroup memory\n {20}features: \S/m,
    );
    assert.match(stdout, /chosen only when asked for, or where there is no C compiler/);
    assert.match(stdout, /^Without --device: cpu$/m);
  });

  it("falls back on one that is software where there is no compiler", async () => {
    const environment = { ...(await softwareEnvironment()), ...(await withoutCompiler()) };
    const { code, stdout } = await weftProcess(["doctor", "--json"], { environment });
    assert.equal(code, 0);
    const { devices } = JSON.parse(stdout) as Report;
    assert.deepEqual(
      devices.map(({ device, ready, software, default: best }) => ({ device, ready, software, best })),
      [
        { device: "webgpu", ready: true, software: true, best: true },
        { device: "cpu", ready: false, software: false, best: false },
        { device: "reference", ready: true, software: false, best: false },
      ],
    );
  });
});
