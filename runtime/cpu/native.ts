/** The C runtime as TypeScript sees it: koffi bindings of runtime/cpu/native/weft.h. */
import koffi from "koffi";

/** An address of native memory. */
export type Pointer = bigint;

/** Element kinds of weft.h: what can be non-finite. */
export const elementKind = { other: 0, f32: 1 } as const;
export const accessKind = { read: 0, write: 1, update: 2 } as const;

export interface NativeRuntime {
  allocate(bytes: number): Pointer | null;
  free(memory: Pointer, bytes: number): void;
  copy(target: Pointer | Uint8Array, source: Pointer | Uint8Array, bytes: number): void;
  load(path: string): Pointer | null;
  unload(library: Pointer): void;
  symbol(library: Pointer, name: string): Pointer | null;
  loadError(): string;
  programCreate(segments: number): Pointer | null;
  programAdd(
    program: Pointer,
    kernel: Pointer,
    bindings: number,
    segment: Int32Array,
    offset: BigInt64Array,
    bytes: BigInt64Array,
    access: Int32Array,
    element: Int32Array,
    integers: number,
    integerValues: BigInt64Array,
    floats: number,
    floatValues: Float32Array,
    units: number,
    cost: number,
  ): number;
  programBind(program: Pointer, segment: number, memory: Pointer, bytes: number): number;
  programDestroy(program: Pointer): void;
  poolCreate(threads: number): Pointer | null;
  poolDestroy(pool: Pointer): void;
  /** The long calls run on a thread of their own and resolve with the C function's result. */
  run(pool: Pointer, program: Pointer): Promise<number>;
  runChecked(pool: Pointer, program: Pointer): Promise<number>;
  profile(pool: Pointer, program: Pointer, nanoseconds: BigInt64Array): Promise<number>;
  vectorName(): string;
  vectorWidth(): number;
}

const runtimes = new Map<string, NativeRuntime>();

/**
 * Kernels run on koffi's thread too. Its usual 128 KiB of stack are enough for those of today, but leave little room; koffi takes the
 * setting only before the first library of the process.
 */
function widenStack(): void {
  try {
    koffi.config({ async_stack_size: 2 << 20 });
  } catch {
    // Some other library was first.
  }
}

/** Loads the fixed runtime (once per process and path); its symbols are then visible to the kernels' libraries. */
export function loadRuntime(path: string): NativeRuntime {
  const known = runtimes.get(path);
  if (known) return known;
  widenStack();
  const library = koffi.load(path, { global: true });
  const long = (definition: string) => {
    const call = library.func(definition);
    return (...args: unknown[]) =>
      new Promise<number>((resolve, reject) => {
        call.async(...args, (error: unknown, result: number) => (error ? reject(error) : resolve(result)));
      });
  };
  const runtime: NativeRuntime = {
    allocate: library.func("void *weft_allocate(int64_t bytes)"),
    free: library.func("void weft_free(void *memory, int64_t bytes)"),
    copy: library.func("void weft_copy(void *target, void *source, int64_t bytes)"),
    load: library.func("void *weft_load(const char *path)"),
    unload: library.func("void weft_unload(void *library)"),
    symbol: library.func("void *weft_symbol(void *library, const char *name)"),
    loadError: library.func("const char *weft_load_error(void)"),
    programCreate: library.func("void *weft_program_create(int32_t segments)"),
    programAdd: library.func(
      "int64_t weft_program_add(void *program, void *kernel, int32_t bindings, int32_t *segment, int64_t *offset, int64_t *bytes, int32_t *access, int32_t *element, int32_t integers, int64_t *integer_values, int32_t floats, float *float_values, int64_t units, double cost)",
    ),
    programBind: library.func("int64_t weft_program_bind(void *program, int32_t segment, void *memory, int64_t bytes)"),
    programDestroy: library.func("void weft_program_destroy(void *program)"),
    poolCreate: library.func("void *weft_pool_create(int32_t threads)"),
    poolDestroy: library.func("void weft_pool_destroy(void *pool)"),
    run: long("int32_t weft_run(void *pool, void *program)"),
    runChecked: long("int64_t weft_run_checked(void *pool, void *program)"),
    profile: long("int32_t weft_profile(void *pool, void *program, int64_t *nanoseconds)"),
    vectorName: library.func("const char *weft_vector_name(void)"),
    vectorWidth: library.func("int32_t weft_vector_width(void)"),
  };
  runtimes.set(path, runtime);
  return runtime;
}

/** The bytes at an address, without a copy. Only while the memory is allocated. */
export function bytesAt(pointer: Pointer, length: number): Uint8Array {
  return length === 0 ? new Uint8Array(0) : new Uint8Array(koffi.view(pointer, length));
}
