/* grad/gradcheck.h owns the gradient check any model can be put through: analytic gradients against
 * central differences, and the backward pass against the forward-mode product.
 *
 * For an element p: numeric = (loss(p + d) - loss(p - d)) / 2d with d = 1e-4 max(1, |p|), Richardson-
 * extrapolated with d/2, so that the truncation error is O(d^4); the error is |a - n| / (1 + |n|).
 * Everything must be float64. An element whose two differences disagree (a kink of relu or abs within d)
 * is counted as skipped, not passed. */
#ifndef RNL_GRAD_GRADCHECK_H
#define RNL_GRAD_GRADCHECK_H

#include "grad/plan.h"

typedef struct rnl_gradcheck_options {
  double tolerance;      /* largest error that passes; 0: 1e-7 */
  int64_t samples;       /* elements checked a tensor, spread evenly; 0: all */
  const volatile int *stop; /* not 0: the check ends with ERR_INTERRUPTED; NULL: nothing ends it */
} rnl_gradcheck_options;

typedef struct rnl_gradcheck_entry {
  int64_t numel, checked, skipped;
  double max_error;             /* over the checked elements */
  int64_t worst;                /* row-major position of the worst */
  double analytic, numeric;     /* its two gradients */
} rnl_gradcheck_entry;

typedef struct rnl_gradcheck_report {
  bool ok;                      /* every error within tolerance, and at least one element checked */
  double tolerance, max_error;
  double jvp_error;             /* |loss. - gradient · direction| / (1 + |loss.|) along a direction of all elements and
                                   along those of the elements, with samples some of many; NaN where an op has no jvp */
} rnl_gradcheck_report;

/* Check d loss / d leaves[i] for n leaves (parameters, or data with requires_grad) of a plan with a loss:
 * entries[i] for each. The leaves' values are restored. ERR_DTYPE where something is not float64. */
rnl_status rnl_gradcheck(rnl_plan *plan, rnl_var *loss, int n, rnl_var *const *leaves,
                         const rnl_gradcheck_options *options, rnl_gradcheck_entry *entries,
                         rnl_gradcheck_report *report, rnl_error *err);

#endif
