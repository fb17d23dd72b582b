import { describeTarget } from "../../runtime/cpu/target.js";
import type { Device } from "../../runtime/device.js";
import { webgpuTarget } from "../../runtime/webgpu/target.js";
import { referenceTarget, type Target } from "../target.js";
import { findGpu } from "./gpu.js";

export const deviceKinds = ["webgpu", "cpu", "reference"] as const;
export type DeviceKind = (typeof deviceKinds)[number];

/** A device that is ready, and the target that programs for it are compiled to. */
export interface OpenDevice {
  readonly device: Device;
  readonly target: Target;
}

export interface DeviceOptions {
  /** Threads of the CPU device; all cores unless given. Without a kind of device, it is the CPU that is meant. */
  readonly threads?: number;
}

/**
 * Opens a device; without a kind, the best one present: a GPU, then the CPU, then a WebGPU adapter that is software. The reference
 * interpreter must be asked for. Rejects with an Error that says what is missing and how to get it.
 */
export async function openDevice(kind?: DeviceKind, options: DeviceOptions = {}): Promise<OpenDevice> {
  switch (kind) {
    case "webgpu":
      return (await findGpu()).open();
    case "cpu":
      return openCpu(options);
    case "reference": {
      const { createReferenceDevice } = await import("../../runtime/reference/device.js");
      return { device: createReferenceDevice(), target: referenceTarget };
    }
    case undefined:
      return options.threads === undefined ? openBest() : openCpu(options);
  }
}

/** The target of a kind of device, without opening it: of this machine's CPU, of any WebGPU adapter. */
export function targetOf(kind: DeviceKind, options: DeviceOptions = {}): Target {
  switch (kind) {
    case "webgpu":
      return webgpuTarget;
    case "cpu":
      return describeTarget(options);
    case "reference":
      return referenceTarget;
  }
}

async function openCpu(options: DeviceOptions): Promise<OpenDevice> {
  // The native parts of a device are loaded for those that use it.
  const { createCpuDevice } = await import("../../runtime/cpu/device.js");
  return { device: await createCpuDevice(options), target: describeTarget(options) };
}

async function openBest(): Promise<OpenDevice> {
  const failures: string[] = [];
  const attempt = async <T>(step: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await step();
    } catch (error) {
      failures.push((error as Error).message);
      return undefined;
    }
  };
  const gpu = await attempt(findGpu);
  const open =
    (gpu && !gpu.description.software ? await attempt(gpu.open) : undefined) ??
    (await attempt(() => openCpu({}))) ??
    (gpu?.description.software ? await attempt(gpu.open) : undefined);
  if (open) return open;
  throw new Error(
    [...failures, 'The device "reference" runs everywhere, but slowly; it must be asked for.'].join("\n\n"),
  );
}
