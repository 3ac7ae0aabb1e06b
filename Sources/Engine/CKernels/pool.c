// A fork-join pool on futexes. Workers spin for a moment after a run, since the next one usually follows at once, and
// sleep otherwise: an idle daemon must not burn a core.
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "CKernels.h"

struct pk_pool {
  _Alignas(64) _Atomic uint32_t round;    // counts runs; workers wait on it
  _Alignas(64) _Atomic int64_t next;      // the next index to be done
  _Alignas(64) _Atomic uint32_t working;  // workers that have not left the current run
  int64_t count;
  pk_body body;
  void *context;
  int64_t threads;
  _Atomic bool closing;
  pthread_t *workers;
};

typedef struct {
  pk_pool *pool;
  int64_t lane;
} worker_start;

static void futex_wait(_Atomic uint32_t *word, uint32_t value) {
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1 << 30, NULL, NULL, 0);
}

static void relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

static void wait_for_change(_Atomic uint32_t *word, uint32_t value) {
  for (int spin = 0; spin < 4000; spin++) {
    if (atomic_load_explicit(word, memory_order_acquire) != value) return;
    relax();
  }
  while (atomic_load_explicit(word, memory_order_acquire) == value) futex_wait(word, value);
}

static void work(pk_pool *pool, int64_t lane) {
  for (;;) {
    int64_t index = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
    if (index >= pool->count) return;
    pool->body(pool->context, index, lane);
  }
}

static void *worker_main(void *argument) {
  worker_start start = *(worker_start *)argument;
  free(argument);
  pk_pool *pool = start.pool;
  uint32_t seen = 0;
  for (;;) {
    wait_for_change(&pool->round, seen);
    seen = atomic_load_explicit(&pool->round, memory_order_acquire);
    if (atomic_load(&pool->closing)) return NULL;
    work(pool, start.lane);
    if (atomic_fetch_sub_explicit(&pool->working, 1, memory_order_acq_rel) == 1) futex_wake(&pool->working);
  }
}

pk_pool *pk_pool_create(int64_t threads) {
  pk_pool *pool = aligned_alloc(64, sizeof(pk_pool));
  if (!pool) return NULL;
  *pool = (pk_pool){.threads = 1};
  pool->workers = calloc((size_t)threads, sizeof(pthread_t));
  for (int64_t lane = 1; lane < threads; lane++) {
    worker_start *start = malloc(sizeof(worker_start));
    *start = (worker_start){pool, lane};
    // Fewer threads than asked for is slower, not wrong.
    if (pthread_create(&pool->workers[lane], NULL, worker_main, start) != 0) {
      free(start);
      break;
    }
    pool->threads = lane + 1;
  }
  return pool;
}

void pk_pool_destroy(pk_pool *pool) {
  atomic_store(&pool->closing, true);
  atomic_fetch_add_explicit(&pool->round, 1, memory_order_release);
  futex_wake(&pool->round);
  for (int64_t lane = 1; lane < pool->threads; lane++) pthread_join(pool->workers[lane], NULL);
  free(pool->workers);
  free(pool);
}

void pk_pool_run(pk_pool *pool, int64_t count, pk_body body, void *context) {
  if (count <= 1 || pool->threads == 1) {
    for (int64_t index = 0; index < count; index++) body(context, index, 0);
    return;
  }
  pool->count = count;
  pool->body = body;
  pool->context = context;
  atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
  atomic_store_explicit(&pool->working, (uint32_t)(pool->threads - 1), memory_order_relaxed);
  atomic_fetch_add_explicit(&pool->round, 1, memory_order_release);
  futex_wake(&pool->round);
  work(pool, 0);
  for (uint32_t left; (left = atomic_load_explicit(&pool->working, memory_order_acquire)) != 0;)
    wait_for_change(&pool->working, left);
}
