/**
 * A folder of compiled libraries, named by what they were made from, shared by all processes of a user. What is in it is run, so a
 * folder in which others could put something is refused.
 */
import { randomBytes } from "node:crypto";
import type { Stats } from "node:fs";
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";

/** $WEFT_CACHE, or weft in the user's cache folder. */
export function cacheFolder(environment: NodeJS.ProcessEnv = process.env): string {
  if (environment.WEFT_CACHE) return environment.WEFT_CACHE;
  return join(environment.XDG_CACHE_HOME || join(homedir(), ".cache"), "weft");
}

export class LibraryCache {
  readonly folder: string;

  constructor(folder: string) {
    // A library's path without a folder would be looked for elsewhere, and the process may go to another folder.
    this.folder = resolve(folder);
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** Rejects with an Error that says what to do when another user could have written what is in the folder. */
  async requireOwn(): Promise<void> {
    let found: Stats;
    try {
      found = await stat(this.folder);
    } catch {
      // Nothing is there, so nobody wrote it.
      return;
    }
    const user = process.getuid?.();
    if (user === undefined) return;
    const advice =
      "what is in it is run as native code. Name a folder of your own in the environment variable WEFT_CACHE";
    if (user !== 0 && found.uid !== user && found.uid !== 0)
      throw new Error(`The cache folder ${this.folder} belongs to another user, and ${advice}`);
    if ((found.mode & 0o002) !== 0)
      throw new Error(`Every user of this machine can write to the cache folder ${this.folder}, and ${advice}`);
  }

  async has(name: string): Promise<boolean> {
    await this.requireOwn();
    try {
      return (await stat(this.path(name))).size > 0;
    } catch {
      return false;
    }
  }

  /**
   * Makes a file that is not there yet: `make` writes to a path of its own, which then gets the name in one step. So no process sees half
   * a file, and when two make the same one, the later replaces the earlier by its equal.
   */
  async publish(name: string, make: (path: string) => Promise<void>): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    await this.requireOwn();
    const unfinished = this.path(`.${name}.${process.pid}.${randomBytes(6).toString("hex")}`);
    try {
      await make(unfinished);
      // A library that a power cut left half written would be mapped, and end the process when its missing part is touched.
      if (name.endsWith(".so")) await flush(unfinished);
      await rename(unfinished, this.path(name));
    } finally {
      await rm(unfinished, { force: true });
    }
  }
}

async function flush(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
