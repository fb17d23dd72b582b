/**
 * Compiles and runs bench/cpu/contraction.c: the contraction driver beside the machine's rate of multiply-adds.
 * Usage: npx tsx bench/cpu/contraction.ts [threads] [repeats]
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { findToolchain } from "../../runtime/cpu/toolchain.js";

const { command, flags } = await findToolchain();
const native = fileURLToPath(new URL("../../runtime/cpu/native/", import.meta.url));
const source = fileURLToPath(new URL("./contraction.c", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "weft-bench-"));
try {
  const binary = join(folder, "contraction");
  const files = readdirSync(native).filter((name) => name.endsWith(".c"));
  const sources = [source, ...files.map((name) => join(native, name))];
  execFileSync(command, [...flags, "-I", native, "-o", binary, ...sources, "-lpthread", "-ldl", "-lm"], {
    stdio: "inherit",
  });
  execFileSync(binary, process.argv.slice(2), { stdio: "inherit" });
} finally {
  rmSync(folder, { recursive: true, force: true });
}
