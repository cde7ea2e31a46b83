/* train/lbfgs.h owns L-BFGS (Liu & Nocedal 1989) with a line search for the strong Wolfe conditions, as in Nocedal &
 * Wright, Numerical Optimization (2nd ed., 2006): the whole training set at once, any loss with a gradient.
 *
 * An epoch is one step from p, with loss f and gradient g there:
 *
 *   direction  d = -H g by the two loops of algorithm 7.4 over the last `history` pairs s = p' - p, y = g' - g, begun
 *              with H0 = (s'y / y'y) I of the newest (7.20); d = -g without pairs, or where d does not descend
 *   step       p' = p + a d by algorithms 3.5 and 3.6 with c1 = 1e-4, c2 = .9, begun with a = 1, or with
 *              min(1, 1 / sum |g|) without pairs; doubled while it still falls; inside a bracket by the cubic (3.59),
 *              or halving where that lies in an outer tenth. At most `evaluations` of f and g; then the lowest point
 *              found that satisfies the first condition serves
 *   A loss that is not finite counts as too high. Where no step lowers f the pairs are forgotten and -g is tried;
 *   where that fails too, or max |g| <= tolerance, nothing is changed and the method has converged. */
#ifndef RNL_TRAIN_LBFGS_H
#define RNL_TRAIN_LBFGS_H

#include "train/method.h"

typedef struct rnl_lbfgs_options {
  int64_t history;     /* pairs kept; default 10; 1 .. 1000 */
  int64_t evaluations; /* of a step; default 25; >= 1 */
  double tolerance;    /* default 1e-8; >= 0 */
} rnl_lbfgs_options;
rnl_lbfgs_options rnl_lbfgs_defaults(void);

/* A new method for these parameters (their number alone is kept). ERR_ARG names the option out of range. */
rnl_status rnl_lbfgs_new(rnl_method *out, const rnl_lbfgs_options *options, int n_parameters,
                         rnl_var *const *parameters, rnl_error *err);

#endif
