/* optim/optimizer.h owns the optimisers: one step from the parameters' gradients. Each family has a file
 * with its formulas and their source; optimizer.c holds what they share.
 *
 * g is the gradient, t counts steps from 1, state starts at zero.
 *   sgd       p -= lr g
 *   momentum  v = momentum v + g;  p -= lr v                       (Polyak 1964, as PyTorch's SGD)
 *   adam      m = beta1 m + (1-beta1) g;  v = beta2 v + (1-beta2) g^2
 *             p -= lr/(1-beta1^t) m / (sqrt(v)/sqrt(1-beta2^t) + eps)   (Kingma & Ba 2015, alg. 1; PyTorch's)
 *   adam_tf   the same m, v;  lr_t = lr sqrt(1-beta2^t)/(1-beta1^t)
 *             p -= lr_t m / (sqrt(v) + eps)          (Kingma & Ba's "epsilon hat" form; TensorFlow 1's)
 */
#ifndef RNL_OPTIM_OPTIMIZER_H
#define RNL_OPTIM_OPTIMIZER_H

#include "grad/op.h"

typedef enum rnl_optimizer_kind {
  RNL_OPTIM_SGD = 0,
  RNL_OPTIM_MOMENTUM,
  RNL_OPTIM_ADAM,
  RNL_OPTIM_ADAM_TF,
  RNL_OPTIM_COUNT
} rnl_optimizer_kind;

typedef struct rnl_optimizer_options {
  rnl_optimizer_kind kind;
  double lr;           /* >= 0 */
  double momentum;     /* [0, 1) */
  double beta1, beta2; /* [0, 1) */
  double eps;          /* >= 0 */
} rnl_optimizer_options;

/* The kind's defaults: lr 0.01 (sgd, momentum) or 0.001, momentum 0.9, beta1 0.9, beta2 0.999, eps
 * 1e-8. ERR_ARG lists the kinds. */
rnl_status rnl_optimizer_from_name(const char *name, rnl_optimizer_options *out, rnl_error *err);

typedef struct rnl_optimizer rnl_optimizer;

/* State for n parameters, of which it keeps references. They must be contiguous. ERR_ARG names the
 * option that is out of range. */
rnl_status rnl_optimizer_new(rnl_optimizer **out, const rnl_optimizer_options *options, int n,
                             rnl_var *const *parameters, rnl_error *err);
void rnl_optimizer_free(rnl_optimizer *optimizer);

/* One step. Parameters without a gradient stay. Allocates nothing. */
void rnl_optimizer_step(rnl_optimizer *optimizer);

/* ---- clipping (clip.c): before a step, over all parameters ------------------------------------ */

/* The global norm sqrt(sum of g^2); where it exceeds max_norm every gradient is scaled by max_norm/norm,
 * exactly (no 1e-6 added). Pascanu et al. 2013. Returns the norm before. */
double rnl_clip_norm(int n, rnl_var *const *parameters, double max_norm);
/* Each element into [-limit, limit]. */
void rnl_clip_value(int n, rnl_var *const *parameters, double limit);

#endif
