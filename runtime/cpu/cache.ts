/** A folder of compiled libraries, named by what they were made from, shared by all processes of a user. */
import { randomBytes } from "node:crypto";
import { mkdir, rename, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

/** $WEFT_CACHE, or weft in the user's cache folder. */
export function cacheFolder(environment: NodeJS.ProcessEnv = process.env): string {
  if (environment.WEFT_CACHE) return environment.WEFT_CACHE;
  return join(environment.XDG_CACHE_HOME || join(homedir(), ".cache"), "weft");
}

export class LibraryCache {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  async has(name: string): Promise<boolean> {
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
    await mkdir(this.folder, { recursive: true });
    const unfinished = this.path(`.${name}.${process.pid}.${randomBytes(6).toString("hex")}`);
    try {
      await make(unfinished);
      await rename(unfinished, this.path(name));
    } finally {
      await rm(unfinished, { force: true });
    }
  }
}
