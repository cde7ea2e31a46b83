/* sweep/pruner.h owns when a running trial is stopped. A decision is a pure function of its arguments.
 *
 *   median     stop where the value at this step is worse than the median of the finished trials' values at it, once
 *              `startup` (5) trials are finished
 *   asha       asynchronous successive halving, stopping form (Li 2018): rungs are the steps r, r eta, r eta^2, ...
 *              below the last; at a rung a trial goes on if it is among the best max(1, floor(n / eta)) of the n
 *              values seen there, its own included. eta 4, r = max(1, R / 16), so that a trial is looked at
 *              twice: at R / 100 most curves still look alike, and the best of a hundred configurations is often
 *              dropped (docs/sweeps.md has figures)
 *   hyperband  (Li 2018) eta 3, r = max(1, R / 100), floor(log_eta(R / r)) + 1 brackets, counted in whole numbers;
 *              bracket s has the rungs r eta^s, r eta^(s+1), ... and asha among its own trials. A trial's bracket
 *              follows from its number alone; of each round, bracket s gets its share of Hyperband's configurations,
 *              interleaved
 *
 * A trial's value at a step is the one it reported there, or first after it (curves may be thinned); a NaN is worse
 * than any number. */
#ifndef RNL_SWEEP_PRUNER_H
#define RNL_SWEEP_PRUNER_H

#include <stdbool.h>

#include "base/error.h"
#include "sweep/history.h"

typedef enum rnl_pruner_kind {
  RNL_PRUNER_NONE,
  RNL_PRUNER_MEDIAN,
  RNL_PRUNER_ASHA,
  RNL_PRUNER_HYPERBAND
} rnl_pruner_kind;

typedef struct rnl_pruner {
  rnl_pruner_kind kind;
  int64_t last_step; /* R: the steps of a full trial; asha and hyperband need it (>= 1) */
  int64_t first;     /* r, the first rung; 0: the usual one, above */
  int64_t eta;       /* users call it factor; 0: 4 for asha, 3 for hyperband */
  int64_t startup;   /* median: finished trials it waits for; 0: 5 */
} rnl_pruner;

/* "none", "median", "asha", "hyperband". */
rnl_status rnl_pruner_named(const char *name, rnl_pruner_kind *kind, rnl_error *err);
const char *rnl_pruner_name(rnl_pruner_kind kind);

/* Fill in the zeros; ERR_ARG for what cannot be (no last step, eta below 2, first beyond last). */
rnl_status rnl_pruner_settle(rnl_pruner *pruner, rnl_error *err);

/* Is the trial `self` to be stopped now? Its last entry of `steps` is the report in question. The history may hold
 * `self`, too (a trial of its number is passed over). The pruner must be settled. */
bool rnl_pruner_stops(const rnl_pruner *pruner, const rnl_history *history, const rnl_trial_view *self);

/* The next step > `after` at which rnl_pruner_stops could say yes, last_step where there is none: between them
 * a worker need not ask. */
int64_t rnl_pruner_next(const rnl_pruner *pruner, int64_t number, int64_t after);

/* hyperband: how many brackets, and the one of a trial (0: the most aggressive). */
int rnl_pruner_brackets(const rnl_pruner *pruner);
int rnl_pruner_bracket(const rnl_pruner *pruner, int64_t number);

#endif
