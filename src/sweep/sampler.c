/* sweep/sampler.c: grid, random and Sobol, and what all samplers share; the estimator itself is tpe.c's. */
#include "sweep/sampler.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "sweep/points.h"
#include "sweep/sobol.h"
#include "sweep/tpe.h"

enum { STARTUP = 10, CANDIDATES = 24, TRIES = 100, ROUNDS = 10 };

struct rnl_sampler {
  rnl_space space;
  rnl_sampler_options options;
  uint64_t seed;
  int64_t count; /* points of a finite space, INT64_MAX for others */
  /* random and sobol in a finite space: trials 0 .. drawn.n - 1, from which the next follow */
  rnl_points drawn;
  uint32_t sobol_next;
  rnl_points taken; /* tpe: what the history holds; scratch of a proposal, as the densities are */
  rnl_parzen work[2];
};

static const char *const names[] = {[RNL_SAMPLER_RANDOM] = "random", [RNL_SAMPLER_GRID] = "grid",
                                    [RNL_SAMPLER_SOBOL] = "sobol", [RNL_SAMPLER_TPE] = "tpe"};

rnl_status rnl_sampler_named(const char *name, rnl_sampler_kind *kind, rnl_error *err) {
  for (int i = 0; i < (int)(sizeof names / sizeof *names); i++)
    if (strcmp(names[i], name) == 0) {
      *kind = (rnl_sampler_kind)i;
      return RNL_OK;
    }
  return rnl_fail(err, RNL_ERR_ARG, "no sampler '%.40s'; there are grid, random, sobol and tpe", name);
}

const char *rnl_sampler_name(rnl_sampler_kind kind) { return names[kind]; }

rnl_status rnl_sampler_suits(rnl_sampler_kind kind, int objectives, rnl_error *err) {
  if (kind != RNL_SAMPLER_TPE || objectives <= 1) return RNL_OK;
  return rnl_fail(err, RNL_ERR_ARG,
                  "tpe looks for one objective, not %d; with several use random, sobol or grid", objectives);
}

rnl_status rnl_sampler_new(rnl_sampler **out, const rnl_space *space, const rnl_sampler_options *options,
                           uint64_t seed, rnl_error *err) {
  *out = NULL;
  if (space->n < 1) return rnl_fail(err, RNL_ERR_ARG, "nothing is swept: name a parameter, or write key=SPACE");
  for (int i = 0; i < space->n && options->kind == RNL_SAMPLER_GRID; i++)
    if (rnl_dimension_count(&space->dims[i]) == 0)
      return rnl_fail(err, RNL_ERR_ARG, "a grid needs separate values of %s; write %s=A,B,C or %s=LOW..HIGH/STEP",
                      space->dims[i].name, space->dims[i].name, space->dims[i].name);
  rnl_sampler *sampler = rnl_alloc(1, sizeof *sampler);
  if (!sampler) return rnl_fail(err, RNL_ERR_MEMORY, "out of memory for a sampler");
  sampler->options = *options;
  if (sampler->options.startup <= 0) sampler->options.startup = STARTUP;
  if (sampler->options.candidates <= 0) sampler->options.candidates = CANDIDATES;
  sampler->seed = seed;
  sampler->sobol_next = 1;
  rnl_status status = rnl_space_copy(space, &sampler->space, err);
  if (status == RNL_OK) {
    sampler->count = rnl_space_count(space);
    if (options->kind == RNL_SAMPLER_GRID && sampler->count > RNL_SPACE_MAX_GRID)
      status = rnl_fail(err, RNL_ERR_ARG, "the grid has more than 10^7 points; sample it (--sampler random), or take "
                        "wider steps");
    if (sampler->count == 0) sampler->count = INT64_MAX;
  }
  if (status != RNL_OK) {
    rnl_sampler_free(sampler);
    return status;
  }
  *out = sampler;
  return RNL_OK;
}

void rnl_sampler_free(rnl_sampler *sampler) {
  if (!sampler) return;
  rnl_space_free(&sampler->space);
  rnl_points_free(&sampler->drawn);
  rnl_points_free(&sampler->taken);
  for (int i = 0; i < 2; i++) rnl_parzen_free(&sampler->work[i]);
  rnl_free(sampler);
}

int64_t rnl_sampler_count(const rnl_sampler *sampler) { return sampler->count; }

/* ---- one point from coordinates in [0, 1) ----------------------------------------------------- */

static double value_at(const rnl_dimension *d, double u) {
  const int64_t n = rnl_dimension_count(d);
  if (n > 0 && !d->log) {
    const int64_t i = (int64_t)(u * (double)n);
    return rnl_dimension_at(d, i < n ? i : n - 1);
  }
  /* a whole number has half a step to either side of it, so that the ends are not slighted */
  const double half = n > 0 ? 0.5 * d->step : 0, low = d->low - half, high = d->high + half;
  double x = d->log ? exp(log(low) + u * (log(high) - log(low))) : low + u * (high - low);
  if (n > 0) return rnl_dimension_at(d, rnl_dimension_nearest(d, x));
  return fmin(fmax(x, d->low), d->high);
}

static void random_point(const rnl_space *space, rnl_rng *rng, double *values) {
  for (int i = 0; i < space->n; i++) values[i] = value_at(&space->dims[i], rnl_rng_uniform(rng));
  rnl_space_close(space, values);
}

