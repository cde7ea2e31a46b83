/* sweep/history.h owns how samplers, pruners and importance see the trials so far: plain read-only views that
 * whoever keeps the trials (the coordinator, a cluster worker reading journals) fills in.
 *
 * Values are to be minimised: for `max:accuracy` the owner of the trials negates once. With repeats a trial is the
 * configuration and its value the mean. */
#ifndef RNL_SWEEP_HISTORY_H
#define RNL_SWEEP_HISTORY_H

#include <stdint.h>

typedef enum rnl_trial_state {
  RNL_TRIAL_RUNNING,
  RNL_TRIAL_FINISHED, /* ended with a finite value */
  RNL_TRIAL_PRUNED,   /* stopped by a pruner; `steps` says how far it came */
  RNL_TRIAL_FAILED    /* failed, diverged, killed, timeout, oom: never ranks */
} rnl_trial_state;

typedef struct rnl_trial_step {
  int64_t step;  /* an epoch, from 1; strictly rising within a trial */
  double value;  /* NaN: none was there */
} rnl_trial_step;

typedef struct rnl_trial_view {
  int64_t number;       /* from 0 */
  const double *values; /* its point, space.n numbers */
  rnl_trial_state state;
  double value;         /* the objective; looked at where the state is finished */
  int64_t n_steps;      /* the curve so far, may be empty or thinned */
  const rnl_trial_step *steps;
} rnl_trial_view;

typedef struct rnl_history { /* all zeros is an empty history */
  int64_t n;
  const rnl_trial_view *trials; /* in any order; what is made of them does not depend on it */
} rnl_history;

#endif
