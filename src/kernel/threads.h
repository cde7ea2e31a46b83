/* kernel/threads.h owns the pool of worker threads and the barrier for phases in lock step.
 *
 * Work is divided by index: what index i of n does is a fixed function of i, n and the data, so that
 * results never depend on timing. Workers start at the first run that wants them, spin for a moment after
 * each run and then sleep; they block all signals and flush denormals (rnl_fpu_enter). A fork's child has
 * no workers and starts its own. They are joined when the program ends or the library is unloaded. */
#ifndef RNL_KERNEL_THREADS_H
#define RNL_KERNEL_THREADS_H

#include <stdint.h>

enum { RNL_THREADS_MAX = 64 };

typedef void (*rnl_thread_function)(void *context, int index, int count);

/* Call function(context, index, count) for each index from 0 to count - 1 at the same time, index 0 on the
 * calling thread, and return when all have returned. `count` is `threads` within 1 .. RNL_THREADS_MAX, or
 * less where the system refuses more threads: the function must divide by the count it is given, and its
 * result must not depend on it. With 1, in a nested call, and while another thread's run has the
 * workers, it is a plain call function(context, 0, 1). What was written before the call is seen by all
 * indices, what they wrote by the caller afterwards. The function must return (no longjmp out of it). */
void rnl_threads_run(int threads, rnl_thread_function function, void *context);

/* A barrier for the indices of one run; {0} is its first state, and it can be used any number of times. */
typedef struct rnl_barrier {
  _Alignas(64) _Atomic uint32_t arrived;
  _Alignas(64) _Atomic uint32_t round;
} rnl_barrier;

/* Wait until all `count` indices have come here; what they wrote before is then seen by all. count 1: returns. */
void rnl_barrier_wait(rnl_barrier *barrier, int count);

/* Part `index` of 0 .. n - 1 divided into `count` parts that begin at multiples of `unit`: from *from up to, not
 * including, *to. Parts differ by at most one unit; the late ones may be empty. */
void rnl_share(int64_t n, int64_t unit, int index, int count, int64_t *from, int64_t *to);

#endif
