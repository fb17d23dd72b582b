import assert from "node:assert/strict";
import type { Program } from "../../codegen/program.js";
import { createCpuDevice } from "../../runtime/cpu/device.js";
import type { Device } from "../../runtime/device.js";
import { keepsTheContract } from "../devices/contract.js";
import { openPoisoned } from "./open-device.js";
import { programs } from "./programs.js";

const floats = (...values: number[]): Float32Array => Float32Array.from(values);

describe("the CPU device", function () {
  this.timeout(60_000);
  let device: Device;
  before(async () => {
    device = await openPoisoned(2);
  });
  after(() => device.close());

  it("says what it runs on", () => {
    assert.match(device.name, /^cpu \(2 threads, [\w- ]+\)$/);
    assert.equal(device.kind, "cpu");
  });

  it("refuses programs that were not generated here, unless told to trust them", async () => {
    const read = JSON.parse(JSON.stringify(programs.sum())) as Program;
    await assert.rejects(device.load(read), /not generated in this process/);
    const trusting = await createCpuDevice({ threads: 1, trust: true });
    const executable = await trusting.load(read);
    const result = await executable.submit({ x: floats(1, 2, 3, 4), z: floats(1, 1, 1, 1) }).read(["y"]);
    assert.deepEqual(result.y, floats(2, 3, 4, 5));
    executable.free();
    await trusting.close();
  });

  keepsTheContract({ open: () => openPoisoned(2), programs, large: 1 << 20 });
});
