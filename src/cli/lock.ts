import { link, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { isAlive, isCode } from "./processes.js";

/** Name of the file that says who trains in a folder. */
export const lockName = ".lock";

interface Holder {
  readonly process: number;
  readonly host: string;
  /** When the process started, where the system tells: another process may have got its number since. */
  readonly started: string;
}

/**
 * Keeps other processes from training in a folder. Returns what takes the lock away again. A lock whose process is gone is taken over.
 * Throws an Error that names the holder when there is one.
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const path = join(folder, lockName);
  await mkdir(folder, { recursive: true });
  const holder: Holder = { process: process.pid, host: hostname(), started: await startOf(process.pid) };
  const own = JSON.stringify(holder);
  const prepared = `${path}.${process.pid}`;
  await writeFile(prepared, own);
  try {
    // A link appears with all its text, or not at all when the name is taken: nobody reads half a lock.
    while (!(await linked(prepared, path))) {
      const text = await textOf(path);
      if (text === undefined) continue;
      const other = parse(text);
      if (other !== undefined && (await holds(other)))
        throw new Error(
          `${folder} is in use: process ${other.process}${other.host === hostname() ? "" : ` on ${other.host}`} trains there. Wait for it, or choose another folder with --run (if that process is gone, remove ${path})`,
        );
      await removeStale(path, text);
    }
  } finally {
    await rm(prepared, { force: true });
  }
  return async () => {
    if ((await textOf(path)) === own) await rm(path, { force: true });
  };
}

/** Removes a lock with this text; one that another process has put in its place meanwhile stays. */
async function removeStale(path: string, text: string): Promise<void> {
  const aside = `${path}.${process.pid}.stale`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (isCode(error, "ENOENT")) return;
    throw error;
  }
  if ((await textOf(aside)) !== text) await linked(aside, path);
  await rm(aside, { force: true });
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (isCode(error, "EEXIST")) return false;
    throw error;
  }
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (isCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** What is no lock is nobody's. */
function parse(text: string): Holder | undefined {
  try {
    const { process, host, started } = JSON.parse(text) as Partial<Holder>;
    return Number.isInteger(process) && typeof host === "string" && typeof started === "string"
      ? { process: process!, host, started }
      : undefined;
  } catch {
    return undefined;
  }
}

/** Whether the process still runs; of another machine's processes nothing is known, so they are taken to run. */
async function holds(holder: Holder): Promise<boolean> {
  if (holder.host !== hostname()) return true;
  return isAlive(holder.process) && (await startOf(holder.process)) === holder.started;
}

/** The kernel's time stamp of a process's start (field 22 of /proc/PID/stat); empty where there is no such file. */
async function startOf(id: number): Promise<string> {
  try {
    const text = await readFile(`/proc/${id}/stat`, "utf8");
    // The command's name, in parentheses, may hold spaces.
    return text.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  } catch {
    return "";
  }
}
