/* sweep/tpe.c: which trials are good, and the proposal made of them (the formulas stand in tpe.h). */
#include "sweep/tpe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum { MOST_BELOW = 25 };

/* ---- below and above -------------------------------------------------------------------------- */

static double or_infinity(double x) { return isnan(x) ? INFINITY : x; }

/* < 0: a is better. Finished before pruned before running; no two are alike. */
static int better(const rnl_trial_view *a, const rnl_trial_view *b) {
  static const int class[] = {[RNL_TRIAL_FINISHED] = 0, [RNL_TRIAL_PRUNED] = 1, [RNL_TRIAL_RUNNING] = 2};
  if (a->state != b->state) return class[a->state] - class[b->state];
  double x = 0, y = 0;
  if (a->state == RNL_TRIAL_FINISHED) {
    x = or_infinity(a->value);
    y = or_infinity(b->value);
  } else if (a->state == RNL_TRIAL_PRUNED) {
    const int64_t far_a = a->n_steps ? a->steps[a->n_steps - 1].step : INT64_MIN;
    const int64_t far_b = b->n_steps ? b->steps[b->n_steps - 1].step : INT64_MIN;
    if (far_a != far_b) return far_a > far_b ? -1 : 1;
    x = a->n_steps ? or_infinity(a->steps[a->n_steps - 1].value) : 0;
    y = b->n_steps ? or_infinity(b->steps[b->n_steps - 1].value) : 0;
  }
  if (x != y) return x < y ? -1 : 1;
  return a->number < b->number ? -1 : a->number > b->number;
}

static int by_number(const void *a, const void *b) {
  const int64_t x = (*(const rnl_trial_view *const *)a)->number, y = (*(const rnl_trial_view *const *)b)->number;
  return x < y ? -1 : x > y;
}

int64_t rnl_tpe_split(const rnl_history *history, int64_t number, const rnl_trial_view **below, int64_t *n_below,
                      const rnl_trial_view **above, int64_t *n_above) {
  int64_t n = 0, done = 0;
  bool sorted = true;
  for (int64_t i = 0; i < history->n; i++) { /* `above` holds them all at first */
    const rnl_trial_view *trial = &history->trials[i];
    if (trial->state == RNL_TRIAL_FAILED || trial->number == number) continue;
    sorted = sorted && (n == 0 || above[n - 1]->number < trial->number);
    above[n++] = trial;
    done += trial->state != RNL_TRIAL_RUNNING;
  }
  if (!sorted) qsort(above, (size_t)n, sizeof *above, by_number);
  int64_t want = (done + 9) / 10;
  if (want > MOST_BELOW) want = MOST_BELOW;
  *n_below = *n_above = 0;
  if (want == 0) {
    *n_above = n;
    return done;
  }
  const rnl_trial_view *best[MOST_BELOW]; /* the best so far, best first */
  int64_t n_best = 0;
  for (int64_t i = 0; i < n; i++) {
    if (above[i]->state == RNL_TRIAL_RUNNING) continue;
    if (n_best == want && better(above[i], best[want - 1]) > 0) continue;
    int64_t at = n_best < want ? n_best++ : want - 1;
    for (; at > 0 && better(above[i], best[at - 1]) < 0; at--) best[at] = best[at - 1];
    best[at] = above[i];
  }
  for (int64_t i = 0; i < n; i++) {
    if (above[i]->state != RNL_TRIAL_RUNNING && better(above[i], best[want - 1]) <= 0) below[(*n_below)++] = above[i];
    else above[(*n_above)++] = above[i];
  }
  return done;
}

/* ---- the proposal ----------------------------------------------------------------------------- */

typedef struct proposal {
  const rnl_tpe_options *options;
  const rnl_space *space;
  int64_t n_below, n_above;
  const rnl_trial_view *const *below, *const *above;
  const rnl_points *taken; /* candidates to pass over, or NULL */
  rnl_rng *rng;
  rnl_parzen *work;        /* the densities below and above */
  double *candidates;      /* candidates * space.n */
  const double **points;   /* of the observations, then of the candidates */
  double *log_below, *log_above;
} proposal;

