/**
 * WebGPU for tests: SwiftShader (a Vulkan driver that computes on the CPU, out of a development dependency) under Dawn, so that kernels
 * are run where there is no GPU. With WEFT_ADAPTER=hardware it is the machine's own GPU instead.
 */
import { randomBytes } from "node:crypto";
import { createReadStream, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { createBrotliDecompress } from "node:zlib";
import koffi from "koffi";
import { extract } from "tar-fs";
import { create } from "webgpu";

/** Whether tests run on the machine's own adapter rather than on the software one. */
export const onHardware = process.env.WEFT_ADAPTER === "hardware";

/** Why tests of WebGPU cannot run here; undefined where they can. */
export const unavailable: string | undefined =
  onHardware || (process.platform === "linux" && process.arch === "x64")
    ? undefined
    : `the software adapter is for Linux on x64, and this is ${process.platform} on ${process.arch}; WEFT_ADAPTER=hardware takes the machine's own`;

/** A suite that is skipped, with the reason in its name, where WebGPU cannot be tested. */
export function describeWebGpu(title: string, suite: (this: Mocha.Suite) => void): void {
  if (unavailable === undefined) describe(title, suite);
  else describe.skip(`${title} (${unavailable})`, suite);
}

const modules = fileURLToPath(new URL("../../node_modules/", import.meta.url));

/** The folder of the driver, unpacked once for all processes. */
async function driverFolder(): Promise<string> {
  const parcel = join(modules, "@sparticuz", "chromium");
  const { version } = JSON.parse(readFileSync(join(parcel, "package.json"), "utf8")) as { version: string };
  const folder = join(modules, ".cache", "weft", `swiftshader-${version}`);
  if (existsSync(folder)) return folder;
  const unfinished = `${folder}.${process.pid}.${randomBytes(6).toString("hex")}`;
  mkdirSync(unfinished, { recursive: true });
  try {
    const packed = createReadStream(join(parcel, "bin", "swiftshader.tar.br"));
    await pipeline(packed, createBrotliDecompress(), extract(unfinished));
    renameSync(unfinished, folder);
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    // Another process was faster.
    if (!existsSync(folder)) throw error;
  }
  return folder;
}

/** The variables by which a process of its own finds the software adapter. */
export async function softwareEnvironment(): Promise<NodeJS.ProcessEnv> {
  const folder = await driverFolder();
  return { LD_LIBRARY_PATH: folder, VK_DRIVER_FILES: join(folder, "vk_swiftshader_icd.json") };
}

let opened: Promise<GPU> | undefined;

/** Dawn over the adapter of the tests; opened once a process. Rejects where `unavailable` says why. */
export function softwareGpu(): Promise<GPU> {
  opened ??= open();
  return opened;
}

async function open(): Promise<GPU> {
  if (unavailable !== undefined) throw new Error(unavailable);
  // Else the GPU's clock is told to a tenth of a millisecond, to give nothing away to web pages.
  const unquantized = "timestamp_quantization";
  if (onHardware) return create([`disable-dawn-features=${unquantized}`]);
  // The driver compiles an instruction for every word of workgroup memory that it is to clear; Dawn's own loop takes a tenth of the time.
  const loop = "use_vulkan_zero_initialize_workgroup_memory_extension";
  const folder = await driverFolder();
  process.env.VK_DRIVER_FILES = join(folder, "vk_swiftshader_icd.json");
  // Dawn asks the system for libvulkan.so.1; one of that name that is already there is taken.
  koffi.load(join(folder, "libvulkan.so.1"));
  return create([`disable-dawn-features=${unquantized},${loop}`, "backend=vulkan"]);
}

let withoutDevice: GPU | undefined;

/** Dawn without a device behind it: validates everything, compiles and computes nothing. */
export function nullGpu(): GPU {
  withoutDevice ??= create(["backend=null"]);
  return withoutDevice;
}
