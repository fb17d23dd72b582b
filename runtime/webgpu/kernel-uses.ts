import type { Launch, Program } from "../../codegen/program.js";
import { argumentBytes } from "./arguments.js";
import type { KernelUse } from "./pipelines.js";

/**
 * What a program says that each of its kernels does. Scratch is bound alike by all, and parts of one segment by a kernel that writes some.
 * Throws an Error where launches of one kernel say different things.
 */
export function kernelUses({ kernels, prepare, step }: Program): readonly KernelUse[] {
  const uses: (KernelUse | undefined)[] = kernels.map(() => undefined);
  for (const launch of [...prepare, ...step]) {
    const use = useOf(launch);
    const known = uses[launch.kernel];
    if (known && (known.argumentBytes !== use.argumentBytes || String(known.writable) !== String(use.writable))) {
      throw new Error(`Kernel ${JSON.stringify(launch.label)} is launched with other bindings or arguments elsewhere`);
    }
    uses[launch.kernel] = use;
  }
  return uses.map((use) => use ?? { argumentBytes: 16, writable: [] });
}

function useOf(launch: Launch): KernelUse {
  const written = new Set(launch.bindings.filter(({ access }) => access !== "read").map(({ segment }) => segment));
  return {
    argumentBytes: argumentBytes(launch),
    writable: launch.bindings.map(({ segment }) => segment === "scratch" || written.has(segment)),
  };
}
