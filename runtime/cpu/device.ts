import { availableParallelism } from "node:os";
import { cPrelude } from "../../codegen/c/prelude.js";
import type { KernelText, Program } from "../../codegen/program.js";
import { isTrusted } from "../../codegen/trust.js";
import type { ParameterLayout } from "../../src/kernels/layout.js";
import type { Device, Executable, ParameterSet } from "../device.js";
import { Line } from "../line.js";
import { memoryLines } from "../segments.js";
import { validateProgram } from "../validate.js";
import { cacheFolder, LibraryCache } from "./cache.js";
import { type CompiledKernels, Compiler } from "./compiler.js";
import { CpuExecutable } from "./executable.js";
import { NativeMemory } from "./memory.js";
import { loadRuntime, type NativeRuntime, type Pointer } from "./native.js";
import { CpuParameterSet } from "./parameter-set.js";
import { findToolchain } from "./toolchain.js";

export interface CpuDeviceOptions {
  /** Threads that run kernels; the number of cores unless given. Results do not depend on it. */
  readonly threads?: number;
  /** Where compiled libraries are kept; $WEFT_CACHE or weft in the user's cache folder unless given. */
  readonly cache?: string;
  /** Load programs that were not generated in this process, too. Their kernels are native code. */
  readonly trust?: boolean;
  /** Where $CC and PATH are looked up. */
  readonly environment?: NodeJS.ProcessEnv;
  /** Fill outputs and scratch with NaN before every run, so that what is read but was never written shows. For tests. */
  readonly poison?: boolean;
  /** Told what a program takes before it is allocated, one line at a time. */
  readonly log?: (line: string) => void;
}

/**
 * Opens this machine's CPU. Rejects with an Error that says how to install a C compiler when there is none, or shows the compiler's text
 * when it refuses Weft's runtime.
 */
export async function createCpuDevice(options: CpuDeviceOptions = {}): Promise<Device> {
  const environment = options.environment ?? process.env;
  const threads = options.threads ?? availableParallelism();
  if (!Number.isInteger(threads) || threads < 1)
    throw new Error(`The CPU device takes 1 thread or more, not ${threads}`);
  const compiler = new Compiler(
    await findToolchain(environment),
    new LibraryCache(options.cache ?? cacheFolder(environment)),
  );
  const runtime = loadRuntime(await compiler.runtime());
  const pool = runtime.poolCreate(threads);
  if (pool === null) throw new Error(`Could not start ${threads} threads`);
  return new CpuDevice(compiler, runtime, pool, threads, options);
}

class CpuDevice implements Device {
  readonly name: string;
  readonly kind = "cpu";
  readonly #compiler: Compiler;
  readonly #runtime: NativeRuntime;
  readonly #pool: Pointer;
  readonly #options: CpuDeviceOptions;
  readonly #line = new Line();
  readonly #libraries = new Map<string, Pointer>();
  #scratch: NativeMemory | undefined;
  #closed = false;

  constructor(compiler: Compiler, runtime: NativeRuntime, pool: Pointer, threads: number, options: CpuDeviceOptions) {
    this.#compiler = compiler;
    this.#runtime = runtime;
    this.#pool = pool;
    this.#options = options;
    this.name = `cpu (${threads} ${threads === 1 ? "thread" : "threads"}, ${runtime.vectorName()})`;
  }

  async load(program: Program): Promise<Executable> {
    if (this.#closed) throw new Error("The device was closed");
    if (!this.#options.trust && !isTrusted(program)) {
      throw new Error(
        "The program was not generated in this process, and its kernels are native code. Compile it from its source, or trust it explicitly",
      );
    }
    validateProgram(program, "The CPU", "c");
    for (const line of memoryLines(program)) this.#options.log?.(line);
    const compiled = await this.#compiler.kernels(program.kernels, cPrelude);
    this.#options.log?.(
      `kernels      ${program.kernels.length} (${compiled.compiled} compiled, ${compiled.reused} from the cache)`,
    );
    const kernels = this.#open(program.kernels, compiled);
    await this.#reserveScratch(program.segments.scratch);
    const context = {
      device: this,
      runtime: this.#runtime,
      line: this.#line,
      pool: this.#pool,
      poison: this.#options.poison ?? false,
      scratch: () => this.#scratch,
    };
    return new CpuExecutable(program, kernels, context);
  }

  async parameters(layout: ParameterLayout): Promise<ParameterSet> {
    if (this.#closed) throw new Error("The device was closed");
    return new CpuParameterSet(layout, this.#runtime, this.#line);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#line.close();
    this.#scratch?.free();
    this.#runtime.poolDestroy(this.#pool);
    for (const library of this.#libraries.values()) this.#runtime.unload(library);
    this.#libraries.clear();
  }

  /** Addresses of kernels. */
  #open(kernels: readonly KernelText[], { libraries }: CompiledKernels): readonly Pointer[] {
    return kernels.map(({ name }, place) => {
      const path = libraries[place]!;
      let library = this.#libraries.get(path);
      if (library === undefined) {
        const opened = this.#runtime.load(path);
        if (opened === null) throw new Error(`Could not load compiled kernels: ${this.#runtime.loadError()}`);
        library = opened;
        this.#libraries.set(path, library);
      }
      const kernel = this.#runtime.symbol(library, name);
      if (kernel === null) throw new Error(`Compiled kernels lack ${name}: ${this.#runtime.loadError()}`);
      return kernel;
    });
  }

  /** Scratch is shared: runs follow one another, and none finds what another left. It moves between runs, when a program needs more. */
  async #reserveScratch(bytes: number): Promise<void> {
    if (bytes <= (this.#scratch?.bytes ?? 0)) return;
    await this.#line.enqueue(() => {
      if (bytes <= (this.#scratch?.bytes ?? 0)) return;
      const larger = new NativeMemory(this.#runtime, bytes, "segment scratch");
      this.#scratch?.free();
      this.#scratch = larger;
    });
  }
}
