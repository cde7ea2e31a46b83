/* optim/adam.c: Adam in both published forms, which differ in where eps stands, AdamW and AMSGrad. Formulas:
 * optimizer.h. */
#include <math.h>

#include "kernel/kernel.h"
#include "optim/elementwise.h"
#include "optim/family.h"

static void adam_step(const rnl_optimizer_options *o, const rnl_optim_time *at, bool f64, int64_t count,
                      const void *grad, void *param, void *const state[RNL_OPTIM_STATES]) {
  const rnl_adam_step step = {.beta1 = o->beta1, .beta2 = o->beta2, .step_size = o->lr / at->correction1,
                              .root_scale = 1 / sqrt(at->correction2), .eps = o->eps};
  rnl_kernels_of(f64)->adam(count, &step, grad, param, state[0], state[1]);
}

static void adam_tf_step(const rnl_optimizer_options *o, const rnl_optim_time *at, bool f64, int64_t count,
                         const void *grad, void *param, void *const state[RNL_OPTIM_STATES]) {
  const rnl_adam_step step = {
      .beta1 = o->beta1, .beta2 = o->beta2, .step_size = o->lr * sqrt(at->correction2) / at->correction1,
      .root_scale = 1, .eps = o->eps};
  rnl_kernels_of(f64)->adam(count, &step, grad, param, state[0], state[1]);
}

/* As adam, with the largest v so far in the root. */
static void amsgrad_step(const rnl_optimizer_options *o, const rnl_optim_time *at, bool f64, int64_t count,
                         const void *grad, void *param, void *const state[RNL_OPTIM_STATES]) {
  const double step_size = o->lr / at->correction1, root_scale = 1 / sqrt(at->correction2);
  RNL_EACH_ELEMENT(const real b1 = (real)o->beta1; const real b2 = (real)o->beta2; s0[i] = b1 * s0[i] + (1 - b1) * g[i];
                   s1[i] = b2 * s1[i] + (1 - b2) * g[i] * g[i]; if (s1[i] > s2[i]) s2[i] = s1[i];
                   p[i] -= (real)step_size * s0[i] / ((real)root_scale * RNL_ROOT(s2[i]) + (real)o->eps););
}

const rnl_optimizer_family rnl_optim_adam = {
    .name = "adam", .corrects = true, .states = 2, .default_lr = 0.001, .default_eps = 1e-8, .step = adam_step};
const rnl_optimizer_family rnl_optim_adam_tf = {
    .name = "adam_tf", .corrects = true, .states = 2, .default_lr = 0.001, .default_eps = 1e-8, .step = adam_tf_step};
const rnl_optimizer_family rnl_optim_amsgrad = {
    .name = "amsgrad", .corrects = true, .states = 3, .default_lr = 0.001, .default_eps = 1e-8, .step = amsgrad_step};
const rnl_optimizer_family rnl_optim_adamw = {
    .name = "adamw", .corrects = true, .states = 2, .default_lr = 0.001, .default_eps = 1e-8, .decoupled = true,
    .step = adam_step};
