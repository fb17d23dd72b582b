// Copies what the compiled program reads at run time but tsc does not emit: Weft sources and the C runtime.
import { cpSync, readdirSync } from "node:fs";
import { join } from "node:path";

const extensions = [".weft", ".c", ".h"];
for (const folder of ["dsl", "codegen", "runtime", "examples"]) {
  for (const name of readdirSync(folder, { recursive: true })) {
    if (extensions.some((extension) => name.endsWith(extension)))
      cpSync(join(folder, name), join("dist", folder, name));
  }
}
