/** The machine's C compiler: found, probed, and the flags that C is compiled with. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";

export interface Toolchain {
  /** Command of the compiler. */
  readonly command: string;
  /** First line of its `--version`. */
  readonly version: string;
  readonly flags: readonly string[];
  /** Names compiler, flags and processor: libraries of one fingerprint run on this machine. */
  readonly fingerprint: string;
}

/** Never -ffast-math: NaN, infinities and the order of sums mean what the text says. */
const commonFlags = [
  "-O3",
  "-std=gnu11",
  "-fopenmp-simd",
  "-ffp-contract=fast",
  "-fno-math-errno",
  "-fno-trapping-math",
  "-fPIC",
];

const installation = `Install one and try again, or name it in the environment variable CC:
  Debian, Ubuntu   sudo apt install gcc libc6-dev
  Fedora           sudo dnf install gcc glibc-devel
  macOS            xcode-select --install`;

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end; a command that cannot be started has the code 127. */
export function runCommand(
  command: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv = process.env,
): Promise<CommandResult> {
  return new Promise((resolve) => {
    execFile(command, args, { maxBuffer: 64 << 20, env: environment }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 127;
      resolve({ code, stdout, stderr: stderr || (error?.message ?? "") });
    });
  });
}

/** What tells this machine's processor from others: a library compiled for one may not run on another. */
async function processor(): Promise<{ readonly text: string; readonly features: ReadonlySet<string> }> {
  const model = cpus()[0]?.model ?? "unknown";
  try {
    const info = await readFile("/proc/cpuinfo", "utf8");
    const flags = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(info)?.[1] ?? "";
    return { text: `${process.arch} ${model} ${flags}`, features: new Set(flags.split(" ")) };
  } catch {
    return { text: `${process.platform} ${process.arch} ${model}`, features: new Set() };
  }
}

async function probe(
  command: string,
  first: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<{ readonly version: string } | { readonly failure: string }> {
  const version = await runCommand(command, [...first, "--version"], environment);
  if (version.code !== 0) return { failure: version.stderr.trim() || `${command} --version failed` };
  // A compiler without the C library's headers is as good as none: find out now, with a message that helps.
  const folder = await mkdtemp(join(tmpdir(), "weft-probe-"));
  try {
    const source = join(folder, "probe.c");
    await writeFile(source, "#include <math.h>\n#include <stdint.h>\nfloat probe(float x) { return sqrtf(x); }\n");
    const args = [...first, ...commonFlags, "-shared", "-o", join(folder, "probe.so"), source];
    const compiled = await runCommand(command, args, environment);
    if (compiled.code !== 0) return { failure: compiled.stderr.trim() };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return { version: version.stdout.split("\n")[0]!.trim() };
}

/**
 * Finds the C compiler: $CC, or the first of cc, gcc and clang that compiles a small program. Throws an Error that says what was tried
 * and which package to install when there is none.
 */
export function findToolchain(environment: NodeJS.ProcessEnv = process.env): Promise<Toolchain> {
  const key = JSON.stringify([environment.CC, environment.PATH]);
  let found = known.get(key);
  if (!found) {
    found = search(environment);
    known.set(key, found);
    // A compiler may be installed while the process runs: look again next time.
    found.catch(() => known.delete(key));
  }
  return found;
}

/** What was found before, by the variables that it depends on. */
const known = new Map<string, Promise<Toolchain>>();

async function search(environment: NodeJS.ProcessEnv): Promise<Toolchain> {
  // CC may carry arguments, as in "ccache gcc".
  const candidates = environment.CC?.trim() ? [environment.CC.trim()] : ["cc", "gcc", "clang"];
  const failures: string[] = [];
  for (const candidate of candidates) {
    const [command, ...first] = candidate.split(/\s+/) as [string, ...string[]];
    const found = await probe(command, first, environment);
    if ("failure" in found) {
      failures.push(`  ${candidate}: ${found.failure.split("\n")[0]}`);
      continue;
    }
    const { text, features } = await processor();
    const flags = [
      ...first,
      ...commonFlags,
      process.platform === "darwin" && process.arch === "arm64" ? "-mcpu=native" : "-march=native",
    ];
    // Compilers prefer 256-bit vectors even where 512-bit ones are as fast per instruction and twice as wide.
    if (features.has("avx512f")) flags.push("-mprefer-vector-width=512");
    const fingerprint = createHash("sha256")
      .update(JSON.stringify([found.version, flags, text]))
      .digest("hex")
      .slice(0, 16);
    return { command, version: found.version, flags, fingerprint };
  }
  throw new Error(
    `Weft compiles its kernels with the machine's C compiler, and none works here.\n${failures.join("\n")}\n${installation}`,
  );
}
