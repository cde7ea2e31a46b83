/* sweep/sampler.h owns the choice of the next point.
 *
 * rnl_sampler_propose is a pure function of (space, options, seed, trial number, history): the same arguments give
 * the same bits, whatever was proposed before, by this object or another one. What a sampler keeps is a cache.
 * Grid, random and Sobol do not look at the history, so that their trials do not depend on who runs when.
 *
 *   grid    the n-th point, row by row (the last dimension moves fastest); a real range without a step is refused
 *   random  each dimension uniform (in log x where `log`); Bergstra & Bengio 2012
 *   sobol   Sobol's sequence from its point 1 (all .5), with Joe & Kuo's directions (2008), not scrambled: the
 *           seed plays no part. Choices and steps take equal shares of [0, 1)
 *   tpe     the tree-structured Parzen estimator (Bergstra 2011; sweep/tpe.h has the formulas)
 *
 * In a space with finitely many points none is proposed twice; once all were, propose gives ERR_NOT_FOUND.
 * Two objectives: grid, random and sobol only (rnl_sampler_suits). */
#ifndef RNL_SWEEP_SAMPLER_H
#define RNL_SWEEP_SAMPLER_H

#include "sweep/history.h"
#include "sweep/space.h"

typedef enum rnl_sampler_kind {
  RNL_SAMPLER_RANDOM,
  RNL_SAMPLER_GRID,
  RNL_SAMPLER_SOBOL,
  RNL_SAMPLER_TPE
} rnl_sampler_kind;

typedef struct rnl_sampler_options {
  rnl_sampler_kind kind;
  int64_t startup;    /* tpe: random until so many trials are finished or pruned; 0: 10 */
  int64_t candidates; /* tpe: drawn from the good ones' density; 0: 24 */
  bool univariate;    /* tpe: each dimension by itself, conditional ones over the trials that have them */
} rnl_sampler_options;

typedef struct rnl_sampler rnl_sampler;

/* "grid", "random", "sobol", "tpe". ERR_ARG: "--sampler tep: there is grid, random, sobol and tpe". */
rnl_status rnl_sampler_named(const char *name, rnl_sampler_kind *kind, rnl_error *err);
const char *rnl_sampler_name(rnl_sampler_kind kind);

/* ERR_ARG where the sampler cannot serve so many objectives. */
rnl_status rnl_sampler_suits(rnl_sampler_kind kind, int objectives, rnl_error *err);

/* The space is copied. ERR_ARG: an empty space, a grid over a continuous dimension, more than 10^7 grid points. */
rnl_status rnl_sampler_new(rnl_sampler **out, const rnl_space *space, const rnl_sampler_options *options,
                           uint64_t seed, rnl_error *err);
void rnl_sampler_free(rnl_sampler *sampler); /* NULL is allowed */

/* How many different trials there can be: the points of a finite space, else INT64_MAX. */
int64_t rnl_sampler_count(const rnl_sampler *sampler);

/* Trial `number` (from 0; below 2^32) becomes values[space.n]. The history may hold the trial itself and later
 * ones in any state: a trial of this number is passed over. ERR_NOT_FOUND: no point is left. */
rnl_status rnl_sampler_propose(rnl_sampler *sampler, int64_t number, const rnl_history *history, double *values,
                               rnl_error *err);

#endif
