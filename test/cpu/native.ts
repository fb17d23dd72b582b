/** Compiles the C runtime and emitted kernels into one library, and runs kernels over plain arrays. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import koffi from "koffi";
import { cPrelude } from "../../codegen/c/prelude.js";
import type { EmittedKernel } from "../../codegen/emitted.js";
import type { Dtype } from "../../src/graph/dtype.js";
import type { Buffer } from "../../src/kernels/record.js";

export const nativeFolder = fileURLToPath(new URL("../../runtime/cpu/native/", import.meta.url));

const flags = [
  ..."-O3 -march=native -std=gnu11 -fopenmp-simd -ffp-contract=fast -fno-math-errno -fno-trapping-math".split(" "),
  ..."-fPIC -Wall -Wextra -Werror -Wno-unused-variable -Wno-unused-parameter -Wno-unused-function".split(" "),
];

/** More flags from outside, to run the tests with other vectors (-mno-avx512f) or a sanitizer. */
const outerFlags = process.env.WEFT_C_FLAGS?.split(" ") ?? [];

/** A folder that is gone when the process ends. */
function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "weft-native-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function compile(folder: string, args: readonly string[]): void {
  execFileSync(process.env.CC ?? "cc", [...flags, ...outerFlags, "-I", nativeFolder, ...args], {
    cwd: folder,
    stdio: ["ignore", "inherit", "inherit"],
  });
}

let objects: readonly string[] | undefined;

/** The runtime's object files, compiled once a process. */
function runtimeObjects(): readonly string[] {
  if (objects) return objects;
  const folder = temporaryFolder();
  const sources = readdirSync(nativeFolder).filter((name) => name.endsWith(".c"));
  compile(folder, ["-c", ...sources.map((name) => join(nativeFolder, name))]);
  objects = sources.map((name) => join(folder, name.replace(/c$/, "o")));
  return objects;
}

/** Compiles C text and the runtime into one library and returns its path. */
export function compileLibrary(text: string): string {
  const folder = temporaryFolder();
  const library = join(folder, "kernels.so");
  writeFileSync(join(folder, "kernels.c"), text);
  compile(folder, ["-shared", "-o", library, "kernels.c", ...runtimeObjects(), "-lm", "-lpthread", "-ldl"]);
  return library;
}

/** The runtime's functions out of a library that compileLibrary made. */
export function openRuntime(path: string) {
  const library = koffi.load(path);
  return {
    library,
    poolCreate: library.func("void *weft_pool_create(int32_t threads)"),
    poolDestroy: library.func("void weft_pool_destroy(void *pool)"),
    programCreate: library.func("void *weft_program_create(int32_t segments)"),
    programAdd: library.func(
      "int64_t weft_program_add(void *program, void *kernel, int32_t bindings, const int32_t *segment, const int64_t *offset, const int64_t *bytes, const int32_t *access, const int32_t *element, int32_t integers, const int64_t *integer_values, int32_t floats, const float *float_values, int64_t units, double cost)",
    ),
    programBind: library.func("int64_t weft_program_bind(void *program, int32_t segment, void *memory, int64_t bytes)"),
    programDestroy: library.func("void weft_program_destroy(void *program)"),
    run: library.func("int32_t weft_run(void *pool, void *program)"),
    runChecked: library.func("int64_t weft_run_checked(void *pool, void *program)"),
    profile: library.func("int32_t weft_profile(void *pool, void *program, _Out_ int64_t *nanoseconds)"),
    load: library.func("void *weft_load(const char *path)"),
    symbol: library.func("void *weft_symbol(void *library, const char *name)"),
    loadError: library.func("const char *weft_load_error()"),
    vectorWidth: library.func("int32_t weft_vector_width()"),
  };
}

export type Runtime = ReturnType<typeof openRuntime>;

export type Numbers = Float32Array | Int32Array | Uint32Array | Uint8Array;

/** Uninitialised contents of a buffer: NaN where the type has it, so that what is not written shows. */
export function poisoned(buffer: Buffer): Numbers {
  switch (buffer.dtype as Dtype) {
    case "f32":
      return new Float32Array(buffer.elements).fill(Number.NaN);
    case "i32":
      return new Int32Array(buffer.elements).fill(-77);
    case "u32":
      return new Uint32Array(buffer.elements).fill(77);
    case "bool":
      return new Uint8Array(buffer.elements).fill(77);
    default:
      throw new Error(`no array for ${buffer.dtype}`);
  }
}

const accessNumbers = { read: 0, write: 1, update: 2 } as const;

/** Emitted kernels made ready to run: kernel i of the list is entry point `kernel<i>`. */
export class KernelLibrary {
  readonly runtime: Runtime;
  readonly #self: unknown;

  constructor(
    readonly kernels: readonly EmittedKernel[],
    extraText = "",
  ) {
    const sources = kernels.map((kernel, number) => kernel.source.replaceAll("KERNEL", `kernel${number}`));
    const path = compileLibrary([cPrelude, extraText, ...sources].join("\n"));
    this.runtime = openRuntime(path);
    this.#self = this.runtime.load(path);
    if (!this.#self) throw new Error(this.runtime.loadError());
  }

  symbol(name: string): unknown {
    const found = this.runtime.symbol(this.#self, name);
    if (!found) throw new Error(this.runtime.loadError());
    return found;
  }

  /** Runs kernel `number` over `memory` (one array a buffer; changed in place), cut among `threads`. */
  run(number: number, memory: readonly Numbers[], threads = 1): void {
    const program = this.program([number], memory);
    const pool = this.runtime.poolCreate(threads);
    const code = this.runtime.run(pool, program);
    this.runtime.poolDestroy(pool);
    this.runtime.programDestroy(program);
    if (code !== 0) throw new Error(`run returned ${code}`);
  }

  /** A launch list of some kernels over `memory`, a segment a buffer. Launches are given a high cost, so that they are shared. */
  program(numbers: readonly number[], memory: readonly Numbers[]): unknown {
    const program = this.runtime.programCreate(memory.length);
    for (const number of numbers) {
      const { bindings, integers, floats, units } = this.kernels[number]!;
      const ids = bindings.map((binding) => {
        if ("buffer" in binding) return binding.buffer;
        throw new Error("private scratch is not run here");
      });
      this.runtime.programAdd(
        program,
        this.symbol(`kernel${number}`),
        ids.length,
        Int32Array.from(ids),
        BigInt64Array.from(ids, () => 0n),
        BigInt64Array.from(ids, (id) => BigInt(memory[id]!.byteLength)),
        Int32Array.from(bindings, (binding) => accessNumbers[binding.access]),
        Int32Array.from(ids, (id) => (memory[id] instanceof Float32Array ? 1 : 0)),
        integers.length,
        BigInt64Array.from(integers, BigInt),
        floats.length,
        Float32Array.from(floats),
        units,
        1e9,
      );
    }
    for (const [segment, array] of memory.entries()) {
      const failed = Number(this.runtime.programBind(program, segment, array, array.byteLength));
      if (failed !== -1) throw new Error(`launch ${failed} does not fit segment ${segment}`);
    }
    return program;
  }
}