static void sobol_point(const rnl_space *space, uint32_t index, double *values) {
  for (int i = 0; i < space->n; i++) values[i] = value_at(&space->dims[i], rnl_sobol(i, index));
  rnl_space_close(space, values);
}

/* ---- points not proposed yet ------------------------------------------------------------------ */

/* A random point of a finite space that is not in the set, which is smaller than the space. */
static void unseen_random(const rnl_sampler *s, const rnl_points *set, rnl_rng *rng, double *values) {
  for (int i = 0; i < TRIES; i++) {
    random_point(&s->space, rng, values);
    if (!rnl_points_has(set, &s->space, values)) return;
  }
  uint64_t at = rnl_rng_below(rng, (uint64_t)s->count); /* from somewhere on the first that is left */
  do {
    rnl_space_point(&s->space, (int64_t)at, values);
    at = (at + 1) % (uint64_t)s->count;
  } while (rnl_points_has(set, &s->space, values));
}

/* Trials depend on those before them only in that a finite space's points come once each; those before are drawn
 * again from their numbers, once. */
static rnl_status draw_up_to(rnl_sampler *s, int64_t number, rnl_error *err) {
  double values[RNL_SPACE_MAX_DIMS];
  while (s->drawn.n <= number) {
    rnl_rng rng;
    rnl_rng_init(&rng, s->seed, RNL_RNG_SWEEP, (uint32_t)s->drawn.n);
    bool found = false;
    for (int i = 0; i < TRIES * TRIES && !found && s->options.kind == RNL_SAMPLER_SOBOL; i++) {
      sobol_point(&s->space, s->sobol_next++, values);
      found = !rnl_points_has(&s->drawn, &s->space, values);
    }
    if (!found) unseen_random(s, &s->drawn, &rng, values);
    RNL_TRY(rnl_points_add(&s->drawn, &s->space, values, err));
  }
  return RNL_OK;
}

static rnl_status none_left(const rnl_sampler *s, rnl_error *err) {
  return rnl_fail(err, RNL_ERR_NOT_FOUND, "the space has %lld points, and all have been proposed",
                  (long long)s->count);
}

/* ---- tpe -------------------------------------------------------------------------------------- */

static rnl_status take_history(rnl_sampler *s, int64_t number, const rnl_history *history, rnl_error *err) {
  rnl_points_clear(&s->taken);
  for (int64_t i = 0; i < history->n && s->count != INT64_MAX; i++)
    if (history->trials[i].number != number)
      RNL_TRY(rnl_points_add(&s->taken, &s->space, history->trials[i].values, err));
  return s->taken.n < s->count ? RNL_OK : none_left(s, err);
}

static rnl_status propose_tpe(rnl_sampler *s, int64_t number, const rnl_history *history, double *values,
                              rnl_error *err) {
  rnl_rng rng;
  rnl_rng_init(&rng, s->seed, RNL_RNG_SWEEP, (uint32_t)number);
  RNL_TRY(take_history(s, number, history, err));
  const bool finite = s->count != INT64_MAX;
  const size_t n = (size_t)history->n;
  const rnl_trial_view **below = rnl_alloc(n, sizeof *below), **above = rnl_alloc(n, sizeof *above);
  int64_t n_below = 0, n_above = 0;
  const int64_t done = below && above ? rnl_tpe_split(history, number, below, &n_below, above, &n_above) : -1;
  rnl_status status = done < 0 ? rnl_fail(err, RNL_ERR_MEMORY, "out of memory for a proposal") : RNL_OK;
  bool found = false;
  if (status == RNL_OK && done >= s->options.startup) {
    const rnl_tpe_options options = {.candidates = s->options.candidates, .univariate = s->options.univariate};
    for (int round = 0; status == RNL_OK && !found && round < ROUNDS; round++)
      status = rnl_tpe_propose(&options, &s->space, n_below, below, n_above, above, finite ? &s->taken : NULL, &rng,
                               s->work, values, &found, err);
  }
  if (status == RNL_OK && !found) {
    if (finite) unseen_random(s, &s->taken, &rng, values);
    else random_point(&s->space, &rng, values);
  }
  rnl_free(below);
  rnl_free(above);
  return status;
}

rnl_status rnl_sampler_propose(rnl_sampler *s, int64_t number, const rnl_history *history, double *values,
                               rnl_error *err) {
  static const rnl_history empty = {0};
  if (number < 0 || number >= (int64_t)1 << 32)
    return rnl_fail(err, RNL_ERR_ARG, "trial %lld: numbers go from 0 to 2^32 - 1", (long long)number);
  if (s->options.kind == RNL_SAMPLER_TPE) return propose_tpe(s, number, history ? history : &empty, values, err);
  if (number >= s->count) return none_left(s, err);
  rnl_rng rng;
  if (s->options.kind == RNL_SAMPLER_GRID) {
    rnl_space_point(&s->space, number, values);
  } else if (s->count != INT64_MAX) {
    RNL_TRY(draw_up_to(s, number, err));
    memcpy(values, s->drawn.values + number * s->space.n, (size_t)s->space.n * sizeof *values);
  } else if (s->options.kind == RNL_SAMPLER_SOBOL) {
    sobol_point(&s->space, (uint32_t)number + 1, values);
  } else {
    rnl_rng_init(&rng, s->seed, RNL_RNG_SWEEP, (uint32_t)number);
    random_point(&s->space, &rng, values);
  }
  return RNL_OK;
}
