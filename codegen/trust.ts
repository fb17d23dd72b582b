/**
 * Programs whose kernels are native code are run only when they were generated in this process: a program read from a file could do
 * anything. WGSL programs need no trust; they are validated whole.
 */
import type { Program } from "./program.js";

const generatedHere = new WeakSet<Program>();

/** Marks a program as generated in this process, and returns it. Only for code generators. */
export function trusted<P extends Program>(program: P): P {
  generatedHere.add(program);
  return program;
}

export const isTrusted = (program: Program): boolean => generatedHere.has(program);
