/** What `weft doctor` finds out about this machine. */
import { cacheFolder } from "../../runtime/cpu/cache.js";
import { describeTarget } from "../../runtime/cpu/target.js";
import { findToolchain } from "../../runtime/cpu/toolchain.js";
import { dawnBackend } from "./dawn.js";
import { type DeviceKind, deviceKinds, openDevice } from "./devices.js";
import { findGpu } from "./gpu.js";

export interface DeviceReport {
  readonly device: DeviceKind;
  readonly ready: boolean;
  /** Whether it is taken when no device is named. */
  readonly default: boolean;
  /** The device's name, or what is missing and how to get it. */
  readonly detail: string;
  /** Whether it is a GPU's interface computed on the CPU. */
  readonly software: boolean;
  /** What is known of it: limits (sizes in bytes), versions, folders. */
  readonly properties: Readonly<Record<string, string | number | readonly string[]>>;
}

type Finding = Omit<DeviceReport, "default">;

/** Opens every kind of device and closes it again. */
export async function reportDevices(): Promise<readonly DeviceReport[]> {
  const findings: Finding[] = [];
  for (const kind of deviceKinds) findings.push(await examine(kind));
  const ready = findings.filter((finding) => finding.ready);
  const best =
    ready.find(({ device, software }) => device === "webgpu" && !software) ??
    ready.find(({ device }) => device === "cpu") ??
    ready.find(({ software }) => software);
  return findings.map((finding) => ({ ...finding, default: finding === best }));
}

async function examine(device: DeviceKind): Promise<Finding> {
  try {
    switch (device) {
      case "webgpu":
        return await examineGpu();
      case "cpu":
        return await examineCpu();
      case "reference":
        return { device, ready: true, software: false, detail: await openedName(device), properties: {} };
    }
  } catch (error) {
    return { device, ready: false, software: false, detail: (error as Error).message, properties: {} };
  }
}

async function openedName(kind: DeviceKind): Promise<string> {
  const { device } = await openDevice(kind);
  await device.close();
  return device.name;
}

async function examineGpu(): Promise<Finding> {
  const { description, info, open } = await findGpu();
  const { device } = await open();
  await device.close();
  const { limits, features, software } = description;
  return {
    device: "webgpu",
    ready: true,
    software,
    detail: device.name,
    properties: {
      vendor: info.vendor,
      architecture: info.architecture,
      description: info.description,
      backend: dawnBackend,
      storageBuffersPerKernel: limits.maxStorageBuffersPerShaderStage,
      bytesPerBinding: limits.maxStorageBufferBindingSize,
      bytesPerBuffer: limits.maxBufferSize,
      workgroupBytes: limits.maxComputeWorkgroupStorageSize,
      features,
    },
  };
}

async function examineCpu(): Promise<Finding> {
  const detail = await openedName("cpu");
  const { command, version } = await findToolchain();
  const { threads, vectorWidth } = describeTarget();
  return {
    device: "cpu",
    ready: true,
    software: false,
    detail,
    properties: { compiler: command, compilerVersion: version, threads, vectorWidth, cache: cacheFolder() },
  };
}
