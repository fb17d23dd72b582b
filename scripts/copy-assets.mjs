// Copies what the compiled program or its users read but tsc does not emit: Weft sources, the C runtime, and the table of published names.
import { cpSync, readdirSync } from "node:fs";
import { join } from "node:path";

const extensions = [".weft", ".c", ".h", ".json"];
for (const folder of ["dsl", "codegen", "runtime", "examples"]) {
  for (const name of readdirSync(folder, { recursive: true })) {
    if (extensions.some((extension) => name.endsWith(extension)))
      cpSync(join(folder, name), join("dist", folder, name));
  }
}
