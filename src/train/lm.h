/* train/lm.h owns Levenberg-Marquardt (Levenberg 1944, Marquardt 1963; Hagan & Menhaj 1994 for networks): the whole
 * training set at once, for losses that are sums of squares and networks of few weights.
 *
 * With residuals r_i = sqrt(w_i) (y_i - target_i), w_i from mask, lengths and weights (1 without), their Jacobian
 * J = d r / d p and E = sum_i r_i^2 (no mean, whatever the loss is), an epoch is
 *
 *   J, J'J, J'r at p
 *   until E falls:  p' = p - (J'J + mu I)^-1 J'r;   E(p') < E: take it, mu := mu / down, done;   else mu := mu up
 *
 * A p' whose E is not finite is a failure. Where mu passes `limit` nothing is changed and the method has converged.
 * J is in double whatever the parameters' dtype; J'J is summed in double in an order that no thread changes. The one
 * try of an epoch costs a forward pass and a Cholesky factor, the Jacobian much more: tries do not count as epochs. */
#ifndef RNL_TRAIN_LM_H
#define RNL_TRAIN_LM_H

#include "train/method.h"

typedef struct rnl_lm_options {
  double damping;  /* mu to begin with; default 1000: from 10 one random start in eight got stuck, from this none */
  double up, down; /* default 3 and 5; > 1 */
  double limit;    /* default 1e10 */
} rnl_lm_options;
rnl_lm_options rnl_lm_defaults(void);

/* What J and the normal equations may take. */
#define RNL_LM_BYTES ((int64_t)1 << 30)

/* A new method. ERR_ARG names the option out of range. Its first use (prepare) fails where the loss is no sum of
 * squares (ERR_ARG), where there are too many weights (ERR_MEMORY, naming their number) or LAPACK is missing. */
rnl_status rnl_lm_new(rnl_method *out, const rnl_lm_options *options, rnl_error *err);

#endif
