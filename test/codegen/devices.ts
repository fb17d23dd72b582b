/** The devices that run generated code. What is promised of one is tested on all. */
import type { ProgramParts } from "../../codegen/assemble.js";
import { cProgram } from "../../codegen/c/program.js";
import type { Program } from "../../codegen/program.js";
import { wgslProgram } from "../../codegen/wgsl/program.js";
import { describeTarget } from "../../runtime/cpu/target.js";
import type { Device } from "../../runtime/device.js";
import { webgpuTarget } from "../../runtime/webgpu/target.js";
import type { Target } from "../../src/target.js";
import { openPoisoned as openCpu } from "../cpu/open-device.js";
import { openPoisoned as openWebGpu } from "../webgpu/open-device.js";
import { describeWebGpu } from "../webgpu/software.js";

export type Language = "C" | "WGSL";

/**
 * A suite of its own for every device, called `what` "in C" and "in WGSL". `device` gives the open one, whose outputs and scratch are NaN
 * before every run, while tests run.
 */
export function describeOnDevices(what: string, suite: (device: () => Device, language: Language) => void): void {
  const suiteOn = (language: Language, open: () => Promise<Device>) =>
    function (this: Mocha.Suite): void {
      this.timeout(300_000);
      let device: Device | undefined;
      before(async () => {
        device = await open();
      });
      after(() => device?.close());
      suite(() => device!, language);
    };
  describe(
    `${what} in C`,
    suiteOn("C", () => openCpu(2)),
  );
  describeWebGpu(
    `${what} in WGSL`,
    suiteOn("WGSL", () => openWebGpu()),
  );
}

/** What kernels are fused for on a device. */
export const targetOf = (device: Device): Target => (device.kind === "webgpu" ? webgpuTarget : describeTarget());

/** The program of some parts in the language that a device runs. */
export function programFor(device: Device, parts: Omit<ProgramParts, "target" | "batch" | "key">): Program {
  const whole = { ...parts, target: targetOf(device).name, batch: 1, key: "test" };
  return device.kind === "webgpu" ? wgslProgram(whole) : cProgram(whole);
}
