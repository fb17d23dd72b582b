/** The `weft` command for tests: inside this process, or as a process of its own from what `npm run build` makes. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { cp, mkdir, mkdtemp, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { runCommandLine } from "../../src/cli/command-line.js";
import { nodeHost } from "../../src/cli/host.js";
import { readSafetensors, type Tensor, writeSafetensors } from "../../src/index.js";

export const root = fileURLToPath(new URL("../..", import.meta.url));

/** A model of test/cli/models. */
export const model = (name: string): string => join(root, `test/cli/models/${name}.weft`);

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command in this process. */
export async function weft(...args: readonly string[]): Promise<Outcome> {
  const texts = { stdout: "", stderr: "" };
  const before = { stdout: process.stdout.write, stderr: process.stderr.write, exitCode: process.exitCode };
  for (const name of ["stdout", "stderr"] as const) {
    process[name].write = (text: string | Uint8Array): boolean => {
      texts[name] += typeof text === "string" ? text : new TextDecoder().decode(text);
      return true;
    };
  }
  try {
    process.exitCode = 0;
    const code = await runCommandLine(args);
    return { ...texts, code: Number(process.exitCode) || code };
  } finally {
    process.stdout.write = before.stdout;
    process.stderr.write = before.stderr;
    process.exitCode = before.exitCode;
  }
}

export interface Started {
  readonly child: ChildProcess;
  /** Resolves when stderr has held this text. */
  said(text: string): Promise<void>;
  readonly outcome: Promise<Outcome & { readonly signal: NodeJS.Signals | null }>;
}

/** Starts a command as a process of its own. */
export async function start(
  args: readonly string[],
  options: { readonly environment?: NodeJS.ProcessEnv; readonly cwd?: string } = {},
): Promise<Started> {
  const main = join(await builtPackage(), "dist/src/cli/main.js");
  const child = spawn(process.execPath, [main, ...args], {
    env: { ...process.env, ...options.environment },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  let stdout = "";
  let stderr = "";
  const waiting: { readonly text: string; readonly resolve: () => void }[] = [];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
    for (const { text, resolve } of waiting) if (stderr.includes(text)) resolve();
  });
  const outcome = new Promise<Outcome & { signal: NodeJS.Signals | null }>((resolve, reject) => {
    child.on("error", reject).on("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  return {
    child,
    outcome,
    said: (text) =>
      new Promise<void>((resolve, reject) => {
        if (stderr.includes(text)) resolve();
        waiting.push({ text, resolve });
        outcome.then(({ stderr }) => reject(new Error(`it ended without saying "${text}":\n${stderr}`)), reject);
      }),
  };
}

/** A command as a process of its own, to its end. */
export async function weftProcess(
  args: readonly string[],
  options: { readonly environment?: NodeJS.ProcessEnv; readonly cwd?: string; readonly input?: string } = {},
): Promise<Outcome> {
  const { child, outcome } = await start(args, options);
  child.stdin!.end(options.input ?? "");
  return outcome;
}

let built: Promise<{ readonly folder: string; readonly complaints: string }> | undefined;

/** A copy of the project, built with `npm run build`; made once for all tests. */
export async function builtPackage(): Promise<string> {
  built ??= buildPackage();
  return (await built).folder;
}

/** What `npm run build` complained of; empty when all went well. */
export async function buildComplaints(): Promise<string> {
  await builtPackage();
  return (await built!).complaints;
}

async function buildPackage(): Promise<{ folder: string; complaints: string }> {
  const folder = await temporaryFolder();
  for (const name of ["dsl", "src", "codegen", "runtime", "examples", "scripts"])
    await cp(join(root, name), join(folder, name), { recursive: true });
  for (const name of ["package.json", "tsconfig.json", "tsconfig.build.json", "README.md"])
    await cp(join(root, name), join(folder, name));
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
  const run = promisify(execFile);
  try {
    await run("npm", ["run", "build"], { cwd: folder });
    return { folder, complaints: "" };
  } catch (error) {
    // A type error is reported by one test, not by all: the JavaScript is there nevertheless.
    await run(process.execPath, ["scripts/copy-assets.mjs"], { cwd: folder });
    return { folder, complaints: (error as { stdout: string }).stdout };
  }
}

const temporary: string[] = [];

/** A folder that is removed when all tests are over. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "weft-test-"));
  temporary.push(folder);
  return folder;
}

// At the end of the process rather than of a file of tests: the built package serves all files that a process runs.
process.on("exit", () => {
  for (const folder of temporary) rmSync(folder, { recursive: true, force: true });
});

const host = nodeHost();

export async function readTensors(path: string): Promise<Map<string, Tensor>> {
  const file = readSafetensors(await host.readBytes(path), path);
  return new Map([...file.entries.keys()].map((name) => [name, file.tensor(name)]));
}

export async function writeTensors(path: string, tensors: Readonly<Record<string, Tensor>>): Promise<string> {
  await mkdir(join(path, ".."), { recursive: true });
  await host.writeBytes(path, writeSafetensors(new Map(Object.entries(tensors))));
  return path;
}

export const floats = (shape: readonly number[], values: ArrayLike<number> | ((place: number) => number)): Tensor => {
  const length = shape.reduce((product, size) => product * size, 1);
  return {
    dtype: "f32",
    shape,
    data:
      typeof values === "function"
        ? Float32Array.from({ length }, (_, place) => values(place))
        : Float32Array.from(values),
  };
};

export const integers = (shape: readonly number[], values: ArrayLike<number>): Tensor => ({
  dtype: "i32",
  shape,
  data: Int32Array.from(values),
});

/** Numbers in [-1, 1) that look random and are always the same. */
export const noise =
  (seed: number) =>
  (place: number): number => {
    let x = Math.imul(place + 1, 0x9e3779b1) ^ Math.imul(seed + 1, 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d);
    x = Math.imul(x ^ (x >>> 12), 0x297a2d39);
    return ((x ^ (x >>> 15)) >>> 0) / 2 ** 31 - 1;
  };
