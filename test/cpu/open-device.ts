import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCpuDevice } from "../../runtime/cpu/device.js";
import type { Device } from "../../runtime/device.js";

/** A folder that is there for one test file. */
export function temporaryFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "weft-test-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** A device whose outputs and scratch are NaN before every run. */
export const openPoisoned = (threads: number): Promise<Device> => createCpuDevice({ threads, poison: true });
