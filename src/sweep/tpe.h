/* sweep/tpe.h owns the tree-structured Parzen estimator: J. Bergstra, R. Bardenet, Y. Bengio, B. Kegl, "Algorithms for
 * Hyper-Parameter Optimization", 2011, with the rules of Optuna's TPESampler, version 5.
 *
 * Of n trials finished or pruned the best min(ceil(n / 10), 25) are "below", by value, then pruned ones by how far
 * they came and by the value there; all others, and running ones, are "above". From either a density is made,
 *
 *     p(x) = sum_k w_k prod_d K_kd(x_d),
 *
 * one kernel k for each trial, in the order of trials, and one more, the prior's. With m trials the weights are all 1
 * for m < 25, else they rise from 1/m to 1 over the m - 25 oldest and are 1 for the rest; the prior's is 1; then they
 * are divided by their sum. A number's kernel is a Gaussian at the trial's value, cut off at the bounds; where the
 * dimension is `log` all of this is in log x, and where it has steps the bounds are half a step wider and the kernel's
 * mass on a value is its integral over half a step to either side. Its sigma is the wider of the gaps to its two
 * neighbours among the trials' values, the bounds counting as neighbours (but for the lowest and the highest of two
 * or more, which use their inner gap), held within [(high - low) / min(100, m + 2), high - low]. The prior's kernel
 * is N((low + high) / 2, high - low). A choice's kernel has 1 + 1/(m+1) at the trial's own and 1/(m+1) at the other
 * choices, divided by its sum; the prior's is uniform.
 *
 * Of 24 points drawn from the density below, the one with the largest log p_below - log p_above is proposed. The
 * dimensions that every trial has are drawn together; a conditional one, where it is open, by itself, from the
 * trials that had it. */
#ifndef RNL_SWEEP_TPE_H
#define RNL_SWEEP_TPE_H

#include "base/rng.h"
#include "sweep/history.h"
#include "sweep/points.h"

/* One dimension of a density. Numbers: in log x where the dimension is log. Kernels of the same mu and sigma are one
 * class, of which a dimension with steps has few. */
typedef struct rnl_parzen_part {
  const rnl_dimension *dimension;
  double low, high;  /* half a step wider than the dimension's */
  double *mu;        /* one for each kernel; a choice's index for categorical ones, -1 for the prior */
  double *sigma, *inverse; /* inverse: 1 / sigma */
  double *log_scale; /* -log(mass within the bounds), less log(sigma sqrt(2 pi)) where continuous */
  double *log_sigma; /* log(sigma sqrt(2 pi)), of each class's first kernel */
  int32_t *class_of, *first; /* kernel -> class, class -> a kernel of it */
  int32_t n_classes;
} rnl_parzen_part;

typedef struct rnl_parzen { /* all zeros is valid to build and to free */
  int n_dims;
  int dims[RNL_SPACE_MAX_DIMS]; /* which of the space's */
  rnl_parzen_part parts[RNL_SPACE_MAX_DIMS];
  int64_t n_kernels; /* observations and, last, the prior */
  double *weight, *log_weight;
  void *memory[2];   /* what the arrays stand in; what a density is added up in */
  size_t capacity[2];
} rnl_parzen;

/* The density of n observations (points of the space, in the order of trials), over the dims named. May be called again
 * on the same one, which keeps its memory: so a proposal need not ask the system for pages. */
rnl_status rnl_parzen_build(rnl_parzen *parzen, const rnl_space *space, int n_dims, const int *dims, int64_t n,
                            const double *const *points, rnl_error *err);
void rnl_parzen_free(rnl_parzen *parzen); /* idempotent */

/* One point drawn: values[dims[i]] are set, others left. */
void rnl_parzen_draw(const rnl_parzen *parzen, rnl_rng *rng, double *values);

/* out[i] = log p(points[i]), n of them. */
rnl_status rnl_parzen_log_density(rnl_parzen *parzen, int64_t n, const double *const *points, double *out,
                                  rnl_error *err);

/* Divide trials (not the one with this number) into below and above; both in the order of their numbers, room for
 * history->n in each. Returns how many are finished or pruned. ERR_MEMORY as -1. */
int64_t rnl_tpe_split(const rnl_history *history, int64_t number, const rnl_trial_view **below, int64_t *n_below,
                      const rnl_trial_view **above, int64_t *n_above);

typedef struct rnl_tpe_options {
  int64_t candidates; /* 24 */
  bool univariate;    /* every dimension by itself */
} rnl_tpe_options;

/* A point, the random numbers taken from rng. `taken` (may be NULL): points not to be proposed; where all candidates
 * are among them *found is false. `work`: two densities to build in. */
rnl_status rnl_tpe_propose(const rnl_tpe_options *options, const rnl_space *space, int64_t n_below,
                           const rnl_trial_view *const *below, int64_t n_above,
                           const rnl_trial_view *const *above, const rnl_points *taken, rnl_rng *rng,
                           rnl_parzen *work, double *values, bool *found, rnl_error *err);

#endif
