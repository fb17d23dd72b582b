#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "vector.h"
#include "weft.h"

#define HUGE_PAGE ((int64_t)2 << 20)

void *weft_allocate(int64_t bytes) {
  if (bytes < 0) return NULL;
  /* Room after the end, so that sizes of zero have an address and pages are whole. */
  const int64_t alignment = bytes >= HUGE_PAGE ? HUGE_PAGE : 256;
  const int64_t whole = weft_round_up(bytes + 64, alignment);
  void *memory = NULL;
  if (posix_memalign(&memory, (size_t)alignment, (size_t)whole)) return NULL;
#ifdef MADV_HUGEPAGE
  if (alignment == HUGE_PAGE) madvise(memory, (size_t)whole, MADV_HUGEPAGE);
#endif
  memset(memory, 0, (size_t)whole);
  return memory;
}

void weft_free(void *memory, int64_t bytes) {
  (void)bytes;
  free(memory);
}

void weft_copy(void *target, const void *source, int64_t bytes) { memcpy(target, source, (size_t)bytes); }

static _Thread_local char load_error[1024];

static void note_error(void) {
  const char *text = dlerror();
  strncpy(load_error, text ? text : "unknown error", sizeof load_error - 1);
}

void *weft_load(const char *path) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) note_error();
  return library;
}

void weft_unload(void *library) {
  if (library) dlclose(library);
}

void *weft_symbol(void *library, const char *name) {
  void *symbol = dlsym(library, name);
  if (!symbol) note_error();
  return symbol;
}

const char *weft_load_error(void) { return load_error; }

const char *weft_vector_name(void) { return WEFT_VECTOR_NAME; }
int32_t weft_vector_width(void) { return WEFT_LANES; }
