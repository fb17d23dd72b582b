#include "program.h"

#include <stdlib.h>
#include <string.h>

weft_program *weft_program_create(int32_t segments) {
  weft_program *program = calloc(1, sizeof *program);
  if (!program) return NULL;
  program->segments = segments;
  program->memory = calloc((size_t)segments + 1, sizeof *program->memory);
  program->bytes = calloc((size_t)segments + 1, sizeof *program->bytes);
  if (!program->memory || !program->bytes) {
    weft_program_destroy(program);
    return NULL;
  }
  return program;
}

static void *copy_of(const void *values, size_t bytes) {
  void *copy = malloc(bytes + 1);
  if (copy && bytes) memcpy(copy, values, bytes);
  return copy;
}

static void free_launch(weft_launch *launch) {
  free(launch->binding);
  free(launch->buffers);
  free((void *)launch->arguments.integers);
  free((void *)launch->arguments.floats);
}

int64_t weft_program_add(weft_program *program, void *kernel, int32_t bindings, const int32_t *segment, const int64_t *offset,
                         const int64_t *bytes, const int32_t *access, const int32_t *element, int32_t integers,
                         const int64_t *integer_values, int32_t floats, const float *float_values, int64_t units, double cost) {
  if (program->launches == program->capacity) {
    const int64_t capacity = program->capacity ? 2 * program->capacity : 64;
    weft_launch *grown = realloc(program->launch, (size_t)capacity * sizeof *grown);
    if (!grown) return -1;
    program->launch = grown;
    program->capacity = capacity;
  }
  weft_launch launch = {.kernel = (weft_kernel)kernel, .units = units, .cost = cost, .bindings = bindings};
  launch.binding = calloc((size_t)bindings + 1, sizeof *launch.binding);
  launch.buffers = calloc((size_t)bindings + 1, sizeof *launch.buffers);
  launch.arguments.buffers = launch.buffers;
  launch.arguments.integers = copy_of(integer_values, (size_t)integers * sizeof *integer_values);
  launch.arguments.floats = copy_of(float_values, (size_t)floats * sizeof *float_values);
  if (!launch.binding || !launch.buffers || !launch.arguments.integers || !launch.arguments.floats) {
    free_launch(&launch);
    return -1;
  }
  for (int32_t i = 0; i < bindings; i++)
    launch.binding[i] = (weft_binding){segment[i], access[i], element[i], offset[i], bytes[i]};
  program->launch[program->launches] = launch;
  program->cost += cost;
  return program->launches++;
}

int64_t weft_program_bind(weft_program *program, int32_t segment, void *memory, int64_t bytes) {
  for (int64_t l = 0; l < program->launches; l++) {
    const weft_launch *launch = program->launch + l;
    for (int32_t i = 0; i < launch->bindings; i++) {
      const weft_binding *binding = launch->binding + i;
      if (binding->segment != segment) continue;
      if (binding->offset < 0 || binding->bytes < 0 || binding->offset > bytes || binding->bytes > bytes - binding->offset) return l;
    }
  }
  program->memory[segment] = memory;
  program->bytes[segment] = bytes;
  for (int64_t l = 0; l < program->launches; l++) {
    weft_launch *launch = program->launch + l;
    for (int32_t i = 0; i < launch->bindings; i++)
      if (launch->binding[i].segment == segment) launch->buffers[i] = (char *)memory + launch->binding[i].offset;
  }
  return -1;
}

int weft_program_is_bound(const weft_program *program) {
  for (int64_t l = 0; l < program->launches; l++)
    for (int32_t i = 0; i < program->launch[l].bindings; i++)
      if (program->launch[l].binding[i].bytes > 0 && !program->launch[l].buffers[i]) return 0;
  return 1;
}

void weft_program_destroy(weft_program *program) {
  if (!program) return;
  for (int64_t l = 0; l < program->launches; l++) free_launch(program->launch + l);
  free(program->launch);
  free(program->memory);
  free(program->bytes);
  free(program);
}
