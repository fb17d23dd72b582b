/* What a launch list looks like inside. */
#ifndef WEFT_PROGRAM_H
#define WEFT_PROGRAM_H

#include "weft.h"

typedef struct {
  int32_t segment, access, element;
  int64_t offset, bytes;
} weft_binding;

typedef struct {
  weft_kernel kernel;
  weft_arguments arguments;
  int64_t units;
  double cost;
  int32_t bindings;
  weft_binding *binding;
  void **buffers;
} weft_launch;

struct weft_program {
  int32_t segments;
  void **memory;
  int64_t *bytes;
  int64_t launches, capacity;
  weft_launch *launch;
  /* Sum of the launches' costs. */
  double cost;
};

/* Whether every segment of which a launch reads or writes some bytes is bound. */
int weft_program_is_bound(const weft_program *program);

#endif
