import { createWebGpuDevice, type WebGpuDevice, type WebGpuDeviceOptions } from "../../runtime/webgpu/device.js";
import { nullGpu, softwareGpu } from "./software.js";

/** A device whose outputs and scratch are NaN before every run. */
export const openPoisoned = async (options: Partial<WebGpuDeviceOptions> = {}): Promise<WebGpuDevice> =>
  createWebGpuDevice({ gpu: await softwareGpu(), poison: true, ...options });

/** A device that validates everything and computes nothing. */
export const openNull = (): Promise<WebGpuDevice> => createWebGpuDevice({ gpu: nullGpu() });

/** A device beside WebGPU's own, which an accident can befall. `without` are features that it does not have. */
export async function openWatched(
  without: readonly GPUFeatureName[] = [],
): Promise<{ readonly device: WebGpuDevice; readonly own: GPUDevice }> {
  const gpu = await softwareGpu();
  const real = await gpu.requestAdapter();
  let own: GPUDevice | undefined;
  const adapter = {
    info: real!.info,
    limits: real!.limits,
    features: new Set([...real!.features].filter((feature) => !without.includes(feature as GPUFeatureName))),
    requestDevice: async (descriptor: GPUDeviceDescriptor) => {
      own = await real!.requestDevice(descriptor);
      return own;
    },
  } as unknown as GPUAdapter;
  const device = await createWebGpuDevice({ gpu, adapter });
  return { device, own: own! };
}
