/* kernel/threads.c: the pool. One run at a time has it: a run publishes its work by counting `ticket` up, worker
 * i takes part in runs of more than i indices, and each that is done counts `pending` down. */
#include "kernel/threads.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include "kernel/kernel.h"

enum {
  SPIN_NANOSECONDS = 300 * 1000, /* after a run, before a worker sleeps: longer than most gaps of a training step */
  TURNS_A_LOOK = 32,             /* turns of a spin between two looks at the clock */
  TURNS_BEFORE_YIELD = 2000      /* of any spin: others may want the core */
};

typedef struct worker {
  _Alignas(64) _Atomic uint32_t ticket; /* counted up for each run this worker takes part in */
  _Atomic bool asleep;
  pthread_t thread;
  pthread_cond_t wake;
  bool moved;                           /* see wake_elsewhere */
#if defined(__linux__)
  cpu_set_t allowed;
#endif
} worker;

/* One pool a process. Everything but the atomics belongs to whoever holds `busy`. */
static struct {
  _Atomic bool busy;
  _Alignas(64) _Atomic int pending; /* workers still in the run */
  rnl_thread_function function;
  void *context;
  int count;
  bool stop;
  int workers; /* started so far: worker[1 .. workers] */
  pid_t owner; /* the process they live in */
  pthread_mutex_t mutex; /* around `asleep` and the condition */
  worker worker[RNL_THREADS_MAX];
} pool = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static _Thread_local bool inside; /* this thread runs an index already */

static inline void relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static int64_t now_nanoseconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Linux often wakes a thread on the busy core of its waker though another is idle, and leaves it there for some
 * milliseconds. So a sleeper is kept off its waker's core while it wakes; afterwards it may run where all may. */
#if defined(__linux__)
static bool wake_elsewhere(worker *w) {
  cpu_set_t others;
  const int here = sched_getcpu();
  if (here < 0 || here >= CPU_SETSIZE || pthread_getaffinity_np(pthread_self(), sizeof others, &others) != 0)
    return false;
  w->allowed = others;
  CPU_CLR(here, &others);
  return CPU_COUNT(&others) > 0 && pthread_setaffinity_np(w->thread, sizeof others, &others) == 0;
}
static void wake_anywhere(worker *self) {
  pthread_setaffinity_np(pthread_self(), sizeof self->allowed, &self->allowed);
}
#else
static bool wake_elsewhere(worker *w) {
  (void)w;
  return false;
}
static void wake_anywhere(worker *self) { (void)self; }
#endif

/* Until self->ticket differs from `seen`: spin for a moment, then sleep. */
static void wait_for_work(worker *self, uint32_t seen) {
  const int64_t until = now_nanoseconds() + SPIN_NANOSECONDS;
  for (int turn = 1;; turn++) {
    if (atomic_load_explicit(&self->ticket, memory_order_acquire) != seen) return;
    relax();
    if (turn % TURNS_A_LOOK != 0) continue;
    if (now_nanoseconds() >= until) break;
    if (turn >= TURNS_BEFORE_YIELD) sched_yield();
  }
  pthread_mutex_lock(&pool.mutex);
  /* Sequentially consistent, like the pair in wake_worker: either we see the ticket or it sees us asleep. */
  atomic_store(&self->asleep, true);
  while (atomic_load(&self->ticket) == seen) pthread_cond_wait(&self->wake, &pool.mutex);
  atomic_store(&self->asleep, false);
  const bool moved = self->moved;
  self->moved = false;
  pthread_mutex_unlock(&pool.mutex);
  if (moved) wake_anywhere(self);
}

static void wake_worker(worker *w) {
  atomic_fetch_add(&w->ticket, 1);
  if (!atomic_load(&w->asleep)) return;
  pthread_mutex_lock(&pool.mutex);
  if (atomic_load(&w->asleep)) {
    w->moved = wake_elsewhere(w);
    pthread_cond_signal(&w->wake);
  }
  pthread_mutex_unlock(&pool.mutex);
}

