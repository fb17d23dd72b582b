import assert from "node:assert/strict";
import { wgslProgram } from "../../codegen/wgsl/program.js";
import { keepsTheContract } from "../devices/contract.js";
import { programsOf } from "../devices/programs.js";
import { openPoisoned } from "./open-device.js";
import { describeWebGpu, onHardware } from "./software.js";

const programs = programsOf(wgslProgram);

describeWebGpu("the WebGPU device", function () {
  this.timeout(60_000);

  it("says what it runs on", async () => {
    const device = await openPoisoned();
    assert.match(device.name, onHardware ? /^webgpu \(.+\)$/ : /^webgpu \(swiftshader.*, software\)$/);
    assert.equal(device.kind, "webgpu");
    assert.equal(device.adapter.software, !onHardware);
    await device.close();
  });

  keepsTheContract({ open: openPoisoned, programs, large: 1 << 16 });
});
