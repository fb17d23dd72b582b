/*
 * The C runtime's face: what generated kernels call, and what the host calls through koffi.
 *
 * A kernel computes units begin..end of its launch. Its result never depends on how the units are cut, so neither does it depend
 * on the number of threads. Every pointer in `buffers` is where the binding's view starts.
 */
#ifndef WEFT_H
#define WEFT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  void *const *buffers;
  const int64_t *integers;
  const float *floats;
} weft_arguments;

typedef void (*weft_kernel)(const weft_arguments *arguments, int64_t begin, int64_t end, void *workspace);

/* Scratch of one thread, 64-byte aligned, contents undefined at entry. */
#define WEFT_WORKSPACE_BYTES (4 << 20)

/* ---- memory ---- */

/* Zeroed memory, 256-byte aligned (large blocks on huge pages where the system has them); NULL when there is none. */
void *weft_allocate(int64_t bytes);
/* `bytes` as given to weft_allocate. */
void weft_free(void *memory, int64_t bytes);
void weft_copy(void *target, const void *source, int64_t bytes);

/* ---- libraries of generated kernels ---- */

/* Opens a shared library whose kernels call into this one; NULL on failure, then weft_load_error says why. */
void *weft_load(const char *path);
void weft_unload(void *library);
/* A kernel by name; NULL when the library has none. */
void *weft_symbol(void *library, const char *name);
/* Text of this thread's last failed weft_load or weft_symbol. */
const char *weft_load_error(void);

/* ---- launch lists ---- */

enum { WEFT_READ = 0, WEFT_WRITE = 1, WEFT_UPDATE = 2 };
/* Element types as far as the runtime cares: what can be non-finite. */
enum { WEFT_OTHER = 0, WEFT_F32 = 1 };

/* A list of launches over memory segments; bindings become pointers once, when segments are bound. */
typedef struct weft_program weft_program;

weft_program *weft_program_create(int32_t segments);
/*
 * Appends a launch; everything is copied. Binding i is `bytes[i]` from byte `offset[i]` of segment `segment[i]`; `access` and
 * `element` are the enums above. Returns the launch's index, or -1 when out of memory.
 */
int64_t weft_program_add(weft_program *program, void *kernel, int32_t bindings, const int32_t *segment, const int64_t *offset,
                         const int64_t *bytes, const int32_t *access, const int32_t *element, int32_t integers,
                         const int64_t *integer_values, int32_t floats, const float *float_values, int64_t units, double cost);
/*
 * Puts segment `segment` at `memory`, which holds `bytes`. Returns -1, or the index of the first launch with a binding that does
 * not fit (then nothing changes). May be called again between runs.
 */
int64_t weft_program_bind(weft_program *program, int32_t segment, void *memory, int64_t bytes);
void weft_program_destroy(weft_program *program);

/* ---- running ---- */

typedef struct weft_pool weft_pool;

/* A pool of `threads` threads, the caller of weft_run being one of them; NULL when they cannot be made. They sleep between runs. */
weft_pool *weft_pool_create(int32_t threads);
void weft_pool_destroy(weft_pool *pool);

/* Runs all launches in order. From any thread; runs of one pool wait for each other. 0, or -1 when a segment is not bound. */
int32_t weft_run(weft_pool *pool, const weft_program *program);
/*
 * Runs launch by launch and looks at the f32 bindings each wrote: the index of the first launch that left a NaN or an infinity,
 * -1 when none did, -2 when a segment is not bound.
 */
int64_t weft_run_checked(weft_pool *pool, const weft_program *program);
/* Runs and writes each launch's wall time in nanoseconds. 0, or -1 when a segment is not bound. */
int32_t weft_profile(weft_pool *pool, const weft_program *program, int64_t *nanoseconds);

/* "AVX-512", "AVX2", "NEON", ... : what this library was compiled for; and its number of f32 lanes. */
const char *weft_vector_name(void);
int32_t weft_vector_width(void);

#ifdef __cplusplus
}
#endif

#endif
