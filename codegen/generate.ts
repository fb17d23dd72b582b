import type { Lowered } from "../src/compile.js";
import { partsOf } from "./assemble.js";
import { cProgram } from "./c/program.js";
import { graphProgram } from "./graph-program.js";
import type { Program } from "./program.js";
import { wgslProgram } from "./wgsl/program.js";

/** Turns planned kernel records into a program of the target's language. `key` names source, settings, batch, target and compiler version. */
export function generateProgram(lowered: Lowered, key: string): Program {
  switch (lowered.options.target.language) {
    case "graph":
      return graphProgram(lowered, key);
    case "c":
      return cProgram(partsOf(lowered, key));
    case "wgsl":
      return wgslProgram(partsOf(lowered, key));
    case "cuda":
      throw new Error("there is no code generator for cuda yet");
  }
}
