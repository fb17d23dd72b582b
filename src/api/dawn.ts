/// <reference types="@webgpu/types" preserve="true" />
/** WebGPU in Node: Dawn, out of the package `webgpu`, loaded when a GPU is first asked for. */
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";

let opened: Promise<GPU> | undefined;

/** What a browser calls `navigator.gpu`; one per process. Rejects with an Error that says what is missing and how to get it. */
export function openDawn(): Promise<GPU> {
  opened ??= open();
  // A driver may be installed while the process runs: look again next time.
  opened.catch(() => {
    opened = undefined;
  });
  return opened;
}

async function open(): Promise<GPU> {
  // Dawn itself would complain on stderr, also where nobody misses a GPU.
  const missing = process.platform === "linux" ? await missingVulkan(process.env) : undefined;
  if (missing !== undefined) throw new Error(missing);
  let dawn: typeof import("webgpu");
  try {
    dawn = await import("webgpu");
  } catch (error) {
    const [reason] = (error as Error).message.split("\n");
    throw new Error(
      `The package "webgpu", which brings WebGPU to Node, does not load on ${process.platform} ${process.arch}: ${reason}`,
    );
  }
  // Else the GPU's clock is told to a tenth of a millisecond, to give nothing away to web pages.
  return dawn.create(["disable-dawn-features=timestamp_quantization"]);
}

/** The interface that Dawn finds GPUs by on this system. */
export const dawnBackend = process.platform === "darwin" ? "Metal" : process.platform === "win32" ? "D3D12" : "Vulkan";

const loader = "libvulkan.so.1";

/** Which part of Vulkan a Linux machine lacks, and how to get it; undefined where there are a loader and drivers. */
async function missingVulkan(environment: NodeJS.ProcessEnv): Promise<string | undefined> {
  if (!canLoad(loader)) {
    return `There is no Vulkan loader (${loader}). Install it, and the GPU's driver:
  Debian, Ubuntu   sudo apt install libvulkan1
  Fedora           sudo dnf install vulkan-loader
  GPU's driver     NVIDIA: its own; AMD and Intel: mesa-vulkan-drivers`;
  }
  if ((await vulkanDrivers(environment)).length === 0) {
    return `There is a Vulkan loader, but no driver for it. Install the GPU's:
  NVIDIA           its driver; a container must be started with NVIDIA_DRIVER_CAPABILITIES=all
  AMD, Intel       sudo apt install mesa-vulkan-drivers (Fedora: sudo dnf install mesa-vulkan-drivers)`;
  }
  return undefined;
}

/** Whether the system's linker finds a library. */
function canLoad(library: string): boolean {
  try {
    process.dlopen({ exports: {} }, library);
    return true;
  } catch (error) {
    // It was opened: only that it is no module of Node was found wrong with it.
    return (error as Error).message.includes("self-register");
  }
}

/** The manifests of Vulkan drivers, where the loader looks for them. */
async function vulkanDrivers(environment: NodeJS.ProcessEnv): Promise<readonly string[]> {
  const list = (paths: string | undefined): string[] => (paths ?? "").split(delimiter).filter((path) => path !== "");
  const named = list(environment.VK_DRIVER_FILES || environment.VK_ICD_FILENAMES);
  if (named.length > 0) return named.filter((path) => existsSync(path));
  const home = homedir();
  const folders = [
    environment.XDG_CONFIG_HOME || join(home, ".config"),
    ...list(environment.XDG_CONFIG_DIRS || "/etc/xdg"),
    "/usr/local/etc",
    "/etc",
    environment.XDG_DATA_HOME || join(home, ".local/share"),
    ...list(environment.XDG_DATA_DIRS || "/usr/local/share:/usr/share"),
  ];
  const found = await Promise.all(
    folders.map(async (folder) => {
      const drivers = join(folder, "vulkan/icd.d");
      const names = await readdir(drivers).catch(() => []);
      return names.filter((name) => name.endsWith(".json")).map((name) => join(drivers, name));
    }),
  );
  return [...found.flat(), ...list(environment.VK_ADD_DRIVER_FILES).filter((path) => existsSync(path))];
}
