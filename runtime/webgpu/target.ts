/** WebGPU as a target: what its guarantees, or the limits of one adapter, allow kernels. */
import type { Target } from "../../src/target.js";
import { bytesPerBinding } from "./adapter.js";

/** Limits of an adapter or of an open device, as far as programs depend on them. */
export interface WebGpuLimits {
  readonly maxStorageBuffersPerShaderStage: number;
  readonly maxStorageBufferBindingSize: number;
  readonly maxBufferSize: number;
  readonly maxComputeWorkgroupStorageSize: number;
}

/** The target of a device with these limits. Its programs run on every device that binds buffers as large. */
export function describeWebGpuTarget(limits: WebGpuLimits): Target {
  return {
    name: "webgpu",
    language: "wgsl",
    dtypes: ["f32", "f16", "bf16", "i32", "u32", "bool"],
    vectorWidth: 1,
    // One queue runs everything in order.
    threads: 1,
    limits: {
      buffersPerKernel: limits.maxStorageBuffersPerShaderStage,
      bytesPerBinding: bytesPerBinding(limits),
    },
    cacheBytes: { level1: limits.maxComputeWorkgroupStorageSize, level2: 0 },
    contractionPrologue: true,
  };
}

/** What every adapter grants: the defaults of the WebGPU specification. Its programs run on every device. */
export const webgpuTarget: Target = describeWebGpuTarget({
  maxStorageBuffersPerShaderStage: 8,
  maxStorageBufferBindingSize: 128 << 20,
  maxBufferSize: 256 << 20,
  maxComputeWorkgroupStorageSize: 16 << 10,
});
