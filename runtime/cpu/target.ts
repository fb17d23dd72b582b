/** This machine's CPU as a target. */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { attentionWidth } from "../../codegen/c/attention.js";
import type { Target } from "../../src/target.js";

/** Instruction sets that /proc/cpuinfo names; empty where there is no such file. */
function processorFeatures(): ReadonlySet<string> {
  const info = readText("/proc/cpuinfo");
  return new Set((/^(?:flags|Features)\s*:\s*(.*)$/m.exec(info)?.[1] ?? "").split(" "));
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** Bytes of a data cache of the first core, as Linux tells; `otherwise` elsewhere. */
function cacheBytes(level: number, otherwise: number): number {
  for (let index = 0; index < 8; index++) {
    const folder = `/sys/devices/system/cpu/cpu0/cache/index${index}`;
    if (readText(`${folder}/level`).trim() !== String(level)) continue;
    if (readText(`${folder}/type`).trim() === "Instruction") continue;
    const size = /^(\d+)([KM])/.exec(readText(`${folder}/size`));
    if (size) return Number(size[1]) * (size[2] === "M" ? 1 << 20 : 1 << 10);
  }
  return otherwise;
}

/** f32 lanes of a vector register. */
function vectorWidth(): number {
  const features = processorFeatures();
  if (features.has("avx512f")) return 16;
  if (features.has("avx2")) return 8;
  return process.arch === "x64" || process.arch === "arm64" ? 4 : 1;
}

/** Describes this machine without opening a device. `threads` is the number of cores unless given. */
export function describeTarget(options: { readonly threads?: number } = {}): Target {
  return {
    name: "cpu",
    language: "c",
    dtypes: ["f32", "f16", "bf16", "i32", "u32", "bool"],
    vectorWidth: vectorWidth(),
    threads: options.threads ?? availableParallelism(),
    limits: { buffersPerKernel: 64, bytesPerBinding: Number.MAX_SAFE_INTEGER, attentionWidth },
    cacheBytes: { level1: cacheBytes(1, 32 << 10), level2: cacheBytes(2, 1 << 20) },
    contractionPrologue: true,
  };
}
