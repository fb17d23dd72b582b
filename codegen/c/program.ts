/** Programs in C. */
import { assemble, type ProgramParts } from "../assemble.js";
import type { Program } from "../program.js";
import { trusted } from "../trust.js";
import { emitKernels } from "./index.js";

/** Generates a program in C from planned kernel records. */
export const cProgram = (parts: ProgramParts): Program =>
  trusted(assemble(parts, { language: "c", emit: emitKernels }));
