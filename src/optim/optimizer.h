/* optim/optimizer.h owns the optimisers: one step from the parameters' gradients. Each family has a file
 * with its formulas and their source; optimizer.c holds what they share.
 *
 * g is the gradient, t counts steps from 1, state starts at zero.
 *   sgd       p -= lr g
 *   momentum  v = momentum v + (1 - dampening) g, at first v = g;  p -= lr v   (Polyak 1964, as PyTorch's SGD)
 *   nesterov  the same v;  p -= lr (g + momentum v)                     (Nesterov 1983, as Sutskever et al. 2013)
 *   adam      m = beta1 m + (1-beta1) g;  v = beta2 v + (1-beta2) g^2
 *             p -= lr/(1-beta1^t) m / (sqrt(v)/sqrt(1-beta2^t) + eps)   (Kingma & Ba 2015, alg. 1; PyTorch's)
 *   adam_tf   the same m, v;  lr_t = lr sqrt(1-beta2^t)/(1-beta1^t)
 *             p -= lr_t m / (sqrt(v) + eps)          (Kingma & Ba's "epsilon hat" form; TensorFlow 1's)
 *   adamw     p -= lr weight_decay p, then adam                          (Loshchilov & Hutter 2019)
 *   amsgrad   adam with the largest v so far in place of v               (Reddi et al. 2018)
 *   rmsprop   s = alpha s + (1-alpha) g^2;  centered: m = alpha m + (1-alpha) g and s - m^2 for s below;
 *             v = momentum v + g / (sqrt(s) + eps);  p -= lr v           (Hinton 2012; Graves 2013)
 *   adagrad   s += g^2;  p -= lr g / (sqrt(s) + eps)                     (Duchi et al. 2011)
 *   adadelta  s = rho s + (1-rho) g^2;  d = sqrt(u + eps)/sqrt(s + eps) g;  u = rho u + (1-rho) d^2;  p -= lr d
 *                                                                        (Zeiler 2012)
 *   rprop     a step of its own for each element, lr at first, times eta_plus while its gradient keeps its sign, times
 *             eta_minus where it changes, that gradient then counting as 0;  p -= step sign(g)
 *                                                                        (Riedmiller & Braun 1993; PyTorch's form)
 * In all but adamw, weight_decay adds weight_decay p to g before the step.
 */
#ifndef RNL_OPTIM_OPTIMIZER_H
#define RNL_OPTIM_OPTIMIZER_H

#include "grad/op.h"
#include "tensor/list.h"

typedef enum rnl_optimizer_kind {
  RNL_OPTIM_SGD = 0,
  RNL_OPTIM_MOMENTUM,
  RNL_OPTIM_NESTEROV,
  RNL_OPTIM_ADAM,
  RNL_OPTIM_ADAM_TF,
  RNL_OPTIM_ADAMW,
  RNL_OPTIM_AMSGRAD,
  RNL_OPTIM_RMSPROP,
  RNL_OPTIM_ADAGRAD,
  RNL_OPTIM_ADADELTA,
  RNL_OPTIM_RPROP,
  RNL_OPTIM_COUNT
} rnl_optimizer_kind;

typedef struct rnl_optimizer_options {
  rnl_optimizer_kind kind;
  double lr;           /* >= 0 */
  double momentum;     /* [0, 1) */
  double beta1, beta2; /* [0, 1) */
  double eps;          /* >= 0 */
  double weight_decay; /* >= 0 */
  double dampening;    /* momentum, nesterov: [0, 1] */
  double alpha, rho;   /* rmsprop, adadelta: [0, 1) */
  bool centered;       /* rmsprop */
  double eta_minus, eta_plus, step_min, step_max; /* rprop: 0 < eta_minus < 1 < eta_plus, 0 < step_min <= step_max */
} rnl_optimizer_options;

/* The kind's defaults: lr 0.01 (adadelta 1; adam and its kin 0.001), momentum 0.9 (rmsprop 0), beta1 0.9, beta2 0.999,
 * eps 1e-8 (adagrad 1e-10, adadelta 1e-6), alpha 0.99, rho 0.9, eta 0.5 and 1.2, steps 1e-6 to 50, no weight decay
 * (adamw 0.01). ERR_ARG lists the kinds. */
rnl_status rnl_optimizer_from_name(const char *name, rnl_optimizer_options *out, rnl_error *err);

typedef struct rnl_optimizer rnl_optimizer;

/* State for n parameters, of which it keeps references. They must be contiguous. ERR_ARG names the
 * option that is out of range. */
rnl_status rnl_optimizer_new(rnl_optimizer **out, const rnl_optimizer_options *options, int n,
                             rnl_var *const *parameters, rnl_error *err);
void rnl_optimizer_free(rnl_optimizer *optimizer);

/* The learning rate of the steps from now on. */
void rnl_optimizer_set_lr(rnl_optimizer *optimizer, double lr);
double rnl_optimizer_lr(const rnl_optimizer *optimizer);
int64_t rnl_optimizer_steps(const rnl_optimizer *optimizer); /* done so far */

/* What the steps so far have left, as named tensors: "optim.t" (steps done, learning rate, kind) and "optim.P.S",
 * buffer S of parameter P. They are references: write them before the next step. Loading is into an optimizer made with
 * the same options; ERR_FORMAT names what does not fit, and then nothing has changed. */
rnl_status rnl_optimizer_save(const rnl_optimizer *optimizer, rnl_tensors *into, rnl_error *err);
rnl_status rnl_optimizer_load(rnl_optimizer *optimizer, const rnl_tensors *from, rnl_error *err);

/* One step. Parameters without a gradient stay. Allocates nothing. */
void rnl_optimizer_step(rnl_optimizer *optimizer);

/* ---- clipping (clip.c): before a step, over all parameters ------------------------------------ */

/* The global norm sqrt(sum of g^2); where it exceeds max_norm every gradient is scaled by max_norm/norm,
 * exactly (no 1e-6 added). Pascanu et al. 2013. Returns the norm before. */
double rnl_clip_norm(int n, rnl_var *const *parameters, double max_norm);
/* Each element into [-limit, limit]. */
void rnl_clip_value(int n, rnl_var *const *parameters, double limit);

#endif