static void *worker_main(void *argument) {
  worker *self = argument;
  const int index = (int)(self - pool.worker);
  rnl_fpu_enter();
  inside = true;
  for (uint32_t seen = 0;; seen++) {
    wait_for_work(self, seen);
    if (pool.stop) return NULL;
    pool.function(pool.context, index, pool.count);
    atomic_fetch_sub_explicit(&pool.pending, 1, memory_order_release);
  }
}

/* Start workers up to `wanted`; how many there are afterwards. */
static int have_workers(int wanted) {
  const pid_t self = getpid();
  if (pool.owner != self) { /* the first run, or a fork's child: its parent's workers are not here */
    pool.workers = 0;
    pool.owner = self;
    pthread_mutex_init(&pool.mutex, NULL);
  }
  if (pool.workers >= wanted) return wanted;
  sigset_t all, before;
  sigfillset(&all);
  if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0) return pool.workers;
  while (pool.workers < wanted) {
    worker *w = &pool.worker[pool.workers + 1];
    atomic_store(&w->ticket, 0);
    atomic_store(&w->asleep, false);
    pthread_cond_init(&w->wake, NULL);
    if (pthread_create(&w->thread, NULL, worker_main, w) != 0) {
      pthread_cond_destroy(&w->wake);
      break;
    }
    pool.workers++;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return pool.workers < wanted ? pool.workers : wanted;
}

void rnl_threads_run(int threads, rnl_thread_function function, void *context) {
  if (threads > RNL_THREADS_MAX) threads = RNL_THREADS_MAX;
  if (threads <= 1 || inside || atomic_exchange_explicit(&pool.busy, true, memory_order_acquire)) {
    function(context, 0, 1);
    return;
  }
  const int helpers = have_workers(threads - 1);
  pool.function = function;
  pool.context = context;
  pool.count = helpers + 1;
  atomic_store_explicit(&pool.pending, helpers, memory_order_relaxed);
  for (int i = 1; i <= helpers; i++) wake_worker(&pool.worker[i]);
  inside = true;
  function(context, 0, helpers + 1);
  inside = false;
  for (int turn = 1; atomic_load_explicit(&pool.pending, memory_order_acquire) > 0; turn++) {
    relax();
    if (turn >= TURNS_BEFORE_YIELD) sched_yield(); /* more threads than cores */
  }
  atomic_store_explicit(&pool.busy, false, memory_order_release);
}

void rnl_barrier_wait(rnl_barrier *barrier, int count) {
  if (count <= 1) return;
  const uint32_t round = atomic_load_explicit(&barrier->round, memory_order_acquire);
  if (atomic_fetch_add_explicit(&barrier->arrived, 1, memory_order_acq_rel) + 1 == (uint32_t)count) {
    atomic_store_explicit(&barrier->arrived, 0, memory_order_relaxed);
    atomic_store_explicit(&barrier->round, round + 1, memory_order_release);
    return;
  }
  for (int turn = 1; atomic_load_explicit(&barrier->round, memory_order_acquire) == round; turn++) {
    relax();
    if (turn >= TURNS_BEFORE_YIELD) sched_yield();
  }
}

void rnl_share(int64_t n, int64_t unit, int index, int count, int64_t *from, int64_t *to) {
  const int64_t units = (n + unit - 1) / unit, each = units / count, more = units % count;
  const int64_t first = index * each + (index < more ? index : more);
  const int64_t last = first + each + (index < more);
  *from = first * unit < n ? first * unit : n;
  *to = last * unit < n ? last * unit : n;
}

/* The program ends or the library is unloaded: no worker may be left in its code. A child of fork has none. */
static __attribute__((destructor)) void stop_workers(void) {
  if (pool.workers == 0 || pool.owner != getpid()) return;
  if (atomic_exchange(&pool.busy, true)) return; /* exit() from within a run: its threads still need the pool */
  pool.stop = true;
  for (int i = 1; i <= pool.workers; i++) wake_worker(&pool.worker[i]);
  for (int i = 1; i <= pool.workers; i++) pthread_join(pool.worker[i].thread, NULL);
  pool.workers = 0;
}