/* The density of those trials in which all of dims are active. */
static rnl_status density(const proposal *p, int64_t n, const rnl_trial_view *const *trials, int n_dims,
                          const int *dims, rnl_parzen *out, rnl_error *err) {
  int64_t m = 0;
  for (int64_t i = 0; i < n; i++) {
    bool has = true;
    for (int d = 0; d < n_dims; d++) has = has && !isnan(trials[i]->values[dims[d]]);
    if (has) p->points[m++] = trials[i]->values;
  }
  return rnl_parzen_build(out, p->space, n_dims, dims, m, p->points, err);
}

/* values[dims] become the best candidate's; *found is false where all are taken. */
static rnl_status choose(const proposal *p, int n_dims, const int *dims, double *values, bool *found, rnl_error *err) {
  const int64_t n = p->options->candidates, wide = p->space->n;
  rnl_parzen *below = &p->work[0], *above = &p->work[1];
  rnl_status status = density(p, p->n_below, p->below, n_dims, dims, below, err);
  if (status == RNL_OK) status = density(p, p->n_above, p->above, n_dims, dims, above, err);
  for (int64_t i = 0; status == RNL_OK && i < n; i++) {
    memcpy(p->candidates + i * wide, values, (size_t)wide * sizeof *values);
    rnl_parzen_draw(below, p->rng, p->candidates + i * wide);
    p->points[i] = p->candidates + i * wide;
  }
  if (status == RNL_OK) status = rnl_parzen_log_density(below, n, p->points, p->log_below, err);
  if (status == RNL_OK) status = rnl_parzen_log_density(above, n, p->points, p->log_above, err);
  if (status != RNL_OK) return status;
  int64_t best = -1;
  for (int64_t i = 0; i < n; i++) {
    if (p->taken && rnl_points_has(p->taken, p->space, p->points[i])) continue;
    if (best < 0 || p->log_below[i] - p->log_above[i] > p->log_below[best] - p->log_above[best]) best = i;
  }
  *found = best >= 0;
  if (best >= 0) memcpy(values, p->points[best], (size_t)wide * sizeof *values);
  return RNL_OK;
}

rnl_status rnl_tpe_propose(const rnl_tpe_options *options, const rnl_space *space, int64_t n_below,
                           const rnl_trial_view *const *below, int64_t n_above,
                           const rnl_trial_view *const *above, const rnl_points *taken, rnl_rng *rng,
                           rnl_parzen *work, double *values, bool *found, rnl_error *err) {
  int shared[RNL_SPACE_MAX_DIMS], n_shared = 0, single = 0;
  for (int i = 0; i < space->n; i++) {
    const rnl_dimension *d = &space->dims[i];
    values[i] = NAN;
    if (d->when >= 0) continue;
    if (d->low == d->high) {
      values[i] = d->low;
      single++;
    } else if (!options->univariate) {
      shared[n_shared++] = i;
    }
  }
  const int64_t n = options->candidates, most = (n_below > n_above ? n_below : n_above) + n;
  proposal p = {.options = options, .space = space, .n_below = n_below, .n_above = n_above, .below = below,
                .above = above, .rng = rng, .work = work};
  p.candidates = rnl_alloc((size_t)n, ((size_t)space->n + 2) * sizeof *p.candidates);
  p.points = rnl_alloc((size_t)most, sizeof *p.points);
  rnl_status status = RNL_OK;
  if (!p.candidates || !p.points) {
    status = rnl_fail(err, RNL_ERR_MEMORY, "out of memory for a proposal");
  } else {
    p.log_below = p.candidates + n * space->n;
    p.log_above = p.log_below + n;
  }
  *found = true;
  if (status == RNL_OK && n_shared > 0) {
    if (n_shared + single == space->n) p.taken = taken; /* nothing more will be put to the candidates */
    status = choose(&p, n_shared, shared, values, found, err);
    p.taken = NULL;
  }
  for (int i = 0; status == RNL_OK && *found && i < space->n; i++) {
    if (!isnan(values[i]) || !rnl_space_active(space, values, i)) continue;
    if (space->dims[i].low == space->dims[i].high) values[i] = space->dims[i].low;
    else status = choose(&p, 1, &i, values, found, err);
  }
  if (status == RNL_OK && *found && taken) *found = !rnl_points_has(taken, space, values);
  rnl_free(p.candidates);
  rnl_free(p.points);
  return status;
}
