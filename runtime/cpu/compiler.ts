/** Compiles C into shared libraries, each only once: the fixed runtime, and kernels spread over the cores. */
import { createHash } from "node:crypto";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { KernelText } from "../../codegen/program.js";
import type { LibraryCache } from "./cache.js";
import { runCommand, type Toolchain } from "./toolchain.js";

const nativeFolder = fileURLToPath(new URL("./native/", import.meta.url));

const hashed = (...parts: readonly string[]): string => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest("hex").slice(0, 24);
};

/** What was compiled, and for how many kernels the cache had an answer. */
export interface CompiledKernels {
  /** Path of the library that holds each kernel, in the order of the kernels. */
  readonly libraries: readonly string[];
  readonly compiled: number;
  readonly reused: number;
}

export class Compiler {
  readonly toolchain: Toolchain;
  readonly #cache: LibraryCache;
  #native: Promise<NativeSources> | undefined;

  constructor(toolchain: Toolchain, cache: LibraryCache) {
    this.toolchain = toolchain;
    this.#cache = cache;
  }

  #sources(): Promise<NativeSources> {
    this.#native ??= readNative();
    return this.#native;
  }

  /** Path of the fixed runtime's library. */
  async runtime(): Promise<string> {
    const native = await this.#sources();
    const name = `runtime-${hashed(this.toolchain.fingerprint, native.headers, native.sources)}.so`;
    if (!(await this.#cache.has(name))) {
      const sources = native.names.filter((file) => file.endsWith(".c")).map((file) => join(nativeFolder, file));
      await this.#cache.publish(name, (path) => this.#compile([...sources, "-pthread", "-lm", "-ldl"], path));
    }
    return this.#cache.path(name);
  }

  /**
   * Libraries for kernels. `prelude` stands before the kernels of every translation unit. Kernels that were compiled before, in whatever
   * company, are found again; the others are spread over one translation unit per core, compiled side by side. Throws an Error with the
   * compiler's own text when it refuses one.
   */
  async kernels(kernels: readonly KernelText[], prelude: string): Promise<CompiledKernels> {
    const native = await this.#sources();
    const base = hashed(this.toolchain.fingerprint, native.headers, prelude);
    const keys = kernels.map((kernel) => hashed(base, kernel.name, kernel.source));
    const libraries = await Promise.all(keys.map((key) => this.#library(key)));
    const missing = kernels.map((_, place) => place).filter((place) => libraries[place] === undefined);
    const shards = shardsOf(missing, kernels, availableParallelism());
    await Promise.all(
      shards.map(async (shard) => {
        const name = `kernels-${hashed(base, ...shard.map((place) => keys[place]!))}.so`;
        const text = [prelude, ...shard.map((place) => kernels[place]!.source), ""].join("\n\n");
        await this.#cache.publish(name, async (path) => {
          const source = `${path}.c`;
          await writeFile(source, text);
          await this.#compile([source, `-I${nativeFolder}`], path, source);
        });
        for (const place of shard) {
          await this.#cache.publish(`${keys[place]}.kernel`, (path) => writeFile(path, name));
          libraries[place] = name;
        }
      }),
    );
    return {
      libraries: libraries.map((name) => this.#cache.path(name!)),
      compiled: missing.length,
      reused: kernels.length - missing.length,
    };
  }

  /** Name of the library that holds a kernel, if there is one. */
  async #library(key: string): Promise<string | undefined> {
    try {
      const name = await readFile(this.#cache.path(`${key}.kernel`), "utf8");
      return /^kernels-[0-9a-f]+\.so$/.test(name) && (await this.#cache.has(name)) ? name : undefined;
    } catch {
      return undefined;
    }
  }

  async #compile(inputs: readonly string[], output: string, source?: string): Promise<void> {
    const { command, flags } = this.toolchain;
    // The runtime's own symbols are resolved when a kernel library is loaded; macOS wants to be told.
    const undefinedSymbols = process.platform === "darwin" ? ["-undefined", "dynamic_lookup"] : [];
    const args = [...flags, "-shared", ...undefinedSymbols, "-o", output, ...inputs];
    const { code, stderr } = await runCommand(command, args);
    if (source) await rm(source, { force: true });
    if (code !== 0) {
      const shown = stderr.replaceAll(`${dirname(output)}/`, "");
      throw new Error(`The C compiler (${this.toolchain.version}) refused generated code:\n${shown.trim()}`);
    }
  }
}

interface NativeSources {
  readonly names: readonly string[];
  readonly headers: string;
  readonly sources: string;
}

async function readNative(): Promise<NativeSources> {
  const names = (await readdir(nativeFolder)).filter((name) => /\.[ch]$/.test(name)).sort();
  const texts = await Promise.all(
    names.map(async (name) => `${name}\n${await readFile(join(nativeFolder, name), "utf8")}`),
  );
  const joined = (extension: string) => texts.filter((_, place) => names[place]!.endsWith(extension)).join("\n");
  return { names, headers: joined(".h"), sources: joined(".c") };
}

/** Spreads kernels over at most `count` translation units of about equal length, but none of only a few lines. */
function shardsOf(
  places: readonly number[],
  kernels: readonly KernelText[],
  count: number,
): readonly (readonly number[])[] {
  const total = places.reduce((sum, place) => sum + kernels[place]!.source.length, 0);
  const wanted = Math.max(1, Math.min(count, places.length, Math.ceil(total / 4000)));
  const shards = Array.from({ length: wanted }, () => ({ size: 0, places: [] as number[] }));
  const byLength = [...places].sort((a, b) => kernels[b]!.source.length - kernels[a]!.source.length || a - b);
  for (const place of byLength) {
    const smallest = shards.reduce((least, shard) => (shard.size < least.size ? shard : least));
    smallest.places.push(place);
    smallest.size += kernels[place]!.source.length;
  }
  return shards.filter((shard) => shard.places.length > 0).map((shard) => shard.places);
}
