import { appendFile, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, normalize } from "node:path";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import type { Host } from "../../dsl/host.js";
import { isAlive, isCode } from "./processes.js";

/** Files being written end so until they are whole; a crash may leave one behind. */
const partialSuffix = ".partial";

/** Largest piece of one read: Linux returns at most 2 GiB at a time. */
const pieceBytes = 1 << 30;

/** From src/cli and from dist/src/cli alike, the standard library stands two folders up. */
const standardLibraryFolder = fileURLToPath(new URL("../../dsl/std/", import.meta.url));

let writes = 0;

/** The files, the clock and the standard library of this machine. */
export function nodeHost(): Host {
  return {
    readBytes,
    async readText(path) {
      return new TextDecoder().decode(await readBytes(path));
    },
    async writeBytes(path, bytes) {
      const folder = dirname(path);
      await mkdir(folder, { recursive: true });
      // In the same folder, so that the rename stays inside one file system and is atomic.
      const partial = join(folder, `.${basename(path)}.${process.pid}-${writes++}${partialSuffix}`);
      try {
        const file = await open(partial, "w");
        try {
          await writeAll(file, bytes);
          await file.sync();
        } finally {
          await file.close();
        }
        await rename(partial, path);
      } catch (error) {
        await rm(partial, { force: true });
        throw error;
      }
      await syncFolder(folder);
      await removeAbandoned(folder);
    },
    async appendText(path, text) {
      await mkdir(dirname(path), { recursive: true });
      await appendFile(path, text);
    },
    async exists(path) {
      try {
        await stat(path);
        return true;
      } catch (error) {
        if (isCode(error, "ENOENT", "ENOTDIR")) return false;
        throw error;
      }
    },
    async list(path) {
      try {
        const names = await readdir(path);
        return names.filter((name) => !isPartial(name)).sort();
      } catch (error) {
        if (isCode(error, "ENOENT")) return [];
        throw error;
      }
    },
    remove: (path) => rm(path, { recursive: true, force: true }),
    resolve: (from, path) => (isAbsolute(path) ? normalize(path) : join(dirname(from), path)),
    now: () => performance.now() / 1000,
    async standardLibrary(name) {
      const match = /^std\/([A-Za-z0-9_]+)$/.exec(name);
      if (match === null) return undefined;
      try {
        return new TextDecoder().decode(await readBytes(join(standardLibraryFolder, `${match[1]}.weft`)));
      } catch (error) {
        if (isCode(error, "ENOENT")) return undefined;
        throw error;
      }
    },
  };
}

async function readBytes(path: string): Promise<Uint8Array> {
  const file = await openNamed(path);
  try {
    const found = await file.stat();
    if (found.isDirectory()) throw new Error(`${path} is a folder, not a file`);
    const { size } = found;
    const bytes = new Uint8Array(size);
    let filled = 0;
    while (filled < size) {
      const { bytesRead } = await file.read(bytes, filled, Math.min(pieceBytes, size - filled), filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return filled === size ? bytes : bytes.subarray(0, filled);
  } finally {
    await file.close();
  }
}

/** Opens a file for reading, with errors in words; they keep the system's code. */
async function openNamed(path: string): Promise<Awaited<ReturnType<typeof open>>> {
  try {
    return await open(path, "r");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (isCode(error, "ENOENT", "ENOTDIR")) throw Object.assign(new Error(`there is no file ${path}`), { code });
    if (isCode(error, "EACCES")) throw Object.assign(new Error(`${path} may not be read: permission denied`), { code });
    throw error;
  }
}

async function writeAll(file: Awaited<ReturnType<typeof open>>, bytes: Uint8Array): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    const { bytesWritten } = await file.write(bytes, written, Math.min(pieceBytes, bytes.length - written));
    written += bytesWritten;
  }
}

/** A rename survives a power cut only once its folder is on the disk. Windows cannot open folders and does without. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Removes what processes that are gone left half written in a folder. */
async function removeAbandoned(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const match = /^\..+\.(\d+)-\d+\.partial$/.exec(name);
    if (match !== null && !isAlive(Number(match[1]))) await rm(join(folder, name), { force: true });
  }
}

function isPartial(name: string): boolean {
  return name.startsWith(".") && name.endsWith(partialSuffix);
}
