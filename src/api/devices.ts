import { createCpuDevice } from "../../runtime/cpu/device.js";
import { describeTarget } from "../../runtime/cpu/target.js";
import type { Device } from "../../runtime/device.js";
import { createReferenceDevice } from "../../runtime/reference/device.js";
import { referenceTarget, type Target } from "../target.js";

export const deviceKinds = ["cpu", "reference"] as const;
export type DeviceKind = (typeof deviceKinds)[number];

/** A device that is ready, and the target that programs for it are compiled to. */
export interface OpenDevice {
  readonly device: Device;
  readonly target: Target;
}

export interface DeviceOptions {
  /** Threads of the CPU device; all cores unless given. */
  readonly threads?: number;
}

/** Opens a device; without a kind, the fastest one present. Rejects with an Error that says what is missing and how to get it. */
export async function openDevice(kind: DeviceKind = "cpu", options: DeviceOptions = {}): Promise<OpenDevice> {
  switch (kind) {
    case "cpu":
      return { device: await createCpuDevice(options), target: describeTarget(options) };
    case "reference":
      return { device: createReferenceDevice(), target: referenceTarget };
  }
}

/** The target of a device of this machine, without opening it. */
export function targetOf(kind: DeviceKind, options: DeviceOptions = {}): Target {
  return kind === "cpu" ? describeTarget(options) : referenceTarget;
}
