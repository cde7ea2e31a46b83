/* sweep/importance.h owns how much each parameter mattered: PED-ANOVA (S. Watanabe, A. Bansal, F. Hutter, "PED-ANOVA:
 * Efficiently Quantifying Hyperparameter Importance in Arbitrary Subspaces", 2023, arXiv 2304.10255), in the form
 * that Optuna gives it.
 *
 * A dimension's range (log x where log) becomes a grid of 50 points, fewer where it has fewer values: g = 0 .. G-1.
 * Two densities are made on it, of the best tenth of the trials and of all of them: at each of the grid's points that
 * trials fell on a Gaussian over the integers, cut off at -1/2 and G - 1/2, weighted by their number, and the prior's,
 * of weight 1 and N((G-1)/2, G). The bandwidth is 1.059 min(IQR / 1.34, sd) n^-0.2, and at least 1/3.28 (so that 90 %
 * of a kernel falls on its own point). A choice's kernel is that of the sampler (tpe.h). The importance is Pearson's
 * divergence, sum_g q(g) (p(g) / q(g) - 1)^2 with p of the best and q of all. A conditional dimension is judged among
 * the trials that have it, times a^2 / b where these are the fractions a of the best and b of all trials. */
#ifndef RNL_SWEEP_IMPORTANCE_H
#define RNL_SWEEP_IMPORTANCE_H

#include "sweep/history.h"
#include "sweep/space.h"

/* share[space.n]: the importances divided by their sum (all 0 where nothing mattered). The finished trials are looked
 * at; the best tenth are those with a value up to that of number ceil(n / 10). ERR_ARG with fewer than 2. */
rnl_status rnl_importance(const rnl_space *space, const rnl_history *history, double *share, rnl_error *err);

#endif
