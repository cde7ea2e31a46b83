/* The pool: every index runs once and at the same time as the others, what they write is seen, nested and
 * concurrent runs work, and a child of fork starts anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kernel/kernel.h"
#include "kernel/threads.h"

static void pause_milliseconds(int n) { nanosleep(&(struct timespec){.tv_nsec = n * 1000000L}, NULL); }

typedef struct tally {
  int runs[RNL_THREADS_MAX + 1], counts[RNL_THREADS_MAX + 1]; /* plain: each index has its own */
} tally;

static void count_run(void *context, int index, int count) {
  tally *t = context;
  t->runs[index]++;
  t->counts[index] = count;
}

static void every_index_runs_once(void **state) {
  (void)state;
  for (int threads = -1; threads <= 6; threads++)
    for (int again = 0; again < 200; again++) {
      tally t = {{0}, {0}};
      if (again % 50 == 49) pause_milliseconds(2); /* workers fall asleep */
      rnl_threads_run(threads, count_run, &t);
      const int count = t.counts[0];
      assert_int_equal(count, threads < 1 ? 1 : threads);
      for (int i = 0; i <= RNL_THREADS_MAX; i++) {
        assert_int_equal(t.runs[i], i < count);
        assert_int_equal(t.counts[i], i < count ? count : 0);
      }
    }
}

static void too_many_are_as_many_as_there_can_be(void **state) {
  (void)state;
  tally t = {{0}, {0}};
  rnl_threads_run(100000, count_run, &t);
  assert_in_range(t.counts[0], 1, RNL_THREADS_MAX);
  for (int i = 0; i < t.counts[0]; i++) assert_int_equal(t.runs[i], 1);
}

/* Phases in lock step: each index reads what its neighbour wrote in the phase before. */
typedef struct ring {
  rnl_barrier barrier;
  int64_t values[2][RNL_THREADS_MAX];
  int phases;
} ring;

static void turn_ring(void *context, int index, int count) {
  ring *r = context;
  r->values[0][index] = index;
  rnl_barrier_wait(&r->barrier, count);
  for (int phase = 0; phase < r->phases; phase++) {
    r->values[(phase + 1) % 2][index] = r->values[phase % 2][(index + 1) % count] + 1;
    rnl_barrier_wait(&r->barrier, count);
  }
}

static void barriers_keep_phases_apart(void **state) {
  (void)state;
  static const int threads[] = {1, 2, 3, 5};
  for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
    ring r = {.phases = 300};
    rnl_threads_run(threads[i], turn_ring, &r);
    for (int index = 0; index < threads[i]; index++)
      assert_int_equal(r.values[r.phases % 2][index], (index + r.phases) % threads[i] + r.phases);
  }
}

static void run_inner(void *context, int index, int count) {
  tally *inner = context;
  (void)count;
  rnl_threads_run(3, count_run, &inner[index]);
}

static void nested_runs_are_plain_calls(void **state) {
  (void)state;
  tally inner[2] = {{{0}, {0}}, {{0}, {0}}};
  rnl_threads_run(2, run_inner, inner);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(inner[i].runs[0], 1);
    assert_int_equal(inner[i].counts[0], 1);
    assert_int_equal(inner[i].runs[1], 0);
  }
}

/* Several threads of a host at once: one has the workers, the others do their work alone. */
static void *many_runs(void *failures) {
  for (int i = 0; i < 300; i++) {
    tally t = {{0}, {0}};
    rnl_threads_run(3, count_run, &t);
    const int count = t.counts[0];
    bool good = count == 1 || count == 3;
    for (int index = 0; index < 3; index++) good = good && t.runs[index] == (index < count);
    if (!good) atomic_fetch_add((_Atomic int *)failures, 1);
  }
  return NULL;
}

