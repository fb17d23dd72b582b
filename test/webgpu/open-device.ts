import { createWebGpuDevice, type WebGpuDevice, type WebGpuDeviceOptions } from "../../runtime/webgpu/device.js";
import { nullGpu, softwareGpu } from "./software.js";

/** A device whose outputs and scratch are NaN before every run. */
export const openPoisoned = async (options: Partial<WebGpuDeviceOptions> = {}): Promise<WebGpuDevice> =>
  createWebGpuDevice({ gpu: await softwareGpu(), poison: true, ...options });

/** A device that validates everything and computes nothing. */
export const openNull = (): Promise<WebGpuDevice> => createWebGpuDevice({ gpu: nullGpu() });
