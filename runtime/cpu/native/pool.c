/*
 * Threads and the running of launch lists.
 *
 * A launch is cut into pieces, contiguous ranges of units; threads claim pieces one at a time. Which thread computes a piece makes no
 * difference to the result, so a thread that the machine keeps waiting (a noisy neighbour) delays nobody: the others take its
 * pieces. Between launches threads spin for a while, then sleep.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "program.h"
#include "vector.h"

/* Launches that cost less are not worth handing to threads that are awake; or to ones that sleep. Nanoseconds. */
#define WORTH_SHARING 8000.0
#define WORTH_WAKING 40000.0
/* A piece is at least about this long, nanoseconds. */
#define PIECE_COST 4000.0
#define PIECES_PER_THREAD 4
/* How long a waiting thread spins before it sleeps, nanoseconds. */
#define SPIN_TIME 50000

#define ALIGNED __attribute__((aligned(128)))

struct weft_pool {
  int32_t threads;
  pthread_t *handles;
  void **workspaces;
  /* Launch number << 32 | pieces << 16 | next piece to claim. One word, so that a claim is of the launch it was read with. */
  _Atomic uint64_t ticket ALIGNED;
  _Atomic int64_t finished ALIGNED;
  const weft_launch *launch ALIGNED;
  _Atomic int32_t sleepers;
  _Atomic int stopping;
  uint32_t number;
  pthread_mutex_t running, sleeping;
  pthread_cond_t work;
};

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static inline void pause_briefly(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/* A moment of waiting; nonzero once SPIN_TIME has passed since `*since`, which is set at the first call (when it is 0). */
static inline int spin(int64_t *since) {
  for (int i = 0; i < 4; i++) pause_briefly();
  const int64_t time = now();
  if (*since == 0) *since = time;
  return time - *since > SPIN_TIME;
}

/* Claims and runs pieces of the current launch until none are left. */
static void run_pieces(weft_pool *pool, void *workspace) {
  for (;;) {
    uint64_t seen = atomic_load(&pool->ticket);
    if ((seen & 0xffff) >= (seen >> 16 & 0xffff)) return;
    if (!atomic_compare_exchange_weak(&pool->ticket, &seen, seen + 1)) continue;
    /* The launch cannot end, nor the next one begin, before this piece is counted. */
    const weft_launch *launch = pool->launch;
    const int64_t pieces = (int64_t)(seen >> 16 & 0xffff), piece = (int64_t)(seen & 0xffff);
    launch->kernel(&launch->arguments, launch->units * piece / pieces, launch->units * (piece + 1) / pieces, workspace);
    atomic_fetch_add(&pool->finished, 1);
  }
}

typedef struct {
  weft_pool *pool;
  int32_t index;
} member;

static void *work_loop(void *given) {
  const member self = *(member *)given;
  free(given);
  weft_pool *pool = self.pool;
  uint32_t number = 0;
  for (;;) {
    int64_t since = 0;
    while ((uint32_t)(atomic_load(&pool->ticket) >> 32) == number && !atomic_load(&pool->stopping)) {
      if (!spin(&since)) continue;
      pthread_mutex_lock(&pool->sleeping);
      atomic_fetch_add(&pool->sleepers, 1);
      while ((uint32_t)(atomic_load(&pool->ticket) >> 32) == number && !atomic_load(&pool->stopping))
        pthread_cond_wait(&pool->work, &pool->sleeping);
      atomic_fetch_sub(&pool->sleepers, 1);
      pthread_mutex_unlock(&pool->sleeping);
    }
    if (atomic_load(&pool->stopping)) return NULL;
    number = (uint32_t)(atomic_load(&pool->ticket) >> 32);
    run_pieces(pool, pool->workspaces[self.index]);
  }
}

weft_pool *weft_pool_create(int32_t threads) {
  if (threads < 1) return NULL;
  weft_pool *pool = NULL;
  if (posix_memalign((void **)&pool, 128, sizeof *pool)) return NULL;
  memset(pool, 0, sizeof *pool);
  pthread_mutex_init(&pool->running, NULL);
  pthread_mutex_init(&pool->sleeping, NULL);
  pthread_cond_init(&pool->work, NULL);
  pool->handles = calloc((size_t)threads, sizeof *pool->handles);
  pool->workspaces = calloc((size_t)threads, sizeof *pool->workspaces);
  if (!pool->handles || !pool->workspaces) {
    weft_pool_destroy(pool);
    return NULL;
  }
  for (int32_t t = 0; t < threads; t++) {
    member *self = malloc(sizeof *self);
    if (self) *self = (member){pool, t};
    pool->workspaces[t] = weft_allocate(WEFT_WORKSPACE_BYTES);
    /* Thread 0 is whoever calls weft_run. */
    const int failed = !self || !pool->workspaces[t] || (t > 0 && pthread_create(pool->handles + t, NULL, work_loop, self));
    if (t == 0 || failed) free(self);
    if (failed) {
      weft_free(pool->workspaces[t], WEFT_WORKSPACE_BYTES);
      weft_pool_destroy(pool);
      return NULL;
    }
    pool->threads = t + 1;
  }
  return pool;
}

static void wake(weft_pool *pool) {
  pthread_mutex_lock(&pool->sleeping);
  pthread_cond_broadcast(&pool->work);
  pthread_mutex_unlock(&pool->sleeping);
}

void weft_pool_destroy(weft_pool *pool) {
  if (!pool) return;
  atomic_store(&pool->stopping, 1);
  wake(pool);
  for (int32_t t = 1; t < pool->threads; t++) pthread_join(pool->handles[t], NULL);
  for (int32_t t = 0; t < pool->threads; t++) weft_free(pool->workspaces[t], WEFT_WORKSPACE_BYTES);
  free(pool->handles);
  free(pool->workspaces);
  pthread_mutex_destroy(&pool->running);
  pthread_mutex_destroy(&pool->sleeping);
  pthread_cond_destroy(&pool->work);
  free(pool);
}

static void run_launch(weft_pool *pool, const weft_launch *launch) {
  if (launch->units <= 0) return;
  int64_t pieces = weft_smaller(launch->units, PIECES_PER_THREAD * (int64_t)pool->threads);
  pieces = weft_smaller(pieces, (int64_t)(launch->cost / PIECE_COST));
  /* What the ticket has room for. */
  pieces = weft_smaller(pieces, 0xffff);
  const int64_t asleep = atomic_load(&pool->sleepers);
  if (pool->threads == 1 || pieces < 2 || launch->cost < WORTH_SHARING ||
      (launch->cost < WORTH_WAKING && asleep == pool->threads - 1)) {
    launch->kernel(&launch->arguments, 0, launch->units, pool->workspaces[0]);
    return;
  }
  atomic_store(&pool->finished, 0);
  pool->launch = launch;
  pool->number++;
  atomic_store(&pool->ticket, (uint64_t)pool->number << 32 | (uint64_t)pieces << 16);
  /* Looked at only now: a thread that counted itself before saw the old ticket, one that does later sees the new one. */
  if (launch->cost >= WORTH_WAKING && atomic_load(&pool->sleepers) > 0) wake(pool);
  run_pieces(pool, pool->workspaces[0]);
  int64_t since = 0;
  while (atomic_load(&pool->finished) < pieces) {
    if (!spin(&since)) continue;
    /* Some thread was put aside in the middle of its piece; let it have this core. */
    const struct timespec moment = {0, 20000};
    nanosleep(&moment, NULL);
  }
}

int32_t weft_run(weft_pool *pool, const weft_program *program) {
  if (!weft_program_is_bound(program)) return -1;
  pthread_mutex_lock(&pool->running);
  for (int64_t l = 0; l < program->launches; l++) run_launch(pool, program->launch + l);
  pthread_mutex_unlock(&pool->running);
  return 0;
}

static int is_finite_word(uint32_t word) { return (word & 0x7f800000u) != 0x7f800000u; }

static int all_finite(const uint32_t *words, int64_t count) {
  int64_t strange = 0;
  for (int64_t i = 0; i < count; i++) strange += !is_finite_word(words[i]);
  return strange == 0;
}

int64_t weft_run_checked(weft_pool *pool, const weft_program *program) {
  if (!weft_program_is_bound(program)) return -2;
  pthread_mutex_lock(&pool->running);
  int64_t found = -1;
  for (int64_t l = 0; l < program->launches && found < 0; l++) {
    const weft_launch *launch = program->launch + l;
    for (int pass = 0; pass < 2; pass++) {
      for (int32_t i = 0; i < launch->bindings; i++) {
        const weft_binding *binding = launch->binding + i;
        if (binding->element != WEFT_F32 || binding->access == WEFT_READ) continue;
        uint32_t *words = launch->buffers[i];
        const int64_t count = binding->bytes / 4;
        /* A launch may write a part of its binding only; what stood in the rest before is not its doing. */
        if (pass == 0 && binding->access == WEFT_WRITE)
          for (int64_t w = 0; w < count; w++) words[w] = is_finite_word(words[w]) ? words[w] : 0;
        if (pass == 1 && !all_finite(words, count)) found = l;
      }
      if (pass == 0) run_launch(pool, launch);
    }
  }
  pthread_mutex_unlock(&pool->running);
  return found;
}

int32_t weft_profile(weft_pool *pool, const weft_program *program, int64_t *nanoseconds) {
  if (!weft_program_is_bound(program)) return -1;
  pthread_mutex_lock(&pool->running);
  for (int64_t l = 0; l < program->launches; l++) {
    const int64_t start = now();
    run_launch(pool, program->launch + l);
    nanoseconds[l] = now() - start;
  }
  pthread_mutex_unlock(&pool->running);
  return 0;
}
