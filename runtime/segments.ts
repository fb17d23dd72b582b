/** The segments of a program's memory. */
import type { Program, SegmentName } from "../codegen/program.js";

export const segmentNames: readonly SegmentName[] = [
  "parameters",
  "gradients",
  "optimizer",
  "prepared",
  "constants",
  "inputs",
  "outputs",
  "scalars",
  "scratch",
];

/** Those that every executable has for itself. The parameters have some, and the device has scratch. */
export const ownSegments = ["prepared", "constants", "inputs", "outputs", "scalars"] as const satisfies SegmentName[];

/** What a program takes of every segment, one line each. */
export function memoryLines(program: Program): readonly string[] {
  return Object.entries(program.segments)
    .filter(([, bytes]) => bytes > 0)
    .map(([name, bytes]) => `${name.padEnd(12)} ${formatBytes(bytes)}`);
}

function formatBytes(bytes: number): string {
  if (bytes < 1 << 10) return `${bytes} bytes`;
  const [unit, name] = bytes < 1 << 20 ? [1 << 10, "KiB"] : bytes < 1 << 30 ? [1 << 20, "MiB"] : [1 << 30, "GiB"];
  return `${(bytes / unit).toFixed(1)} ${name}`;
}
