#include "sort.h"

#include "pack.h"

#define DIGITS 4
#define VALUES 256

typedef struct {
  uint32_t *base;
  weft_walk batch, place;
} view;

static view read_view(const weft_arguments *arguments, const int64_t *at) {
  view into;
  into.base = (uint32_t *)arguments->buffers[at[0]] + at[1];
  weft_read_walk(weft_read_walk(at + 2, &into.batch), &into.place);
  return into;
}

/* A word that is ordered as the number is: negative floats count backwards, -0 is 0 and what is no number comes last. */
static inline uint32_t ordered(uint32_t bits, int is_integer) {
  const uint32_t sign = 0x80000000u;
  if (is_integer) return bits ^ sign;
  if ((bits & ~sign) > 0x7f800000u) return 0xffffffffu;
  if (bits == sign) bits = 0;
  return bits & sign ? ~bits : bits | sign;
}

/* By one digit after the other, from the lowest: each pass keeps the order of equal digits. A digit that all keys share needs no pass. */
void weft_sort(const weft_arguments *arguments, const int64_t *table, int64_t begin, int64_t end) {
  const int64_t length = table[1];
  const int is_integer = table[2] != 0;
  const view keys = read_view(arguments, table + table[4]);
  const view order = read_view(arguments, table + table[5]);
  for (int64_t u = begin; u < end; u++) {
    uint32_t *key = (uint32_t *)arguments->buffers[table[3]] + 4 * length * u;
    uint32_t *place = key + length, *next_key = place + length, *next_place = next_key + length;
    const uint32_t *from = keys.base + weft_walk_offset(&keys.batch, u);
    int64_t counts[DIGITS][VALUES] = {{0}};
    for (int64_t i = 0; i < length; i++) {
      key[i] = ordered(from[weft_walk_offset(&keys.place, i)], is_integer);
      place[i] = (uint32_t)i;
      for (int d = 0; d < DIGITS; d++) counts[d][key[i] >> (8 * d) & (VALUES - 1)]++;
    }
    for (int d = 0; d < DIGITS && length > 0; d++) {
      if (counts[d][key[0] >> (8 * d) & (VALUES - 1)] == length) continue;
      int64_t start = 0;
      for (int v = 0; v < VALUES; v++) {
        const int64_t count = counts[d][v];
        counts[d][v] = start;
        start += count;
      }
      for (int64_t i = 0; i < length; i++) {
        const int64_t to = counts[d][key[i] >> (8 * d) & (VALUES - 1)]++;
        next_key[to] = key[i];
        next_place[to] = place[i];
      }
      uint32_t *const last_key = key, *const last_place = place;
      key = next_key;
      place = next_place;
      next_key = last_key;
      next_place = last_place;
    }
    uint32_t *to = order.base + weft_walk_offset(&order.batch, u);
    for (int64_t i = 0; i < length; i++) to[weft_walk_offset(&order.place, i)] = place[i];
  }
}
