/// <reference types="@webgpu/types" preserve="true" />
import type { AdapterDescription } from "../../runtime/webgpu/adapter.js";
import { describeWebGpuTarget } from "../../runtime/webgpu/target.js";
import { openDawn } from "./dawn.js";
import type { OpenDevice } from "./devices.js";

/** A WebGPU adapter, which gives one device. */
export interface FoundGpu {
  readonly description: AdapterDescription;
  readonly info: GPUAdapterInfo;
  open(): Promise<OpenDevice>;
}

/** The fastest WebGPU adapter. Rejects with an Error that says what is missing and how to get it. */
export async function findGpu(): Promise<FoundGpu> {
  const gpu = await openDawn();
  const { describeAdapter, requestAdapter } = await import("../../runtime/webgpu/adapter.js");
  const adapter = await requestAdapter(gpu);
  return {
    description: describeAdapter(adapter),
    info: adapter.info,
    async open() {
      const { createWebGpuDevice } = await import("../../runtime/webgpu/device.js");
      const device = await createWebGpuDevice({ gpu, adapter });
      return { device, target: describeWebGpuTarget(device.adapter.limits) };
    },
  };
}