static void hosts_threads_may_run_at_once(void **state) {
  (void)state;
  pthread_t thread[3];
  _Atomic int failures = 0;
  for (int i = 0; i < 3; i++) assert_int_equal(pthread_create(&thread[i], NULL, many_runs, &failures), 0);
  for (int i = 0; i < 3; i++) assert_int_equal(pthread_join(thread[i], NULL), 0);
  assert_int_equal(atomic_load(&failures), 0);
}

typedef struct surroundings {
  bool flushes[RNL_THREADS_MAX], blocks[RNL_THREADS_MAX], same_thread[RNL_THREADS_MAX];
  pthread_t caller;
} surroundings;

static void look_around(void *context, int index, int count) {
  surroundings *s = context;
  (void)count;
  volatile float tiny = 1e-30f;
  const volatile float product = tiny * tiny * 1e20f, denormal = tiny * 1e-10f;
  s->flushes[index] = product == 0 && denormal == 0;
  sigset_t set;
  s->blocks[index] = pthread_sigmask(SIG_SETMASK, NULL, &set) == 0 && sigismember(&set, SIGINT) == 1 &&
                     sigismember(&set, SIGTERM) == 1 && sigismember(&set, SIGALRM) == 1;
  s->same_thread[index] = pthread_equal(pthread_self(), s->caller) != 0;
}

static void workers_flush_denormals_and_block_signals(void **state) {
  (void)state;
  surroundings s = {.caller = pthread_self()};
  sigset_t before, after;
  assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &before), 0);
  rnl_threads_run(3, look_around, &s);
  assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &after), 0);
  assert_int_equal(sigismember(&after, SIGINT), sigismember(&before, SIGINT));
  assert_true(s.same_thread[0]);
  for (int i = 1; i < 3; i++) {
    assert_true(s.blocks[i]);
    assert_false(s.same_thread[i]);
#if defined(__x86_64__) || defined(__aarch64__)
    assert_true(s.flushes[i]);
#endif
  }
  assert_false(s.flushes[0]); /* the caller's own setting is the caller's */
}

static void a_child_of_fork_has_a_pool_of_its_own(void **state) {
  (void)state;
  tally t = {{0}, {0}};
  rnl_threads_run(3, count_run, &t);
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    alarm(20);
    tally own = {{0}, {0}};
    for (int i = 0; i < 10; i++) rnl_threads_run(3, count_run, &own);
    _exit(own.runs[0] == 10 && own.runs[1] == 10 && own.runs[2] == 10 && own.counts[0] == 3 ? 0 : 1);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
  rnl_threads_run(3, count_run, &t); /* the parent's pool is as it was */
  assert_int_equal(t.runs[2], 2);
}

static void shares_cover_all_and_begin_at_units(void **state) {
  (void)state;
  for (int64_t n = 0; n <= 70; n++)
    for (int64_t unit = 1; unit <= 33; unit += 8)
      for (int count = 1; count <= 5; count++) {
        int64_t next = 0, least = INT64_MAX, most = 0;
        for (int index = 0; index < count; index++) {
          int64_t from, to;
          rnl_share(n, unit, index, count, &from, &to);
          assert_int_equal(from, next);
          assert_true(to >= from && (from % unit == 0 || from == n));
          const int64_t units = (to - from + unit - 1) / unit;
          least = units < least ? units : least;
          most = units > most ? units : most;
          next = to;
        }
        assert_int_equal(next, n);
        assert_true(most - least <= 1);
      }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_index_runs_once),
      cmocka_unit_test(too_many_are_as_many_as_there_can_be),
      cmocka_unit_test(barriers_keep_phases_apart),
      cmocka_unit_test(nested_runs_are_plain_calls),
      cmocka_unit_test(hosts_threads_may_run_at_once),
      cmocka_unit_test(workers_flush_denormals_and_block_signals),
      cmocka_unit_test(a_child_of_fork_has_a_pool_of_its_own),
      cmocka_unit_test(shares_cover_all_and_begin_at_units),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
