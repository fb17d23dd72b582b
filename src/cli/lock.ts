import { type FileHandle, mkdir, open, readFile, rm, rmdir, stat } from "node:fs/promises";
import { constants } from "node:os";
import { join } from "node:path";
import koffi from "koffi";
import { isCode } from "./processes.js";

/** Name of the file that a training process holds locked. */
export const lockName = ".lock";

/** flock(2): whole file, for this process alone, without waiting. The same numbers on Linux, macOS and the BSDs. */
const exclusive = 2;
const withoutWaiting = 4;

let flock: ((file: number, operation: number) => number) | undefined;

/**
 * Keeps other processes from training in a folder. Returns what ends that. The system itself lets go of the lock when a process ends,
 * however it ends, so none is ever left behind. Throws an Error that names the holder when there is one. Where the system or the file
 * system has no such locks, nothing is kept out.
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const path = join(folder, lockName);
  for (;;) {
    await mkdir(folder, { recursive: true });
    const file = await openThere(path);
    if (file === undefined) continue;
    try {
      if (!locked(file)) throw new Error(await inUse(folder, path));
      // The one before may have removed the file between the opening and the locking: then this lock keeps nobody out.
      if (await isAt(file, path)) {
        await file.truncate();
        await file.write(`${process.pid}\n`);
        return () => release(file, folder, path);
      }
    } catch (error) {
      await file.close();
      throw error;
    }
    await file.close();
  }
}

async function release(file: FileHandle, folder: string, path: string): Promise<void> {
  await rm(path, { force: true });
  await file.close();
  // What failed before it began leaves no trace; a folder that is not empty stays.
  await rmdir(folder).catch(() => undefined);
}

/** Locks an open file; false when another process has it. */
function locked(file: FileHandle): boolean {
  if (process.platform === "win32") return true;
  flock ??= koffi.load(null).func("int flock(int file, int operation)") as NonNullable<typeof flock>;
  return flock(file.fd, exclusive | withoutWaiting) === 0 || koffi.errno() !== constants.errno.EWOULDBLOCK;
}

/** Opens the file, making it if need be; undefined when the folder has just been removed by the one before. */
async function openThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, "a+");
  } catch (error) {
    if (isCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

async function isAt(file: FileHandle, path: string): Promise<boolean> {
  try {
    const [own, present] = [await file.stat(), await stat(path)];
    return own.ino === present.ino && own.dev === present.dev;
  } catch (error) {
    if (isCode(error, "ENOENT")) return false;
    throw error;
  }
}

async function inUse(folder: string, path: string): Promise<string> {
  const holder = (await readFile(path, "utf8").catch(() => "")).trim();
  return `${folder} is in use: ${holder === "" ? "another process" : `process ${holder}`} trains there. Wait for it, or choose another folder with --run`;
}
