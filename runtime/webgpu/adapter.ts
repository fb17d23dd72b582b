/// <reference types="@webgpu/types" preserve="true" />
/** What an adapter is and can do, and what a device is asked for. */
import { pieceBytes } from "../../src/kernels/layout.js";

export interface AdapterDescription {
  /** What a user reads: "webgpu (nvidia-h200)". */
  readonly name: string;
  /** Whether it computes on the CPU. */
  readonly software: boolean;
  /** Those that a device opened here is given. */
  readonly features: readonly GPUFeatureName[];
  readonly limits: Readonly<Record<LimitName, number>>;
}

const wantedFeatures: readonly GPUFeatureName[] = ["timestamp-query", "shader-f16", "subgroups"];

const wantedLimits = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupSizeY",
  "maxComputeWorkgroupSizeZ",
  "maxComputeWorkgroupsPerDimension",
] as const;

export type LimitName = (typeof wantedLimits)[number];

const softwareNames = /swiftshader|llvmpipe|lavapipe|softpipe|basic render driver|\bwarp\b/i;

/** Asks for the fastest adapter. Rejects with an Error that says what may be missing when there is none. */
export async function requestAdapter(gpu: GPU): Promise<GPUAdapter> {
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (adapter) return adapter;
  throw new Error("No WebGPU adapter was found. It takes a GPU with a Vulkan, Metal or Direct3D 12 driver");
}

export function describeAdapter(adapter: GPUAdapter): AdapterDescription {
  const { info, features, limits } = adapter;
  const { vendor, architecture, device, description } = info;
  const software = info.isFallbackAdapter || softwareNames.test([vendor, architecture, device, description].join(" "));
  const known =
    (device || `${vendor} ${architecture}`).replace(/^[\s-]+|[\s-]+$/g, "") || description || "unknown adapter";
  return {
    name: `webgpu (${known}${software ? ", software" : ""})`,
    software,
    features: wantedFeatures.filter((feature) => features.has(feature)),
    limits: Object.fromEntries(wantedLimits.map((name) => [name, limits[name]])) as Record<LimitName, number>,
  };
}

/** A device with all that the description tells of. An adapter gives only one. */
export function requestDevice(adapter: GPUAdapter): Promise<GPUDevice> {
  const { features, limits } = describeAdapter(adapter);
  return adapter.requestDevice({ requiredFeatures: features, requiredLimits: { ...limits } });
}

/** Kernels count elements by i32. */
const mostBytes = 2 ** 31;

/** Bytes of a buffer that kernels bind at once: as much as keeps to the cuts of devices that bind less. */
export const bytesPerBinding = (
  limits: Pick<GPUSupportedLimits, "maxBufferSize" | "maxStorageBufferBindingSize">,
): number => pieceBytes(Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize, mostBytes - 1));
