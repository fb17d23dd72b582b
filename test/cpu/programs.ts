import { cProgram } from "../../codegen/c/program.js";
import { programsOf } from "../devices/programs.js";

/** The small programs, in C. */
export const programs = programsOf(cProgram);
